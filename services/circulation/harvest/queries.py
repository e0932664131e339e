"""Reads of the titles that a harvester asks for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.circulation.catalogue import store as catalogue_store
from services.circulation.harvest import store
from services.circulation.harvest.rules import Fault, Listing, Place, changed_within
from services.circulation.rules.copy import Copy
from services.circulation.rules.title import Title
from shared.mongo import Database

AT_ONCE = 100
"""Records of one response."""


@dataclass(frozen=True)
class Harvested:
    """A title to be harvested."""

    title: Title
    changed_at: datetime
    copies: Sequence[Copy]
    kept: bytes | None
    """The MARC record that it was imported from."""


@dataclass(frozen=True)
class Part:
    """A part of a list, and the rest of it; None: it ends here."""

    records: Sequence[Harvested]
    rest: Listing | None


async def find_part(db: Database, wanted: Listing, *, whole: bool) -> Part:
    """Return the next part of a list, with the MARC records if it is of whole records.

    Raises Fault if the list is empty.
    """
    since, before = changed_within(wanted)
    found = await store.find_changed(
        db,
        branch=wanted.library,
        since=since,
        before=before,
        after=wanted.after,
        limit=AT_ONCE + 1,
    )
    if not found and wanted.after is None:
        raise Fault("noRecordsMatch", "No title has been changed in this time and library.")
    part = found[:AT_ONCE]
    rest = None
    if len(found) > AT_ONCE:
        title, changed_at = part[-1]
        after = Place(changed_at, title.id)
        rest = replace(wanted, after=after, count=wanted.count + AT_ONCE)
    return Part(await _harvested(db, part, whole=whole), rest)


async def find_record(db: Database, title_id: str) -> Harvested | None:
    """Return one title, or None."""
    found = await store.find_change(db, title_id)
    return (await _harvested(db, [found], whole=True))[0] if found else None


async def _harvested(
    db: Database, titles: Sequence[tuple[Title, datetime]], *, whole: bool
) -> list[Harvested]:
    ids = [title.id for title, _ in titles]
    copies = await catalogue_store.find_copies(db, ids)
    kept = await catalogue_store.find_marc(db, ids) if whole else {}
    return [
        Harvested(title, changed_at, copies[title.id], kept.get(title.id))
        for title, changed_at in titles
    ]
