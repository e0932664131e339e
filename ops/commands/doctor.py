"""`carrel doctor`: check the system, and say what to do about each fault.

It reads databases without the API, because it checks systems whose services do not run.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Annotated

import aiohttp
import typer
from aiokafka.errors import KafkaError
from pymongo.errors import OperationFailure, PyMongoError
from rich.table import Table
from rich.text import Text

from ops import indexes
from ops.audit.findings import Finding, Level, first_of
from ops.audit.messaging import (
    check_broker,
    check_dead_letters,
    check_held,
    check_topics_and_outboxes,
)
from ops.audit.notices import check_visits
from ops.audit.places import check_seasons
from ops.audit.security import (
    TrailSettings,
    check_database_users,
    check_lasting_keys,
    check_trails,
)
from ops.audit.snapshots import Compared, compare
from ops.console import AsJson, out, print_json, show_status
from ops.databases import outbox_ages
from ops.environment import kind_of_settings, load
from ops.target import Data, settings_of
from services.gateway.views.store import builds
from services.registry import NAMES
from services.settings import Settings
from shared.clock import wall_clock
from shared.http.health import OUTBOX_AGE_LIMIT
from shared.keys import LEAST, each_of
from shared.mongo import Client, Database, clock_skew, connect
from shared.owners import OwnerAway, Owners
from shared.processes import BACKUP, BACKUP_LATE_SECONDS, find_runs

OLDEST_MONGODB = 6
TRANSACTION_SECONDS = 5
SKEW_SECONDS = 2.0
ANSWER_SECONDS = 5.0
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}

Comparison = Callable[[Database, Owners], Awaitable[Compared]]
app = typer.Typer()


@app.callback(invoke_without_command=True, subcommand_metavar="")
def doctor_command(
    as_json: AsJson = False,
    data: Data = None,
    with_views: Annotated[
        bool, typer.Option("--views", help="Compare the account views with their owners' data.")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1, max=1000, help="With --views: only this number of patrons, picked at random."
        ),
    ] = None,
) -> None:
    """Check settings, database, broker and the flow of events; exit 1 if anything fails.

    Run it with the environment of a service. It changes nothing. --views asks the
    services for all their data, which takes minutes for a million loans; with
    --sample 100 it takes seconds, however many there are.
    """
    if sample and not with_views:
        raise typer.BadParameter("needs --views too", param_hint="--sample")
    settings = settings_of(data)
    with show_status("Checking the system") as update:
        compare_views = partial(compare, sample=sample, update=update) if with_views else None
        findings = asyncio.run(examine(settings, compare_views))
    failed = any(finding.level == "fail" for finding in findings)
    if as_json:
        print_json({"healthy": not failed, "findings": [asdict(f) for f in findings]})
    else:
        table = Table.grid(padding=(0, 1))
        for finding in findings:
            table.add_row(
                Text(finding.level, style=COLOURS[finding.level]),
                Text(f"{finding.check}: {finding.found}"),
            )
            if finding.remedy:
                table.add_row("", Text(f"→ {finding.remedy}"))
        out.print(table)
    raise typer.Exit(1 if failed else 0)


async def examine(settings: Settings, compare_views: Comparison | None = None) -> list[Finding]:
    """Run every check that is possible. If a part is away, the checks that need it are left out."""
    findings = [*_secrets(settings), *_modes(settings), await _services(settings)]
    client = connect(settings.mongo_url, timeout_ms=3000)
    stored = False
    try:
        async for finding in _mongodb(client):
            findings.append(finding)
            stored = stored or finding.check == "database"
        findings.append(await check_database_users(client, settings))
        if stored:
            findings += [finding async for finding in _indexes(client, settings)]
            findings.append(await _outboxes(settings))
            findings.append(await _backup(client, settings))
            findings.append(await check_visits(client, settings))
            findings.append(await check_seasons(client, settings))
            findings.append(await check_lasting_keys(client, settings))
            findings.append(await check_trails(client, settings))
            findings.append(await _views(client, settings, compare_views))
    except PyMongoError as error:
        findings.append(
            Finding(
                "database",
                "fail",
                f"does not answer ({type(error).__name__})",
                "start it, or set CARREL_MONGO_URL to a replica set that can be reached from here",
            )
        )
    finally:
        client.close()
    try:
        findings += await check_broker(settings)
        if stored:
            findings += [
                await check_held(settings),
                await check_dead_letters(settings),
                await check_topics_and_outboxes(settings),
            ]
    except (KafkaError, OSError) as error:
        findings.append(
            Finding(
                "broker",
                "fail",
                f"{settings.kafka} does not answer ({type(error).__name__})",
                "start it, or correct CARREL_KAFKA; meanwhile commands succeed, and events wait",
            )
        )
    return findings


def _secrets(settings: Settings) -> list[Finding]:
    """Return the findings about the secrets that are set here; a service has its own alone."""
    given = {"CARREL_SERVICE_SECRET": [settings.service_secret], **_keys()}
    findings = []
    for variable, values in given.items():
        remedy = f"set {variable} as the services have it; a new one: openssl rand -hex 32"
        if not any(values):
            findings.append(Finding(variable, "fail", "is not set", remedy))
        elif any(_can_be_guessed(one) for one in values):
            findings.append(Finding(variable, "fail", "can be guessed", remedy))
        else:
            findings.append(Finding(variable, "ok", "is set"))
    variable = "CARREL_SERVICE_KEY"
    if settings.service_key:
        findings.append(Finding(variable, "ok", "is set"))
    else:
        remedy = "set it to the gateway's, as which this command asks the services"
        findings.append(Finding(variable, "fail", "is not set", remedy))
    return [*findings, *_shared(given)]


def _keys() -> dict[str, list[str]]:
    """Return the keys of each purpose that are set here, by variable."""
    kinds: list[type[Settings]] = [*map(kind_of_settings, NAMES), TrailSettings]
    given: dict[str, list[str]] = {}
    for settings in map(load, kinds):
        for name in type(settings).model_fields:
            if name.endswith(("card_key", "_keys", "_secrets")) or name.startswith("audit_keys"):
                value = getattr(settings, name)
                given[f"CARREL_{name.upper()}"] = each_of(value) if isinstance(value, str) else []
    return {variable: keys for variable, keys in given.items() if keys}


def _shared(given: Mapping[str, Sequence[str]]) -> list[Finding]:
    """Return a finding if a key has more than one purpose."""
    purposes: dict[str, list[str]] = {}
    for variable, values in given.items():
        for value in filter(None, values):
            purposes.setdefault(value, []).append(variable)
    shared = [variables for variables in purposes.values() if len(variables) > 1]
    if not shared:
        return []
    remedy = "make a key for each with carrel init; remove the former as docs/security.md says"
    found = "; ".join(f"{', '.join(variables)} have the same" for variables in shared)
    everywhere = any("CARREL_SERVICE_SECRET" in variables for variables in shared)
    return [Finding("secrets", "fail" if everywhere else "warn", found, remedy)]


def _can_be_guessed(secret: str) -> bool:
    return len(secret) < LEAST or len(set(secret)) < LEAST // 2


def _modes(settings: Settings) -> list[Finding]:
    for service in NAMES:  # a wrong setting of a service ends the command
        load(kind_of_settings(service))
    if not settings.simulation:
        return [Finding("settings", "ok", "are valid")]
    remedy = "unset it, unless this is a demonstration"
    return [
        Finding(
            "CARREL_SIMULATION",
            "warn",
            "callers may set the time, and scheduled jobs do not run",
            remedy,
        )
    ]


async def _services(settings: Settings) -> Finding:
    """Check that a process answers at each address of each service."""
    places = [(service, url) for service in NAMES for url in settings.urls_of(service)]
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    connector = aiohttp.TCPConnector(ssl=settings.tls_client())
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:

        async def answers(url: str) -> bool:
            try:
                async with session.get(f"{url}/health/live") as answer:
                    return answer.ok
            except (aiohttp.ClientError, TimeoutError):
                return False

        answering = await asyncio.gather(*(answers(url) for _, url in places))
    alive = {service for (service, _), here in zip(places, answering, strict=True) if here}
    silent = [
        f"{service} at {url}"
        for (service, url), here in zip(places, answering, strict=True)
        if not here
    ]
    if not silent:
        return Finding("services", "ok", f"all answer, at {len(places)} addresses")
    # Of a service with several processes the others go on.
    level: Level = "warn" if len(alive) == len(NAMES) else "fail"
    remedy = "start them, or correct CARREL_<SERVICE>_URL"
    return Finding("services", level, f"nobody answers for {', '.join(silent)}", remedy)


async def _mongodb(client: Client) -> AsyncIterator[Finding]:
    """Yield the findings about the database; the one named `database` means that it answers."""
    await client.admin.command("ping")
    hello = await client.admin.command("hello")
    version = (await client.admin.command("buildInfo"))["version"]
    old = int(version.partition(".")[0]) < OLDEST_MONGODB
    remedy = f"upgrade MongoDB to {OLDEST_MONGODB} or newer" if old else ""
    yield Finding("database", "fail" if old else "ok", f"MongoDB {version} answers", remedy)
    if "setName" in hello or hello.get("msg") == "isdbgrid":
        name = hello.get("setName", "a sharded cluster")
        members = len(hello.get("hosts", ()))
        many = f" of {members}" if members else ""
        yield Finding("replica set", "ok", f"{name}{many}")
    else:
        remedy = "start mongod with --replSet and initiate it: one node alone has no transactions"
        yield Finding("replica set", "fail", "there is none", remedy)
    yield _skew(await clock_skew(client))
    yield await _lifetime(client)


def _skew(seconds: float) -> Finding:
    found = f"{abs(seconds):.1f} s between this machine and the database"
    if abs(seconds) < SKEW_SECONDS:
        return Finding("clocks", "ok", found)
    return Finding("clocks", "warn", found, "set both by NTP: events and tokens carry these times")


async def _lifetime(client: Client) -> Finding:
    name = "transactionLifetimeLimitSeconds"
    setting = f"db.adminCommand({{setParameter: 1, {name}: {TRANSACTION_SECONDS}}})"
    try:
        value = (await client.admin.command({"getParameter": 1, name: 1}))[name]
    except OperationFailure as error:
        found = f"can't be read ({(error.details or {}).get('codeName', 'refused')})"
        return Finding(name, "warn", found, f"check on each node that it is {TRANSACTION_SECONDS}")
    if value <= TRANSACTION_SECONDS:
        return Finding(name, "ok", f"{value} s")
    remedy = f"on each node: {setting}"
    return Finding(name, "warn", f"{value} s: the locks of a killed process stay as long", remedy)


async def _indexes(client: Client, settings: Settings) -> AsyncIterator[Finding]:
    found = await indexes.compare(client, settings)
    if found.faults:
        if any("differs" in fault for fault in found.faults):
            remedy = "drop it and start the service: it creates the right one"
        else:
            remedy = "start each service once: it creates missing indexes, and sets the lifetimes"
        yield Finding("indexes", "fail", _some(found.faults), remedy)
    else:
        yield Finding("indexes", "ok", "all exist")
    if found.undeclared:
        remedy = (
            "if an earlier version created it, drop it once no process of that version runs: "
            "each write keeps it up to date, and a unique one can refuse writes"
        )
        yield Finding("other indexes", "warn", _some(found.undeclared), remedy)


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    return "; ".join(texts[:3]) + more


async def _outboxes(settings: Settings) -> Finding:
    ages = await outbox_ages(settings)
    service, age = max(ages.items(), key=lambda item: item[1])
    if age <= OUTBOX_AGE_LIMIT:
        return Finding("outboxes", "ok", f"oldest row has waited {age:.1f} s")
    remedy = f"check that the broker runs and a process of {service} has the role relay"
    return Finding("outboxes", "warn", f"{service}: oldest row has waited {age:.0f} s", remedy)


async def _backup(client: Client, settings: Settings) -> Finding:
    run = (await find_runs(client[f"{settings.database_prefix}_gateway"])).get(BACKUP)
    remedy = "run carrel backup take every hour; docs/runbook.md says how"
    if run is None:
        return Finding("backup", "warn", "none is noted", remedy)
    age = (wall_clock() - run.at).total_seconds()
    found = f"the last is of {timedelta(seconds=round(age))} ago, at {run.by}"
    late = age > BACKUP_LATE_SECONDS
    return Finding("backup", "warn" if late else "ok", found, remedy if late else "")


async def _views(client: Client, settings: Settings, compare_views: Comparison | None) -> Finding:
    remedy = (
        "read in the gateways' logs which service they wait for, or run: carrel rebuild gateway"
    )
    database = client[f"{settings.database_prefix}_gateway"]
    if await builds.form(database) is None:
        return Finding("views", "fail", "are not complete: accounts are not shown", remedy)
    if compare_views is None:
        return Finding("views", "ok", "are complete")
    owners = Owners(settings, "gateway")
    try:
        compared = await compare_views(database, owners)
    except OwnerAway as away:
        remedy = f"start {away.service}, and check its URL and CARREL_SERVICE_KEY"
        return Finding("views", "warn", f"not compared: {away.service} is away", remedy)
    finally:
        await owners.close()
    if compared.differences:
        return Finding("views", "fail", first_of(compared.differences), "carrel rebuild gateway")
    found = f"{compared.accounts} accounts show {compared.resources} resources as their owners do"
    return Finding("views", "ok", found)
