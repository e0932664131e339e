"""`carrel restore`: find changes that restored databases lack, and continue after a restore.

After a restore the topics are ahead: they hold events of changes that the databases no longer have.
Decision 070 describes the solution; docs/runbook.md has the whole procedure. The services are
stopped meanwhile, so it writes to their databases.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from aiokafka.errors import CommitFailedError
from pymongo import UpdateOne

from ops.audit.events import Lost, find_lost, recorded_as_lost
from ops.backups import archive
from ops.backups.archive import BackupError
from ops.backups.loading import finish_load, load
from ops.backups.snapshot import blocking_databases
from ops.broker.offsets import opened, subscribed_topics
from ops.broker.replay import commit, has_no_member, replay
from ops.console import (
    AsJson,
    errors,
    explain_outages,
    print_json,
    print_table,
    refuse,
    show_status,
)
from ops.direct import end_all_sessions, erase_again, record_act, unit_of_work_at
from ops.target import Data, settings_of, settings_to_write
from services.accounts.settings import Settings as AccountsSettings
from services.gateway.views.store.builds import note_restored
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.clock import wall_clock
from shared.contracts import published
from shared.contracts.accounts import PatronErased
from shared.failpoint import failpoint
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
    "receipt": "loans",  # of which it lists some; it is kept nowhere itself
    "hold": "holds",
    "payment": "payments",
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
    """Continue with restored databases. All services must be stopped.

    For databases that were restored by other means than carrel restore from.
    Raises the versions of existing resources to those on topics, records the
    lost changes, sets the services' positions to the ends of the topics, and
    publishes the outboxes' events again. Ends all sessions, and erases again
    patrons who were erased meanwhile. Safe to run again. Then start the
    services, and run: carrel rebuild gateway
    """
    settings = settings_to_write(data, AccountsSettings)
    with explain_outages(settings):
        lost = asyncio.run(finish_restore(settings))
        asyncio.run(_protect(settings))
    _print_lost(lost, as_json)
    if not as_json:
        typer.echo("Start the services, then run: carrel rebuild gateway")


@app.command(name="from")
def from_backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a backup.")],
    identity: Annotated[
        Path, typer.Option("--identity", metavar="FILE", help="File of the private key.")
    ],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Restore a backup of carrel backup take into empty databases, and continue from it.

    All services must be stopped. Checks each file before it writes, does the work
    of finish, and lists by patron what was lost. It may be interrupted and run
    again; until it has ended no service starts. Then start the services.
    """
    began = time.monotonic()
    settings = settings_to_write(data, AccountsSettings)
    try:
        key = archive.identity_in(identity)
        with explain_outages(settings), show_status("Checking the backup") as update:
            backup = archive.checked(folder, update)
            asyncio.run(_refuse_members(settings))
            if warning := asyncio.run(_gap(settings, backup.at)):
                errors.print(warning, markup=False)
            with blocking_databases(settings) as databases:
                load(databases, backup, folder, key, update)
                update("Comparing the topics with the outboxes")
                found = asyncio.run(finish_restore(settings, backup.at))
                update("Making indexes, ending sessions, erasing again")
                recorded = asyncio.run(_protect(settings))
                failpoint("restore.protected")
                finish_load(databases)
    except BackupError as error:
        refuse(str(error))
    # An earlier run may have recorded them, and been interrupted.
    ids = {one.event_id for one in found}
    lost = [one for one in recorded if one.event_id in ids or one.recorded_at >= backup.at]
    erased = [one.subject for one in lost if one.topic == PatronErased.topic]
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        print_json(
            {
                "cluster_time": backup.at,
                "documents": backup.documents,
                "seconds": seconds,
                "lost_by_patron": _by_patron(lost),
                "erased": erased,
                "warning": warning,
            }
        )
        return
    _print_lost(lost, as_json)
    rows = [(one or "the library", len(events)) for one, events in _by_patron(lost).items()]
    if rows:
        print_table(("of patron", "lost changes"), rows[:SHOWN])
    typer.echo(
        f"Restored {backup.documents:,} documents of {backup.at:%Y-%m-%d %H:%M:%S} UTC in "
        f"{seconds} s; {len(erased)} patrons stay erased, and everybody logs in again.\n"
        "--json lists each lost change. Delete the folder of CARREL_SEARCH_FOLDER, then start the "
        "services."
    )


def _by_patron(lost: Sequence[Lost]) -> dict[str, list[dict[str, Any]]]:
    """Return the lost changes by patron; those of the library's own data are under an empty id."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in sorted(lost, key=lambda event: event.recorded_at):
        found[event.patron_id].append(asdict(event))
    return dict(sorted(found.items(), key=lambda item: (not item[0], -len(item[1]))))


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


async def _gap(settings: Settings, at: datetime) -> str:
    """Return a warning if the topics begin after a backup, else an empty text."""
    async with opened(settings) as (_, positions):
        empty = await positions.starts() == await positions.ends()
    if not empty and at > wall_clock() - timedelta(days=settings.retention_days):
        return ""
    return (
        "The topics do not reach back to this backup: nothing tells of each change that is lost, "
        "nor of each patron who was erased since. Erase those again whose requests you have."
    )


async def _refuse_members(settings: Settings) -> None:
    async with opened(settings) as (_, positions):
        for service in subscribed_topics():
            if not await has_no_member(positions, service):
                refuse(f"{service} still consumes. Stop all services first. Nothing was changed.")


async def finish_restore(settings: Settings, since: datetime | None = None) -> list[Lost]:
    """Continue above the topics, and publish outboxes again; return the lost events.

    `since` is the time of the backup, if it is known.
    """
    await _refuse_members(settings)
    await ensure_topics(settings, NAMES)
    lost = await find_lost(settings, since)
    async with opened(settings) as (client, positions):
        await _raise_versions(settings, client, lost)
        await _record(settings, client, lost)
        ends = await positions.ends()
        for service, topics in subscribed_topics().items():
            own = {p: end for p, end in ends.items() if p.topic in topics}
            try:
                await commit(settings, service, own)
            except CommitFailedError:  # a consumer has joined since
                refuse(f"{service} still consumes. Stop all services first. Then run this again.")
        await note_restored(
            client[f"{settings.database_prefix}_gateway"],
            {f"{partition.topic}/{partition.partition}": end for partition, end in ends.items()},
        )
    for service in dict.fromkeys(contract.publisher for contract in published().values()):
        await replay(settings, service)
    return lost


async def _protect(settings: AccountsSettings) -> list[Lost]:
    """End all sessions, and erase patrons again; return all events that were ever lost.

    Makes the indexes of each service before.
    """
    for service in NAMES:
        async with unit_of_work_at(settings, service):
            pass
    await end_all_sessions(settings)
    async with opened(settings) as (client, _):
        lost = [one async for one in recorded_as_lost(client, settings)]
    erased = [one.subject for one in lost if one.topic == PatronErased.topic]
    await erase_again(settings, erased)
    await record_act(settings, "restore")
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
