"""Titles and their copies."""

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.rules.barcode import Series
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.hold import Target
from services.circulation.rules.title import AGENCY, WORK_PREFIX, Title, search_terms, volume_key
from shared import folded_terms, reading
from shared.clock import wall_clock
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, from_document, leave_out_defaults, plain, strings
from shared.reads import Read, Reads
from shared.repository import Repository
from shared.unit_of_work import Work

leave_out_defaults(Copy, ("past", "shelved_for", "sent_on"))

MOST_EDITIONS = 100
"""Most editions of a work that are listed with a title."""
FREE = {
    "state": {"$in": [CopyState.AVAILABLE.value, CopyState.IN_TRANSIT.value]},
    "hold_id": None,
}
_CHANGES = 5000
"""Changes that are read at once."""
TO_FETCH = {"state": CopyState.TO_FETCH.value}
OF_WORK = {"work_id": {"$type": "string"}}
IN_TRANSIT = {"state": CopyState.IN_TRANSIT.value}
LISTED = {"state": {"$in": ["to-fetch", "in-transit", "lost"]}}
ON_SHELF_OF_ENDED = {"shelved_for": {"$gt": ""}}

AT_DESK = "at_desk"  # this and the next are names of indexes, for hints
ARRIVING = "arriving"
SHELVED = "shelved"


def _ascending(*fields: str) -> list[tuple[str, int]]:
    return [(field, ASCENDING) for field in fields]


def _partial(name: str, where: Mapping[str, Any], *fields: str) -> IndexModel:
    return IndexModel(_ascending(*fields), name=name, partialFilterExpression=where)


INDEXES: Indexes = {
    **folded_terms.INDEXES,
    "titles": [
        IndexModel([("terms", ASCENDING)]),
        # The editions of a work.
        _partial("of_work", OF_WORK, "work_id"),
        IndexModel(
            [("control_number", ASCENDING)],
            unique=True,
            partialFilterExpression={"control_number": {"$type": "string"}},
        ),
        IndexModel(_ascending("changed_at", "_id")),
        # The titles of a library, those withdrawn there too, for harvesters.
        IndexModel(_ascending("held_by", "changed_at", "_id")),
    ],
    "marc_records": [],  # the MARC records that titles were imported from, by title id
    "copies": sharded_by(
        "barcode",
        [
            IndexModel([("barcode", ASCENDING)], unique=True),
            IndexModel(_ascending("title_id", "category")),
            # A title's free copies, at a branch or at any.
            IndexModel(_ascending("title_id", "state", "at_branch", "barcode")),
            # The free copies of all editions of a work.
            _partial("free_of_work", OF_WORK, "work_id", "state", "at_branch", "barcode"),
            # Copies that staff have to fetch at a branch.
            _partial("to_fetch", TO_FETCH, "at_branch", "_id"),
            # The lists of a desk: copies to fetch, to send, on their way or lost, of a branch.
            _partial(AT_DESK, LISTED, "at_branch", "state", "sent_on", "_id"),
            _partial(ARRIVING, IN_TRANSIT, "bound_for", "state", "_id"),
            # Copies on the hold shelf of a branch whose hold is over.
            _partial(SHELVED, ON_SHELF_OF_ENDED, "at_branch", "shelved_for", "_id"),
            IndexModel(_ascending("changed_at", "title_id", "_id")),
        ],
    ),
}

_TITLES = Repository(Title, "titles")
get = _TITLES.get
find_page = _TITLES.find_page
find_title = _TITLES.find
find_titles = _TITLES.find_some

_COPIES = Repository(Copy, "copies")
some_copies = _COPIES.some


def add(work: Work, titles: Iterable[Title], copies: Iterable[Copy]) -> None:
    """Insert new titles; `copies` are all of theirs, which are inserted by `add_copies`."""
    work.add("titles", *_documents(titles, copies))


def add_copies(work: Work, copies: Iterable[Copy]) -> None:
    """Insert new copies. If a barcode is taken, the transaction is retried."""
    work.add("copies", *map(_stamped, copies))


