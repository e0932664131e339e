"""Seal the details of visitors, the keys of their days, and other secrets."""

import base64
import hashlib
import hmac

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from services.notices.domain.visit import Visitor

Master = MultiFernet
"""The master keys: the first wraps new keys, each unwraps."""


def master_of(secrets: str, purpose: str = "visits") -> Master | None:
    """Return the master keys made from secrets separated by commas; None if there are none."""
    given = [one.strip() for one in secrets.split(",") if one.strip()]
    return MultiFernet([master_key(one, purpose) for one in given]) if given else None


def master_key(secret: str, purpose: str = "visits") -> Fernet:
    """Return the master key made from one secret, for one purpose."""
    digest = hashlib.sha256(f"carrel {purpose}\n{secret}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def wrapped_key(master: Master) -> bytes:
    """Return a new key of a day, wrapped."""
    return master.encrypt(Fernet.generate_key())


def unwrapped(master: Master, wrapped: bytes) -> bytes | None:
    """Return the key of a day, or a secret; None if no master key of today wrapped it."""
    try:
        return master.decrypt(wrapped)
    except InvalidToken:
        return None


def seal(key: bytes, visitor: Visitor) -> bytes:
    """Return the details of a visitor, readable with the key of the day only."""
    return Fernet(key).encrypt(orjson.dumps([visitor.name, visitor.phone]))


def unseal(key: bytes, sealed: bytes) -> Visitor:
    """Return the details of a visitor."""
    return Visitor(*orjson.loads(Fernet(key).decrypt(sealed)))


def holder_of(key: bytes, patron_id: str) -> str:
    """Return the digest that stands for a patron on one day."""
    return hmac.new(key, patron_id.encode(), "sha256").hexdigest()
