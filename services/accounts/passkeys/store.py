"""The collection of passkeys."""

from pymongo import ASCENDING, IndexModel

from services.accounts.passkeys.rules import Passkey
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "passkeys": sharded_by("_id", [IndexModel([("account_id", ASCENDING)])]),
}
PERSONAL = (Personal("passkeys", "account_id", leave_out=("credential", "public_key")),)

_PASSKEYS = Repository(Passkey, "passkeys")
passkey, find_passkey = _PASSKEYS.get, _PASSKEYS.find
add_passkey, save_passkey, remove_passkey = _PASSKEYS.add, _PASSKEYS.save, _PASSKEYS.remove


def count_of(work: Work, account_id: str) -> int:
    """Return the number of passkeys of an account."""
    return work.count("passkeys", {"account_id": account_id})


def delete_of_account(work: Work, account_id: str) -> None:
    """Delete the passkeys of an account."""
    work.delete("passkeys", {"account_id": account_id})


async def find_of_account(db: Database, account_id: str) -> list[Passkey]:
    """Return the passkeys of an account, of which there are at most MOST_PASSKEYS, by age."""
    found = await reading.every(db, Passkey, "passkeys", {"account_id": account_id})
    return sorted(found, key=lambda one: one.added_at)