def save(work: Work, titles: Iterable[Title], copies: Iterable[Copy]) -> None:
    """Save titles after a change of their fields or of their copies; `copies` are all of theirs."""
    work.save("titles", *_documents(titles, copies))


def note_change(work: Work, title_ids: Collection[str]) -> None:
    """Note that these titles are to be harvested again, since a copy is withdrawn or back."""
    for title_id in sorted(title_ids):
        work.update("titles", {"_id": title_id}, {"$set": {"changed_at": wall_clock()}})


def _documents(titles: Iterable[Title], copies: Iterable[Copy]) -> Iterator[dict[str, Any]]:
    """Yield the documents of titles, each without the fields of its record that are empty."""
    held_by: dict[str, set[str]] = {}
    for copy in copies:
        held_by.setdefault(copy.title_id, set()).add(copy.branch_code)
    for title in titles:
        document = plain(title)
        record = {name: value for name, value in document.pop("record").items() if value}
        if record:
            document["record"] = record
        yield {
            **document,
            "terms": search_terms(title),
            "held_by": sorted(held_by.get(title.id, ())),
            "changed_at": wall_clock(),
        }


def add_marc(work: Work, records: Mapping[str, bytes]) -> None:
    """Keep the MARC records of new titles, by title id."""
    kept = ({"id": title_id, "marc": marc} for title_id, marc in records.items())
    work.add("marc_records", *kept)


def save_marc(work: Work, title_id: str, marc: bytes) -> None:
    """Keep the MARC record of a title whose new version is saved with it."""
    work.update("marc_records", {"_id": title_id}, {"$set": {"marc": marc}}, upsert=True)


def marc_of(work: Work, title_ids: Collection[str]) -> dict[str, bytes]:
    """Return the kept MARC records of some titles, keyed by title id."""
    query = {"_id": {"$in": sorted(title_ids)}}
    return {one["id"]: one["marc"] for one in work.all(dict[str, Any], "marc_records", query)}


async def find_marc(db: Database, title_ids: Collection[str]) -> dict[str, bytes]:
    """Return the kept MARC records of some titles, keyed by title id."""
    found = db.marc_records.find({"_id": {"$in": sorted(title_ids)}})
    return {one["_id"]: one["marc"] async for one in found}


def imported_as(work: Work, control_numbers: Collection[str]) -> dict[str, Title]:
    """Return the titles known under these control numbers, keyed by control number.

    A title that was catalogued here is known under the number that an export gives it.
    """
    query = {"control_number": strings(*control_numbers)}
    found = {str(title.control_number): title for title in work.all(Title, "titles", query)}
    own = f"{AGENCY}/"
    ids = sorted(one.removeprefix(own) for one in control_numbers if one.startswith(own))
    if ids:
        here = work.all(Title, "titles", {"_id": {"$in": ids}, "control_number": None})
        found |= {own + title.id: title for title in here}
    return found


def copies_of(work: Work, title_ids: Collection[str]) -> list[Copy]:
    """Return all copies of some titles, in the order of cataloguing."""
    query = {"title_id": {"$in": sorted(title_ids)}}
    return work.all(Copy, "copies", query, sort=[("_id", 1)])


def copies_with(work: Work, barcodes: Sequence[str]) -> dict[str, Copy]:
    """Return the copies with these barcodes, keyed by barcode."""
    found = work.all(Copy, "copies", {"barcode": {"$in": list(barcodes)}})
    return {copy.barcode: copy for copy in found}


def newest_barcode(work: Work) -> str | None:
    """Return the barcode of the copy that was catalogued last; None: there is none."""
    found = work.all(Copy, "copies", {}, sort=[("_id", -1)], limit=1)
    return found[0].barcode if found else None


def greatest_barcode(work: Work, series: Series) -> str | None:
    """Return the greatest barcode of a series that a copy has; None: none has one."""
    least, most = series.bounds
    numbered = f"^{re.escape(series.prefix)}[0-9]{{{series.digits}}}$"
    query = {"barcode": {"$gte": least, "$lte": most, "$regex": numbered}}
    found = work.all(Copy, "copies", query, sort=[("barcode", -1)], limit=1)
    return found[0].barcode if found else None


