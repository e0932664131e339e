"""The comparison of account views with the owners' data, resource by resource.

The owners' data are snapshots of their API. The views are read from the gateway's database, because
the API shows only one patron's account at a time.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.console import UpdateStatus
from services.gateway.views.open_items import (
    open_admissions,
    open_bookings,
    open_charges,
    open_enquiries,
    open_holds,
    open_links,
    open_loans,
    open_registrations,
    open_seats,
)
from services.gateway.views.rebuild import PARTS, is_of_a_patron, told_by
from services.gateway.views.store.schema import (
    TABLES,
    WHOLE,
    AccountChange,
    Erasure,
    Row,
    ViewChange,
)
from shared.contracts.accounts import PatronSnapshot
from shared.mongo import Database, Document
from shared.owners import Owners

ON_ITS_WAY_SECONDS = 3.0
"""Seconds for which a difference must last: an event may be on its way."""
BY_ITSELF = {"preferences": {"language"}}
"""Fields with a default that is in force until a patron chooses: they change without a version."""

Place = tuple[str, str]
"""A collection and the id of a document in it."""


@dataclass
class Compared:
    """The number of things compared, and the differences in words, without personal data."""

    accounts: int = 0
    resources: int = 0
    differences: list[str] = field(default_factory=list)


async def compare(
    database: Database,
    owners: Owners,
    *,
    sample: int | None = None,
    update: UpdateStatus = lambda _: None,
) -> Compared:
    """Compare the views with the owners' present data. Raises OwnerAway.

    With a `sample`, compares only the resources of that number of patrons, picked at random. It
    holds the id of each shown resource in memory: about 200 MB for a million loans.
    """
    result = Compared()
    chosen = None if sample is None else await _picked(database, owners, sample)
    shown: set[tuple[str, str]] = set()
    which = {"$ne": WHOLE} if chosen is None else {"$in": chosen}
    # First, so that resources that end meanwhile are seen to have ended below.
    async for view in database.account_views.find({"_id": which}):
        result.accounts += 1
        shown |= {(view["_id"], path) for path in _shown_in(view)}
    doubtful: list[AccountChange] = []
    async for where, count, changes in _owned(owners, chosen):
        result.resources += count
        update(f"Comparing the views: {where}, {result.resources} resources so far")
        shown -= {(c.patron_id, c.path) for c in changes if isinstance(c, ViewChange)}
        doubtful += [change for change, _ in await _differing(database, changes)]
    if doubtful or shown:
        await asyncio.sleep(ON_ITS_WAY_SECONDS)
    result.differences += [words for _, words in await _differing(database, doubtful)]
    for patron, path in sorted(shown):
        if path in _shown_in(await database.account_views.find_one({"_id": patron}) or {}):
            words = f"{path} of patron {patron} is shown, but its owner does not have it"
            result.differences.append(words)
    return result


async def _picked(database: Database, owners: Owners, sample: int) -> list[str]:
    """Return patrons picked at random, from those that have a view and those in accounts."""
    some = [{"$sample": {"size": sample + 1}}, {"$project": {"_id": 1}}]
    found = {view["_id"] async for view in database.account_views.aggregate(some)} - {WHOLE}
    async for _, changes in told_by(
        owners, "accounts", "patrons", PatronSnapshot, sample=str(sample)
    ):
        found |= {change.patron_id for change in changes if not isinstance(change, Row)}
    return random.sample(sorted(found), min(sample, len(found)))


async def _owned(
    owners: Owners, chosen: Sequence[str] | None
) -> AsyncIterator[tuple[str, int, list[AccountChange]]]:
    """Yield the owners' data: of everyone, or of these patrons."""
    if chosen is None:
        for service, kind, contract in PARTS:
            async for count, changes in told_by(owners, service, kind, contract):
                yield kind, count, changes
        return
    for number, patron in enumerate(chosen, 1):
        for service, kind, contract in PARTS:
            if is_of_a_patron(contract):
                async for count, changes in told_by(owners, service, kind, contract, patron=patron):
                    yield f"{number} of {len(chosen)} patrons", count, changes


def _shown_in(view: Mapping[str, Any]) -> set[str]:
    """Return the paths of all resources that a patron is shown as open, owed or unread."""
    notifications = view.get("notifications", {})
    return {
        *(f"loans.{key}" for key in open_loans(view)),
        *(f"holds.{key}" for key in open_holds(view)),
        *(f"registrations.{key}" for key in open_registrations(view)),
        *(f"charges.{key}" for key in open_charges(view)),
        *(f"admissions.{key}" for key in open_admissions(view)),
        *(f"seats.{key}" for key in open_seats(view)),
        *(f"bookings.{key}" for key in open_bookings(view)),
        *(f"enquiries.{key}" for key in open_enquiries(view)),
        *(f"family.{key}" for key in open_links(view)),
        *(f"notifications.{key}" for key, one in notifications.items() if not one["read"]),
    }


async def _differing(
    database: Database, changes: Sequence[AccountChange]
) -> list[tuple[AccountChange, str]]:
    """Return changes that the views don't show, with the difference. A newer view is right."""
    stored = await _documents(database, {_place(change) for change in changes})
    faults = ((change, _fault(change, stored.get(_place(change), {}))) for change in changes)
    return [(change, words) for change, words in faults if words]


def _place(change: AccountChange) -> Place:
    if isinstance(change, Row):
        return TABLES[change.kind], change.id
    return "account_views", change.patron_id


async def _documents(database: Database, places: Iterable[Place]) -> dict[Place, Document]:
    ids: dict[str, list[str]] = defaultdict(list)
    for collection, document_id in places:
        ids[collection].append(document_id)
    return {
        (collection, document["_id"]): document
        for collection, wanted in ids.items()
        async for document in database[collection].find({"_id": {"$in": wanted}})
    }


def _fault(change: AccountChange, document: Document) -> str:
    """Describe the difference between a stored document and a change; empty if there is none."""
    if isinstance(change, Erasure):
        shown = document and document.get("patron", {}).get("status") != "erased"
        return f"patron {change.patron_id} was erased, but is shown" if shown else ""
    if isinstance(change, Row):
        what, stored, by_itself = f"{change.kind} {change.id}", document, set()
    else:
        if document.get("patron", {}).get("status") == "erased":
            return ""  # the owner of this part has not processed the erasure yet
        what = f"{change.path} of patron {change.patron_id}"
        stored, by_itself = _at(document, change.path), BY_ITSELF.get(change.path, set())
    version = stored.get("version", 0)
    if version != change.content["version"]:
        behind = version < change.content["version"]
        return f"{what} is at version {version}, not {change.content['version']}" if behind else ""
    names = {n for n, v in change.content.items() if stored.get(n) != v and n not in by_itself}
    return f"{what} differs in {', '.join(sorted(names))}" if names else ""


def _at(document: Document, path: str) -> Document:
    for name in path.split("."):
        document = document.get(name, {})
    return document
