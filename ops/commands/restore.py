"""`carrel restore`: find changes that restored databases lack, and continue after a restore.

After a restore the topics are ahead: they hold events of changes that the databases no longer have.
Decision 070 describes the solution; docs/operations.md has the whole procedure. The services are
stopped meanwhile, so it writes to their databases.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer
from pymongo import UpdateOne

from ops.audit.events import Lost, find_lost, opened
from ops.broker.offsets import subscribed_topics
from ops.broker.replay import commit, has_no_member, replay
from ops.console import AsJson, explain_outages, print_json, print_table, refuse, show_status
from ops.target import Data, settings_of, settings_to_write
from services.gateway.views.store.builds import note_restored
from services.settings import Settings
from shared.contracts import published
from shared.mongo import Client

SHOWN = 20
KEPT_IN = {
    "patron": "patrons",
    "preferences": "preferences",
    "alert": "kept_addresses",
    "pin": "pin_resets",
    "session": "sessions",
    "title": "titles",
    "loan": "loans",
    "hold": "holds",
    "fine": "charges",
    "fines": "suspensions",
    "activity": "activities",
    "recording": "activities",
    "registration": "registrations",
    "branch": "branches",
    "notice": "notices",
    "notification": "notifications",
    "enquiry": "enquiries",
    "admission": "study_applications",
    "booking": "study_bookings",
    "branch.occupancy": "occupancy",
    "patron.invited": "invitations",
    "patron.linked": "links",
    "patron.unlinked": "links",
    "admission.drawn": "study_seasons",
    "admission.promoted": "study_seats",
    "admission.checked-in": "study_seats",
    "admission.lapsed": "study_seats",
}
"""The publisher's collection with the resource of a topic, by the topic or its first word."""

app = typer.Typer(no_args_is_help=True)


@app.callback()
def restore() -> None:
    """Find lost changes after a restore of the databases, and continue from it."""


@app.command()
def check(as_json: AsJson = False, data: Data = None) -> None:
    """List the changes on topics that the databases lack; exit 1 if there are any.

    Reads every event that the outboxes should still have. It changes nothing.
    """
    settings = settings_of(data)
    with explain_outages(settings), show_status("Comparing the topics with the outboxes"):
        lost = asyncio.run(find_lost(settings))
    _print_lost(lost, as_json)
    raise typer.Exit(1 if lost else 0)


@app.command()
def finish(as_json: AsJson = False, data: Data = None) -> None:
    """Continue with the restored databases. All services must be stopped.

    Raises the versions of existing resources to those on topics, records the
    lost changes, sets the services' positions to the ends of the topics, and
    publishes the outboxes' events again. Safe to run again. Then start the
    services, and run: carrel rebuild gateway
    """
    settings = settings_to_write(data)
    with explain_outages(settings):
        lost = asyncio.run(finish_restore(settings))
    _print_lost(lost, as_json)
    if not as_json:
        typer.echo("Start the services, then run: carrel rebuild gateway")


def _print_lost(lost: Sequence[Lost], as_json: bool) -> None:
    if as_json:
        print_json({"lost": [asdict(event) for event in lost]})
        return
    if not lost:
        typer.echo("The databases have every change whose event is on a topic.")
        return
    rows = [(e.topic, e.subject, e.version, e.recorded_at.isoformat()[:19]) for e in lost[:SHOWN]]
    print_table(("topic", "resource", "version", "recorded at"), rows)
    if len(lost) > SHOWN:
        typer.echo(f"… and {len(lost) - SHOWN} more; --json lists all.")
    print_table(("topic", "events"), sorted(Counter(event.topic for event in lost).items()))
    typer.echo(f"{len(lost)} changes were lost with the databases.")


async def finish_restore(settings: Settings) -> list[Lost]:
    """Do the work of `carrel restore finish`; return the lost events."""
    async with opened(settings) as (_, positions):
        for service in subscribed_topics():
            if not await has_no_member(positions, service):
                refuse(f"{service} still consumes. Stop all services first. Nothing was changed.")
    lost = await find_lost(settings)
    async with opened(settings) as (client, positions):
        await _raise_versions(settings, client, lost)
        await _record(settings, client, lost)
        ends = await positions.ends()
        for service, topics in subscribed_topics().items():
            await commit(
                settings, service, {p: end for p, end in ends.items() if p.topic in topics}
            )
        await note_restored(
            client[f"{settings.database_prefix}_gateway"],
            {f"{partition.topic}/{partition.partition}": end for partition, end in ends.items()},
        )
    for service in dict.fromkeys(contract.publisher for contract in published().values()):
        await replay(settings, service)
    return lost


def collection_of(topic: str) -> str:
    """Return the publisher's collection with the resource of a topic."""
    return KEPT_IN.get(topic) or KEPT_IN[topic.partition(".")[0]]


async def _raise_versions(settings: Settings, client: Client, lost: Sequence[Lost]) -> None:
    """Raise the versions of existing resources to those on topics: none is used twice."""
    highest: dict[tuple[str, str, str], int] = defaultdict(int)
    for event in lost:
        collection = collection_of(event.topic)
        place = (event.publisher, collection, event.subject)
        highest[place] = max(highest[place], event.version)
    writes: dict[tuple[str, str], list[UpdateOne]] = defaultdict(list)
    for (service, collection, subject), version in highest.items():
        older = {"_id": subject, "version": {"$lt": version}}
        writes[service, collection].append(UpdateOne(older, {"$set": {"version": version}}))
    for (service, collection), updates in writes.items():
        database = client[f"{settings.database_prefix}_{service}"]
        await database[collection].bulk_write(updates, ordered=False)


async def _record(settings: Settings, client: Client, lost: Sequence[Lost]) -> None:
    rows: dict[str, list[UpdateOne]] = defaultdict(list)
    for event in lost:
        row: dict[str, Any] = asdict(event)
        known = {"_id": row.pop("event_id")}
        rows[event.publisher].append(UpdateOne(known, {"$setOnInsert": row}, upsert=True))
    for service, updates in rows.items():
        database = client[f"{settings.database_prefix}_{service}"]
        await database.lost_events.bulk_write(updates, ordered=False)
