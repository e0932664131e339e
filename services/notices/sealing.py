"""Seal the details of visitors, the keys of their days, addresses of guests, and other secrets.

The keys of days are wrapped with the master key. Also the links of guests, which are digests.
"""

import base64
import hashlib
import hmac

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from services.notices.domain.guest import mailbox_name
from services.notices.domain.visit import Visitor
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


def seal(key: bytes, visitor: Visitor) -> bytes:
    """Return the details of a visitor, readable with the key of the day only."""
    return Fernet(key).encrypt(orjson.dumps([visitor.name, visitor.phone]))


def unseal(key: bytes, sealed: bytes) -> Visitor:
    """Return the details of a visitor."""
    return Visitor(*orjson.loads(Fernet(key).decrypt(sealed)))


def holder_of(key: bytes, patron_id: str) -> str:
    """Return the digest that stands for a patron on one day."""
    return hmac.new(key, patron_id.encode(), "sha256").hexdigest()


# ---- guests who ask a librarian -----------------------------------------------------------------


def seal_address(secret: str, address: str) -> bytes:
    """Return a guest's e-mail address, readable with the services' secret only."""
    return _guest_box(secret).encrypt(address.encode())


def unseal_address(secret: str, sealed: bytes) -> str | None:
    """Return a guest's e-mail address; None if the services had another secret then."""
    try:
        return _guest_box(secret).decrypt(sealed).decode()
    except InvalidToken:
        return None


def address_digest(secret: str, address: str) -> str:
    """Return the digest that stands for a guest's address."""
    return _digest(secret, "address", address.casefold())


def mailbox_digest(secret: str, address: str) -> str:
    """Return the digest that stands for the mailbox that an address reaches."""
    return _digest(secret, "mailbox", mailbox_name(address))


def guest_token(guest_id: str, secret: str) -> str:
    """Return the token that stands for a guest in a link: the id, and a keyed digest."""
    return f"{guest_id}.{_digest(secret, 'link', guest_id)}"


def guest_of_token(token: str, secret: str) -> str | None:
    """Return the id of the guest for whom we made a token; None if we did not make it."""
    if not token.isascii():
        return None
    guest_id = token.rpartition(".")[0]
    return guest_id if hmac.compare_digest(guest_token(guest_id, secret), token) else None


def _guest_box(secret: str) -> Fernet:
    digest = hashlib.sha256(b"carrel guests\n" + secret.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def _digest(secret: str, purpose: str, text: str) -> str:
    key = hashlib.sha256(b"carrel guest digests\n" + secret.encode()).digest()
    return hmac.new(key, f"{purpose}\n{text}".encode(), "sha256").hexdigest()
