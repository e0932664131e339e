"""The collections of libraries that allow self-checkout by phone, and of tries at their codes."""

from services.circulation.rules.self_checkout import DayCodeTries, SelfCheckout
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "self_checkouts": [],
    "day_code_tries": sharded_by("_id", []),
}
PERSONAL = (Personal("day_code_tries", patron="_id"),)

_LIBRARIES = Repository(SelfCheckout, "self_checkouts")
get = _LIBRARIES.get
find = _LIBRARIES.find
put = _LIBRARIES.put

_TRIES = Repository(DayCodeTries, "day_code_tries")
get_tries = _TRIES.get
put_tries = _TRIES.put


def purge_tries(work: Work, patron_id: str) -> None:
    """Delete the tries of a patron."""
    work.delete("day_code_tries", {"_id": patron_id})


async def find_allowed(db: Database) -> list[str]:
    """Return the codes of the libraries that allow self-checkout by phone, sorted."""
    found = await reading.every(db, SelfCheckout, "self_checkouts", {"allowed": True})
    return sorted(one.id for one in found)
