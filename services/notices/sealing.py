"""Seal the details of visitors, the keys of their days, addresses of guests, and other secrets.

The keys of days are wrapped with the master key. Also the links of guests, which are digests.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.keys import each_of

Master = MultiFernet
"""The master keys: the first wraps new keys, each unwraps."""


def master_of(secrets: str, purpose: str = "visits") -> Master | None:
    """Return the master keys made from secrets separated by commas; None if there are none."""
    given = [master_key(one, purpose) for one in each_of(secrets)]
    return MultiFernet(given) if given else None


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