def save_copies(work: Work, copies: Iterable[Copy]) -> None:
    """Save copies after a change."""
    work.save("copies", *map(_stamped, copies))


def _stamped(copy: Copy) -> dict[str, Any]:
    return {**plain(copy), "changed_at": wall_clock()}


def first_edition(work: Work, work_id: str) -> Title | None:
    """Return the edition of a work that was catalogued first, or None."""
    found = work.all(Title, "titles", {"work_id": strings(work_id)}, sort=[("_id", 1)], limit=1)
    return found[0] if found else None


def has_copy(work: Work, target: Target) -> bool:
    """Return whether a copy suits a target."""
    return work.find(Copy, "copies", _suiting(target)) is not None


def is_available(work: Work, target: Target) -> bool:
    """Return whether a copy that suits a target is available, and kept for nobody."""
    return work.find(Copy, "copies", {**_suiting(target), **FREE}) is not None


def owners_of(work: Work, target: Target) -> tuple[str, ...]:
    """Return the codes of the branches that own a copy that suits a target, in order."""
    return tuple(sorted(work.distinct("copies", "branch_code", _suiting(target))))


def volumes_of(work: Work, target: Target) -> list[str]:
    """Return the volumes of which a title or, for any edition, a work has copies, in order."""
    found = {*work.distinct("copies", "volume", _of_title(target))} - {None}
    return sorted(found, key=volume_key)


def categories_of(work: Work, target: Target) -> set[str]:
    """Return the categories of the copies of a title or, for any edition, of a work."""
    return set(work.distinct("copies", "category", _of_title(target)))


def free_volumes(work: Work, queue_id: str) -> set[str | None]:
    """Return the volumes of the free copies of a title or a work; None always is among them."""
    of_work = queue_id.startswith(WORK_PREFIX)
    query = {"work_id": strings(queue_id)} if of_work else {"title_id": queue_id}
    return {None, *work.distinct("copies", "volume", {**query, **FREE})}


def _of_title(target: Target) -> dict[str, Any]:
    if target.any_edition:
        return {"work_id": strings(target.work_id or "")}
    return {"title_id": target.title_id}


def _suiting(target: Target) -> dict[str, Any]:
    single = {"barcode": target.barcode} if target.barcode else {}
    return {**_of_title(target), "volume": target.volume, **single}


def first_free(
    work: Work,
    target: Target,
    categories: Collection[str],
    branch_code: str,
    *,
    in_hand: Collection[str],
    given: Collection[str],
) -> list[Copy]:
    """Return the free copies of these categories from which a hold gets the nearest.

    They suit its target. A free copy is neither on loan nor assigned to a hold, nor in `given`.
    These are the copies `in_hand`, and the first one in each place: at the branch, in transit to
    it, elsewhere. However many are free, few are read.
    """
    query = {
        **_suiting(target),
        "hold_id": None,
        "category": {"$in": sorted(categories)},
        "_id": {"$nin": sorted(given)},
    }

    def first(place: Mapping[str, Any]) -> Read:
        order = {"at_branch": ASCENDING, "barcode": ASCENDING}
        return Read("copies", {**query, **place}, sort=order, limit=1)

    available = {"state": CopyState.AVAILABLE.value}
    in_transit = {"state": CopyState.IN_TRANSIT.value}
    scanned = {"$in": sorted({*in_hand} - {*given})}
    found = work.read(
        Reads(
            "queues",
            {"_id": target.queue_id},
            in_hand=Read("copies", {**query, **FREE, "_id": scanned}),
            here=first({**available, "at_branch": branch_code}),
            on_the_way=first({**in_transit, "bound_for": branch_code}),
            elsewhere=first(available),
            travelling=first(in_transit),
        )
    )
    if found is None:
        raise LookupError(f"the queue {target.queue_id} has not been written")
    copies = [found[name] for name in ("in_hand", "here", "on_the_way", "elsewhere", "travelling")]
    return [from_document(Copy, copy) for place in copies for copy in place]


