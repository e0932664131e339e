"""Apply changes to the account views and to the data shown with them.

Every write applies a change only if it is newer, as one update with a pipeline: it reads the stored
version and decides in the same atomic step. So any number of writers, in any order and with any
repetition, come to the same document. A guard in the filter could do that too, but it could not
raise `heard` when the resource itself is not newer, and a refused upsert is a duplicate-key error
that looks like two writers creating the document at once. (With `_id` alone in the filter the
server itself retries an upsert that lost such a race.)
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from bson import ObjectId
from pymongo import UpdateMany, UpdateOne

from services.gateway.views.store.memory import current_titles, known_titles, still_to_write
from services.gateway.views.store.schema import (
    ENDED_SESSIONS,
    SHOWN_TO_ALL,
    TABLES,
    WHOLE,
    Change,
    Collections,
    Erasure,
    Row,
    SessionEnd,
    ViewChange,
    lent_title,
)
from shared.mongo import Database, Document

LATE = timedelta(minutes=2)
"""Time between an event and a later build after which the owners' answers contain the event.

So an event that was recorded earlier creates nothing in views that were built: an item that they
lack has ended, even if the event of its end was read first. The span is longer than clocks may
differ and a transaction may last.
"""

MANY = 50
"""The number of changes from which on they are written in two parts at once."""


async def apply(views: Collections, changes: Sequence[Change]) -> None:
    """Apply each change unless the same or a newer version is stored. Safe to repeat.

    Loans, holds and charges are stored with their title, which may arrive at the same moment. So
    titles are looked for after the write, even if they are known, and the writer of a title
    looks for them after its write: the later one of the two sees the other's write.
    """
    await _correct_titles(views, await write(views, changes))


async def write(views: Collections, changes: Sequence[Change]) -> dict[str, Document | None]:
    """Write each change; return the titles that they show, by id; None for one in two versions.

    Another writer may have changed these meanwhile. Whoever handles the events of the changes
    corrects that.
    """
    changes, shown = await _not_too_late(views, changes)
    lent = {title_id for change in changes if (title_id := lent_title(change))}
    known = await known_titles(views, lent)
    writes: dict[tuple[str, int], list[UpdateOne]] = {}
    """Writes by collection, and those of many changes in parts of which none shares a document."""
    parts = 2 if len(changes) >= MANY else 1
    for change in changes:
        collection, id_, update = _write(change, known)
        part = crc32(id_.encode()) % parts
        writes.setdefault((collection, part), []).append(update)
    await asyncio.gather(
        *(
            views[collection].bulk_write(updates, ordered=False)
            for (collection, _), updates in writes.items()
        )
    )
    if any(isinstance(change, Row) and change.kind in SHOWN_TO_ALL for change in changes):
        # After the rows, even if they change nothing: an earlier writer may have been killed here.
        new = {"$set": {"stamp": ObjectId()}}
        await views["account_views"].update_one({"_id": WHOLE}, new)
    given = {change.id for change in changes if isinstance(change, Row) and change.kind == "title"}
    await _correct_titles(views, dict.fromkeys(given | lent - known.keys()))
    # Titles that were not known have just been looked for.
    return shown | {
        title_id: title if shown.get(title_id, title) == title else None
        for title_id, title in known.items()
    }


async def _correct_titles(views: Collections, shown: Mapping[str, Document | None]) -> None:
    """Show the stored titles where views may show these, or none."""
    current = await current_titles(views, set(shown))
    await _show_titles(
        views, [title for title_id, title in current.items() if shown[title_id] != title]
    )


async def keep_accruing(
    database: Database, patron_id: str, at: datetime, response: Mapping[str, Any]
) -> None:
    """Store circulation's response of business time `at` about accruing fines.

    A newer stored response stays, and an erased patron's view is not changed.
    """
    await database.account_views.update_one(
        {
            "_id": patron_id,
            "patron.status": {"$ne": "erased"},
            "accruing.at": {"$not": {"$gt": at}},
        },
        {"$set": {"accruing": {"at": at, **response}}},
    )


_ERASED = {"$eq": ["$patron.status", "erased"]}


async def _not_too_late(
    views: Collections, changes: Sequence[Change]
) -> tuple[Sequence[Change], dict[str, Document | None]]:
    """Return the changes to apply, and the titles shown by those that this process has written."""
    if all(change.recorded_at is None for change in changes):
        return changes, {}
    whole = await views["account_views"].find_one({"_id": WHOLE}) or {}
    changes, shown = still_to_write(views, changes, whole.get("since"))
    since, begun = whole.get("forgotten"), whole.get("begun")
    in_time = [
        c
        for c in changes
        if since is None
        or c.recorded_at is None
        or c.recorded_at >= since
        or isinstance(c, SessionEnd)
    ]
    if begun is None:
        return in_time, shown
    return [
        replace(c, creates=False)
        if not isinstance(c, Erasure | SessionEnd)
        and c.recorded_at
        and c.recorded_at < begun - LATE
        else c
        for c in in_time
    ], shown


def _write(change: Change, titles: Mapping[str, Document]) -> tuple[str, str, UpdateOne]:
    """Return the collection and the id of the document that a change is about, and its write."""
    match change:
        case Row():
            return TABLES[change.kind], change.id, _row_write(change)
        case SessionEnd():
            return ENDED_SESSIONS, change.session_id, session_end_write(change)
        case Erasure():
            return "account_views", change.patron_id, _erasure_write(change)
        case ViewChange():
            title = titles.get(lent_title(change) or "")
            return "account_views", change.patron_id, _view_write(change, title)


def _row_write(row: Row) -> UpdateOne:
    newer = _newer("$version", row.content["version"], creates=row.creates)
    replacement = _as_stored({"_id": row.id, **row.content}, ends=row.ends)
    pipeline = [{"$replaceWith": {"$cond": [newer, replacement, "$$ROOT"]}}]
    return UpdateOne({"_id": row.id}, pipeline, upsert=row.creates)


def _newer(stored: str, version: int, *, creates: bool) -> Document:
    """Return an expression: true if a version is newer than the stored one, or none is stored.

    Without `creates`, an expression that is false if none is stored.
    """
    newer: Document = {"$lt": [{"$ifNull": [stored, 0]}, version]}
    return newer if creates else {"$and": [{"$gt": [stored, 0]}, newer]}


def _view_write(change: ViewChange, title: Document | None) -> UpdateOne:
    stored, heard = f"${change.path}", f"heard.{change.source}"
    content = dict(change.content)
    title_id = lent_title(change)
    if "title_id" in content:
        content |= _shown(title)
    version = _newer(f"{stored}.version", content["version"], creates=change.creates)
    newer = {"$and": [{"$not": [_ERASED]}, version]}
    # A replica that was killed after its write may have shown an older title.
    late = _waits(stored, title_id, title) if title_id and title else False
    retitled = {"$mergeObjects": [stored, {"$literal": _shown(title)}]}
    otherwise = {"$cond": [late, retitled, stored]} if late else stored
    kept: Document = {
        change.path: {"$cond": [newer, _as_stored(content, ends=change.ends), otherwise]},
        heard: {"$max": [f"${heard}", change.at]},
        "stamp": _stamp_if({"$or": [newer, late, {"$lt": [f"${heard}", change.at]}]}),
    }
    if change.ends:
        kept["oldest_end"] = {"$cond": [newer, _OLDEST_END, "$oldest_end"]}
    if change.path.startswith(tuple(f"{kind}." for kind in _WITH_TITLES)):
        titles = _titles_with(title_id, instead_of=f"{stored}.title_id")
        kept["title_ids"] = {"$cond": [newer, titles, "$title_ids"]}
    pipeline: list[Document] = [{"$set": kept}]
    left = {"_id": "$_id", "patron": "$patron", "oldest_end": "$oldest_end"}
    pipeline.append({"$replaceWith": {"$cond": [_ERASED, left, "$$ROOT"]}})
    return UpdateOne({"_id": change.patron_id}, pipeline, upsert=change.creates)


def _shown(title: Document | None) -> Document:
    """Return the fields with which an item shows its title."""
    return {
        "title": title["title"] if title else None,
        "title_version": title["version"] if title else 0,
    }


def _waits(item: str, title_id: str, title: Document) -> Document:
    """Return an expression: true if an item has this title and shows none or an older version."""
    return {
        "$and": [
            {"$eq": [f"{item}.title_id", title_id]},
            {"$lt": [f"{item}.title_version", title["version"]]},
        ]
    }


_OLDEST_END = {"$min": ["$oldest_end", "$$NOW"]}


def _as_stored(content: Document, *, ends: bool) -> Document:
    """Return an expression of the content; for an ended item with the time of this write."""
    literal = {"$literal": content}
    return {"$mergeObjects": [literal, {"ended": "$$NOW"}]} if ends else literal


def _stamp_if(changed: Document) -> Document:
    """Return an expression of a new stamp if `changed`, so that other writes change nothing."""
    return {"$cond": [changed, ObjectId(), "$stamp"]}


def _erasure_write(change: Erasure) -> UpdateOne:
    tombstone = {"$literal": {"version": change.version, "status": "erased"}}
    left = {"_id": "$_id", "patron": tombstone, "oldest_end": _OLDEST_END}
    pipeline = [{"$replaceWith": left}]
    return UpdateOne({"_id": change.patron_id}, pipeline, upsert=True)


def _titles_with(title_id: str | None, *, instead_of: str) -> Document:
    """Return an expression of the titles of open loans, holds and charges, one for each of these.

    One of them has this title now (None: it has ended, or has none) and had the title of the field
    `instead_of`. Built from the titles before, so that it costs little with thousands of loans.
    """
    known = {"$ifNull": ["$title_ids", []]}
    others = {
        "$concatArrays": [
            {"$slice": ["$$known", "$$at"]},
            {"$slice": ["$$known", {"$add": ["$$at", 1]}, {"$size": "$$known"}]},
        ]
    }
    has_it = {"$gte": ["$$at", 0]}
    without = {
        "$let": {
            "vars": {"known": known, "at": {"$indexOfArray": [known, instead_of]}},
            "in": {"$cond": [has_it, others, "$$known"]},
        }
    }
    literal = {"$literal": title_id}
    changed = {"$concatArrays": [without, [literal]]} if title_id else without
    same = {"$eq": [{"$ifNull": [instead_of, None]}, literal]}
    return {"$cond": [same, known, changed]}


_WITH_TITLES = ("loans", "holds", "charges")


async def _show_titles(views: Collections, titles: Sequence[Document]) -> None:
    """Write these titles into views that show an older version or none yet."""
    updates = []
    for title in titles:
        waits = _waits("$$this.v", title["_id"], title)
        shown = {"$literal": _shown(title)}
        corrected = {"k": "$$this.k", "v": {"$mergeObjects": ["$$this.v", shown]}}
        put: Document = {}
        changed = []
        for kind in _WITH_TITLES:
            elements = {"$objectToArray": {"$ifNull": [f"${kind}", {}]}}
            changed.append({"$anyElementTrue": [{"$map": {"input": elements, "in": waits}}]})
            all_ = {
                "$map": {
                    "input": {"$objectToArray": f"${kind}"},
                    "in": {"$cond": [waits, corrected, "$$this"]},
                }
            }
            there = {"$eq": [{"$type": f"${kind}"}, "object"]}
            put[kind] = {"$cond": [there, {"$arrayToObject": all_}, "$$REMOVE"]}
        pipeline = [{"$set": {**put, "stamp": _stamp_if({"$or": changed})}}]
        updates.append(UpdateMany({"title_ids": title["_id"]}, pipeline))
    if updates:
        await views["account_views"].bulk_write(updates, ordered=False)


def session_end_write(change: SessionEnd) -> UpdateOne:
    """Return the write of an ended session. Safe to repeat."""
    stored = {"account_id": change.account_id, "expires_at": change.expires_at}
    return UpdateOne({"_id": change.session_id}, {"$setOnInsert": stored}, upsert=True)
