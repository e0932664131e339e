"""Patrons' lists of titles."""

from pymongo import ASCENDING, IndexModel

from services.circulation.rules.title_list import MOST_LISTS, TitleList, empty_list, list_id
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "title_lists": sharded_by(
        "patron_id",
        [
            IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("link", ASCENDING)], partialFilterExpression={"link": {"$gt": ""}}),
        ],
    ),
}
PERSONAL = (Personal("title_lists", leave_out=("link",)),)

_LISTS = Repository(TitleList, "title_lists")
all_of = _LISTS.all_of
purge = _LISTS.delete_of
put = _LISTS.put
remove = _LISTS.remove


def get(work: Work, patron_id: str, number: int) -> TitleList | None:
    """Return a patron's list, or None."""
    return _LISTS.get(work, list_id(patron_id, number))


async def find_all(db: Database, patron_id: str) -> list[TitleList]:
    """Return a patron's lists by number, the one for later first even if nothing is on it."""
    found = await reading.page(
        db, TitleList, "title_lists", {"patron_id": patron_id}, limit=MOST_LISTS, after=None
    )
    by_number = {one.number: one for one in (empty_list(patron_id), *found)}
    return [by_number[number] for number in sorted(by_number)]


async def find_shared(db: Database, link: str) -> TitleList | None:
    """Return the list that anyone may read under a link; None: the link has ended."""
    return await reading.first(db, TitleList, "title_lists", {"link": link})
