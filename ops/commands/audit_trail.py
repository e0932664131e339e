"""`carrel audit-trail`: who of staff, stations, operators and services did what, and its seals.

It reads the databases, so it works while services are stopped, and needs no account.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ops.audit.security import trail_keys, variables_of
from ops.console import (
    AsJson,
    ServiceOption,
    explain_outages,
    out,
    print_json,
    print_table,
    refuse,
    show_status,
)
from ops.databases import databases_of
from ops.target import Data, settings_of
from services.registry import NAMES
from services.settings import Settings
from shared.audit_seals import Verified, verify
from shared.audit_trail import Entry, EntryQuery, find_entries

app = typer.Typer()


@app.callback(invoke_without_command=True, subcommand_metavar="")
def audit_trail_command(
    service: ServiceOption = None,
    *,
    actor: Annotated[str, typer.Option(help="Only acts of this account, by its id.")] = "",
    about: Annotated[
        str, typer.Option("--object", help="Only acts about this patron or object, by its id.")
    ] = "",
    since: Annotated[
        datetime | None, typer.Option(help="Only acts since this time; UTC if it has no offset.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, help="Number of entries of each service.")
    ] = 50,
    verifying: Annotated[
        bool, typer.Option("--verify", help="Verify all seals; exit 1 if an entry is missing.")
    ] = False,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Show who of staff, stations, operators and services did what, the newest first.

    --verify reads every entry of the trail, and prints the last seal of each service. Note
    it outside the system: as long as the trail has this seal, nothing before it was cut off.
    """
    settings = settings_of(data)
    services = [service] if service else list(NAMES)
    if verifying:
        keys = trail_keys()
        if missing := [name for name in services if name not in keys]:
            refuse(f"The seals can't be verified without their keys: set {variables_of(missing)}.")
        _print_verified(settings, {name: keys[name] for name in services}, as_json=as_json)
        return
    if since and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    asked = EntryQuery(actor, about, since, limit=limit)
    with explain_outages(settings), show_status("Reading the audit trails"):
        found = asyncio.run(_entries(settings, services, asked))
    if as_json:
        entries = [{"service": name, **asdict(entry)} for name, entry in found]
        print_json({"entries": entries})
        return
    if not found:
        typer.echo("No entry matches.")
    for name, entry in found:
        out.print(_line(name, entry), markup=False, highlight=False, soft_wrap=True)


def _line(service: str, entry: Entry) -> str:
    when = entry.at.strftime("%Y-%m-%d %H:%M:%SZ")
    who = f"{', '.join(entry.roles)} {entry.by}".strip() or "-"
    parts = {
        "about": ", ".join(entry.objects),
        "from": entry.address,
        "request": entry.correlation_id,
    }
    more = "".join(f"; {name} {text}" for name, text in parts.items() if text)
    return f"{when} {service}: {who}: {entry.act}{more}"


async def _entries(
    settings: Settings, services: list[str], asked: EntryQuery
) -> list[tuple[str, Entry]]:
    with databases_of(settings) as databases:
        found = [
            (service, entry)
            for service in services
            for entry in await find_entries(databases[service], asked)
        ]
    return sorted(found, key=lambda one: one[1].at, reverse=True)


def _print_verified(settings: Settings, keys: Mapping[str, str], *, as_json: bool) -> None:
    with explain_outages(settings), show_status("Verifying the audit trails"):
        found = asyncio.run(_verified(settings, keys))
    if as_json:
        print_json({"trails": [{"service": name, **asdict(one)} for name, one in found.items()]})
    else:
        columns = ("service", "entries", "seals", "first", "last", "waiting", "hash of the last")
        print_table(columns, [(name, *_numbers(one)) for name, one in found.items()])
        for name, one in found.items():
            for fault in one.faults:
                out.print(f"{name}: {fault}", style="red", markup=False)
        if not any(one.faults for one in found.values()):
            out.print("Every entry is as it was sealed, and none is missing.")
    raise typer.Exit(1 if any(one.faults for one in found.values()) else 0)


def _numbers(one: Verified) -> tuple[Any, ...]:
    return one.entries, one.seals, one.first, one.last, one.waiting, one.hash


async def _verified(settings: Settings, keys: Mapping[str, str]) -> dict[str, Verified]:
    with databases_of(settings) as databases:
        return {service: await verify(databases[service], own) for service, own in keys.items()}