async def find_lent(db: Database, targets: Collection[Target]) -> dict[Target, list[Copy]]:
    """Return copies that suit each target and are with patrons or kept for them.

    There are at most 200 copies for each target, on average.
    """
    states = (CopyState.ON_LOAN, CopyState.TO_FETCH, CopyState.ON_SHELF, CopyState.IN_TRANSIT)
    query = {
        "$or": [_suiting(target) for target in targets],
        "state": {"$in": [state.value for state in states]},
    }
    most = 200 * len(targets)
    found = await reading.every(db, Copy, "copies", query, limit=most) if targets else []
    return {target: [copy for copy in found if target.suits(copy)] for target in targets}


async def with_free_copies(db: Database, queue_ids: Collection[str]) -> list[str]:
    """Return the ids of those queues, of titles or works, for which a copy is free."""
    works = {one for one in queue_ids if one.startswith(WORK_PREFIX)}
    found: list[str] = []
    for name, ids in (("title_id", {*queue_ids} - works), ("work_id", works)):
        if ids:
            found += await db.copies.distinct(name, {name: strings(*ids), **FREE})
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a title or of one of its copies."""

    title_id: str
    written: str
    """Id of the title or copy."""
    at: datetime
    """Time of the write by the clock of its process. One that began earlier may commit later."""


async def find_changes(db: Database, since: datetime) -> AsyncIterator[Change]:
    """Yield the last change of each title and each copy that was changed since then."""
    changed = {"changed_at": {"$gte": since}}
    for collection, title_id in (("titles", "_id"), ("copies", "title_id")):
        cursor = db[collection].find(changed, {"changed_at": 1, title_id: 1})
        cursor = cursor.sort("changed_at", ASCENDING)
        while some := await cursor.to_list(_CHANGES):
            for document in some:
                yield Change(document[title_id], document["_id"], document["changed_at"])


async def find_names(db: Database, title_ids: Collection[str]) -> dict[str, str]:
    """Return the names of some titles, keyed by title id."""
    found = db.titles.find({"_id": {"$in": sorted(title_ids)}}, {"title": 1})
    return {title["_id"]: title["title"] async for title in found}


async def find_copies(db: Database, title_ids: Sequence[str]) -> dict[str, list[Copy]]:
    """Return the copies of each of these titles, in the order of their barcodes."""
    found = await reading.every(db, Copy, "copies", {"title_id": {"$in": list(title_ids)}})
    by_title: dict[str, list[Copy]] = {title_id: [] for title_id in title_ids}
    for copy in sorted(found, key=lambda copy: copy.barcode):
        by_title[copy.title_id].append(copy)
    return by_title


async def find_copy(db: Database, barcode: str) -> Copy | None:
    """Return the copy with a barcode, or None."""
    return await reading.first(db, Copy, "copies", {"barcode": barcode})


async def find_to_fetch(db: Database, branch: str, limit: int, after: str | None) -> list[Copy]:
    """Return up to `limit` + 1 of the copies that staff have to fetch at a branch."""
    query = {"at_branch": branch, **TO_FETCH}
    return await reading.page(db, Copy, "copies", query, limit=limit, after=after)


async def find_editions(db: Database, title: Title) -> list[Title]:
    """Return the other editions of a title's work, in the order of cataloguing."""
    if title.work_id is None:
        return []
    query = {"work_id": strings(title.work_id), "_id": {"$ne": title.id}}
    return await reading.page(db, Title, "titles", query, limit=MOST_EDITIONS, after=None)


async def find(db: Database, title_id: str) -> tuple[Title, list[Copy]] | None:
    """Return a title with its copies, or None."""
    document, copies = await asyncio.gather(
        db.titles.find_one({"_id": title_id}),
        reading.every(db, Copy, "copies", {"title_id": title_id}),
    )
    if document is None:
        return None
    return from_document(Title, document), sorted(copies, key=lambda copy: copy.barcode)
