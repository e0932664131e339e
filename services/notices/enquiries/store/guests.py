"""Collections of guests and mailboxes; sealed addresses and tokens of links."""

import base64
import hashlib
import hmac
from datetime import datetime

from cryptography.fernet import Fernet, InvalidToken
from pymongo import ASCENDING, IndexModel

from services.notices.enquiries.rules.guests import CONFIRM_WITHIN, Guest, Mailbox, mailbox_name
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database
from shared.repository import Repository
from shared.unit_of_work import Work

GUESTS = "guests"
MAILBOXES = "guest_mailboxes"

INDEXES: Indexes = {
    GUESTS: sharded_by(
        "_id",
        [
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
            IndexModel([("asked_at", ASCENDING)]),
        ],
    ),
    MAILBOXES: sharded_by(
        "_id",
        [
            IndexModel(
                [("recorded_at", ASCENDING)], expireAfterSeconds=int(CONFIRM_WITHIN.total_seconds())
            )
        ],
    ),
}

_GUESTS = Repository(Guest, GUESTS)
get = _GUESTS.get
save = _GUESTS.put
find_one = _GUESTS.find

_MAILBOXES = Repository(Mailbox, MAILBOXES)
get_mailbox = _MAILBOXES.get
save_mailbox = _MAILBOXES.put


def delete(work: Work, guest_id: str) -> None:
    """Delete a guest."""
    work.delete(GUESTS, {"_id": guest_id})


async def find_unconfirmed(db: Database, asked_until: datetime) -> list[str]:
    """Return the ids of guests who asked until an instant and have not confirmed."""
    query = {"question": {"$ne": None}, "asked_at": {"$lte": asked_until}}
    return [one["_id"] async for one in db[GUESTS].find(query, {"_id": 1})]


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
