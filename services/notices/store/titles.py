"""Titles of books and activities, as other services last published them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from shared.mongo import Database, Indexes, from_document
from shared.unit_of_work import Work

TITLES = "titles"
ACTIVITIES = "activities"

INDEXES: Indexes = {TITLES: [], ACTIVITIES: []}


@dataclass(frozen=True)
class Title:
    """A book's title, in its latest version."""

    id: str
    version: int
    name: str


@dataclass(frozen=True)
class Activity:
    """An activity's title and start, in their latest version."""

    id: str
    version: int
    name: str
    starts_at: datetime | None = None
    """Start (UTC); None in documents stored before the field existed."""


def save_title(work: Work, title: Title) -> None:
    """Store a book's title, unless the stored version is newer."""
    work.save_if_newer(TITLES, title)


def save_activity(work: Work, activity: Activity) -> None:
    """Store an activity, unless the stored version is newer."""
    work.save_if_newer(ACTIVITIES, activity)


def is_known(work: Work, title_id: str) -> bool:
    """Return whether a book's title is known."""
    return bool(work.count(TITLES, {"_id": title_id}))


async def find_names(db: Database, title_ids: Collection[str]) -> dict[str, str]:
    """Return the known book titles, by id."""
    if not title_ids:
        return {}
    found = db[TITLES].find({"_id": {"$in": sorted(title_ids)}}, {"name": 1})
    return {document["_id"]: document["name"] async for document in found}


async def find_activities(db: Database, ids: Collection[str]) -> dict[str, Activity]:
    """Return the known activities, by id."""
    found = db[ACTIVITIES].find({"_id": {"$in": sorted(ids)}})
    return {document["_id"]: from_document(Activity, document) async for document in found}
