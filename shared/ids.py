"""Identifiers."""

import hashlib
import hmac

import uuid_utils


def new_id() -> str:
    """A UUIDv7 as text: unique without a counter, and roughly in order of time."""
    return str(uuid_utils.uuid7())


def card_digest(card_number: str, key: str) -> str:
    """The hex HMAC-SHA256 under which a card is recognised outside accounts."""
    return hmac.new(key.encode(), card_number.strip().upper().encode(), hashlib.sha256).hexdigest()
