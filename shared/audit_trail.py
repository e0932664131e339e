"""The audit trail of a service: who of staff, stations, operators and services did what.

An entry names people and things by their ids only. A command's entry is stored in the transaction
of its change (`shared/unit_of_work.py`); `shared/audit_seals.py` makes a later change visible.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pymongo import ASCENDING, DESCENDING, IndexModel

from shared.clock import wall_clock
from shared.contracts import Event
from shared.declared_indexes import Indexes, sharded_by
from shared.ids import first_id_at, new_id
from shared.mongo import Database, Document

C = TypeVar("C", bound=Callable[..., Any])

TRAIL = "audit_trail"
SEALS = "audit_seals"
RECORDED_ROLES = frozenset({"staff", "station", "verifier", "tracer", "admin", "ops", "service"})
"""Roles whose commands are recorded: all but that of a patron, of whom some are."""
LOOKING_ROLES = RECORDED_ROLES - {"service"}
"""Roles whose looks at patrons are recorded. Services read all the time, and show nobody."""
_RECORDED_WITHIN = timedelta(minutes=1)
"""Longest time from the beginning of an act, which its id has, to its record."""
MOST_OBJECTS = 100
"""Number of objects that an entry names."""

INDEXES: Indexes = {
    TRAIL: sharded_by(
        "_id",
        [
            IndexModel([("pending", ASCENDING)], sparse=True),
            IndexModel([("seal", ASCENDING)], sparse=True),
            IndexModel([("by", ASCENDING), ("_id", DESCENDING)]),
            IndexModel([("objects", ASCENDING), ("_id", DESCENDING)]),
        ],
    ),
    SEALS: [IndexModel([("at", ASCENDING), ("_id", ASCENDING)])],
}


@dataclass
class Act:
    """An act of somebody whose acts are recorded; `recorded` once its entry is stored."""

    by: str
    """Id of the account; of a service its name; empty if it is not known."""
    roles: Sequence[str]
    act: str
    """Method and route, such as `POST /v1/loans/{loan_id}/loss`, or words for other acts."""
    objects: Sequence[str] = ()
    """Ids of the things that the act is about, and of the patrons to whom these belong."""
    address: str = ""
    """Network from which the request came, without its last part; empty: not by HTTP."""
    correlation_id: str = ""
    id: str = field(default_factory=new_id)
    recorded: bool = False


@dataclass(frozen=True)
class Entry:
    """An entry of the trail, as it is read."""

    id: str
    at: datetime
    by: str
    roles: list[str]
    act: str
    objects: list[str]
    address: str
    correlation_id: str
    seal: int | None
    """Number of the seal that lists it; None: it waits for one."""


@dataclass(frozen=True)
class EntryQuery:
    """The entries that are asked for; an empty text means all."""

    by: str = ""
    about: str = ""
    """Id of an object."""
    since: datetime | None = None
    until: datetime | None = None
    """Instant before which they were recorded."""
    act: str = ""
    after: str | None = None
    """Id of an entry: only older ones."""
    limit: int = 50


async def record(database: Database, act: Act, more: Iterable[str] = ()) -> None:
    """Store the entry of an act that has no transaction; see `entry_for`."""
    await database[TRAIL].insert_one(entry_for(act, more))


def entry_for(act: Act, more: Iterable[str] = ()) -> Document:
    """Return the document of an act's entry, which is also about the objects in `more`.

    The caller stores it, and marks the act as recorded once that is certain.
    """
    objects = dict.fromkeys(one for one in (*act.objects, *more) if one)
    return {
        "_id": act.id,
        "at": wall_clock(),
        "by": act.by,
        "roles": sorted(act.roles),
        "act": act.act,
        "objects": list(objects)[:MOST_OBJECTS],
        "address": act.address,
        "correlation_id": act.correlation_id,
        "pending": True,
    }


def named_by(events: Sequence[Event]) -> list[str]:
    """Return the ids of what events are about: resources, and the patrons to whom they belong."""
    return [one for event in events for one in (event.subject, event.key)]


async def find_entries(database: Database, query: EntryQuery) -> list[Entry]:
    """Return the entries that match, the newest first."""
    where: dict[str, Any] = {}
    if query.by:
        where["by"] = query.by
    if query.about:
        where["objects"] = query.about
    if query.since:
        where["at"] = {"$gte": query.since}
    if query.act:
        where["act"] = query.act
    if bounds := _bounds(query):
        where["_id"] = bounds
    found = database[TRAIL].find(where).sort("_id", DESCENDING).limit(query.limit)
    return [entry_of(document) async for document in found]


def _bounds(query: EntryQuery) -> dict[str, str]:
    """Return the ids between which the entries are: ids begin with their time."""
    ends = [query.after] if query.after else []
    if query.until:
        ends.append(first_id_at(query.until))
    bounds = {"$lt": min(ends)} if ends else {}
    if query.since:
        bounds["$gte"] = first_id_at(query.since - _RECORDED_WITHIN)
    return bounds


def entry_of(document: Mapping[str, Any]) -> Entry:
    """Return the entry in a document."""
    return Entry(
        id=document["_id"],
        at=document["at"],
        by=document["by"],
        roles=document["roles"],
        act=document["act"],
        objects=document["objects"],
        address=document["address"],
        correlation_id=document["correlation_id"],
        seal=document.get("seal"),
    )


_shows_patrons: set[Callable[..., Any]] = set()
_of_credentials: set[Callable[..., Any]] = set()


def shows_patrons(route: C) -> C:
    """Declare that a route for reading shows data of patrons: each look by staff is recorded."""
    _shows_patrons.add(route)
    return route


def is_look(route: Callable[..., Any] | None) -> bool:
    """Return whether a route was declared with `shows_patrons`."""
    return route in _shows_patrons


def changes_credentials(route: C) -> C:
    """Declare that a command changes what protects an account: it is recorded for patrons too."""
    _of_credentials.add(route)
    return route


def is_of_credentials(route: Callable[..., Any] | None) -> bool:
    """Return whether a route was declared with `changes_credentials`."""
    return route in _of_credentials
