"""Identifiers."""

from datetime import UTC, datetime

import uuid_utils

from shared.keys import digest, digests

_TIMED = 7
"""The version of UUIDs that begin with their time."""


def new_id() -> str:
    """Return a UUIDv7 as text: unique without a counter, and roughly in order of time."""
    return str(uuid_utils.uuid7())


def time_of(identifier: str) -> datetime | None:
    """Return the time at which `new_id` made an id; None if it is no such id."""
    try:
        made = uuid_utils.UUID(identifier)
        if made.version != _TIMED:
            return None
        return datetime.fromtimestamp(made.timestamp / 1000, UTC)
    except ValueError:  # no UUID, or a year out of range
        return None


def first_id_at(moment: datetime) -> str:
    """Return an id that is not after any that `new_id` makes from a time on."""
    text = f"{int(moment.timestamp() * 1000):012x}"
    return f"{text[:8]}-{text[8:]}-7000-8000-000000000000"


def card_digest(card_number: str, keys: str) -> str:
    """Return the hex HMAC-SHA256 by which a card is recognised, with the newest key."""
    return digest(keys, card_number.strip().upper()).hex()


def card_digests(card_number: str, keys: str) -> tuple[str, ...]:
    """Return the digest of a card with each of the keys: one of them is stored."""
    with_each = digests(keys, card_number.strip().upper())
    return tuple(one.hex() for one in with_each) or (card_digest(card_number, keys),)
