"""`carrel status`: each service with its processes, their state and version, and what waits."""

import asyncio
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.text import Text

from ops.broker.dead_letters import Filter, find_dead_letters
from ops.broker.offsets import Positions, subscribed_topics
from ops.console import AsJson, explain_outages, out, print_json, print_table
from ops.databases import outbox_ages
from ops.target import Data, settings_of
from services.registry import NAMES
from services.settings import Settings
from shared.clock import wall_clock
from shared.mongo import connect
from shared.processes import (
    BACKUP,
    BACKUP_LATE_SECONDS,
    JobRun,
    Process,
    find_processes,
    find_runs,
)

app = typer.Typer()
ROLES = ("api", "relay", "consumers", "jobs")
"""Roles that a service needs at least one process for."""


@dataclass(frozen=True)
class ServiceStatus:
    """The state of a service and its processes."""

    service: str
    processes: list[Process]
    jobs: list[JobRun]
    members: int
    """Processes that consume, as the broker knows them."""
    behind: int
    """Events that it has still to process."""
    outbox_seconds: float
    dead_letters: int
    """Dead letters about which nobody has decided."""

    def errors(self) -> list[str]:
        """Return the faults for which the service does not do all that it is there for."""
        running = [one for one in self.processes if not one.gone]
        lacking = [role for role in ROLES if not any(role in one.roles for one in running)]
        if not running:
            return [f"{self.service}: no process runs"]
        faults = [f"{self.service}: no process has the role {role}" for role in lacking]
        return faults + [
            f"{self.service}/{one.id} is unready: {'; '.join(one.faults)}"
            for one in running
            if one.status == "unready"
        ]

    def warnings(self) -> list[str]:
        """Return what an operator should look at although the service works."""
        gone = [one for one in self.processes if one.gone]
        found = [
            f"{self.service}/{one.id} is gone: last seen {_age(one.seen_at)} ago" for one in gone
        ]
        found += [
            f"{self.service}/{one.id} is degraded: {'; '.join(one.faults)}"
            for one in self.processes
            if one.status == "degraded" and not one.gone
        ]
        found += [
            f"{self.service}: the job {job.job} {job.outcome} {_age(job.at)} ago"
            for job in self.jobs
            if job.outcome != "done"
        ]
        found += [
            f"the last backup is of {_age(job.at)} ago"
            for job in self.jobs
            if job.job == BACKUP and (wall_clock() - job.at).total_seconds() > BACKUP_LATE_SECONDS
        ]
        if self.dead_letters:
            found.append(f"{self.service}: {self.dead_letters} dead letters wait for a decision")
        return found


@app.callback(invoke_without_command=True, subcommand_metavar="")
def status_command(
    as_json: AsJson = False,
    data: Data = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 for warnings too.")] = False,
) -> None:
    """Show every process of every service, and the events that wait.

    A process that was killed or hangs is shown as gone for a day, unless one of
    the same name (CARREL_REPLICA) runs again. Exits with 1 if a service lacks a
    process, or one is unready; with --strict also if one is gone or degraded, a
    job failed, a dead letter waits for a decision, or the last backup is late.
    """
    settings = settings_of(data)
    with explain_outages(settings):
        found = asyncio.run(status_of(settings))
    errors = [fault for one in found for fault in one.errors()]
    warnings = [text for one in found for text in one.warnings()]
    if as_json:
        services = [asdict(one) for one in found]
        print_json({"services": services, "errors": errors, "warnings": warnings})
    else:
        _print(found)
        for text in errors:
            out.print(Text(text, style="red"))
        for text in warnings:
            out.print(Text(text, style="yellow"))
    raise typer.Exit(1 if errors or (strict and warnings) else 0)


async def status_of(settings: Settings) -> list[ServiceStatus]:
    """Return how each service fares, in the order of the registry."""
    client = connect(settings.mongo_url)
    try:
        databases = {name: client[f"{settings.database_prefix}_{name}"] for name in NAMES}
        processes = await asyncio.gather(*map(find_processes, databases.values()))
        runs = await asyncio.gather(*map(find_runs, databases.values()))
    finally:
        client.close()
    async with Positions(settings) as positions:
        lags = await positions.lags()
        members = {service: await positions.members(service) for service in subscribed_topics()}
    ages, letters = await outbox_ages(settings), await find_dead_letters(settings, Filter())
    waiting = Counter(letter.service for letter in letters)
    return [
        ServiceStatus(
            service=name,
            processes=noted,
            jobs=sorted(ran.values(), key=lambda run: run.job),
            members=members.get(name, 0),
            behind=sum(lag.lag for lag in lags if lag.service == name),
            outbox_seconds=ages[name],
            dead_letters=waiting[name],
        )
        for name, noted, ran in zip(NAMES, processes, runs, strict=True)
    ]


def _print(found: list[ServiceStatus]) -> None:
    rows = [
        (
            one.service,
            process.id,
            "gone" if process.gone else process.status,
            process.version,
            ", ".join(process.roles),
            _age(process.started_at),
            _age(process.seen_at),
        )
        for one in found
        for process in one.processes
    ]
    print_table(("service", "process", "state", "version", "roles", "runs for", "seen"), rows)
    out.print()
    print_table(
        ("service", "consumers", "events behind", "oldest in outbox, s", "dead letters"),
        [
            (one.service, one.members, one.behind, one.outbox_seconds, one.dead_letters)
            for one in found
        ],
    )
    backups = [job for one in found for job in one.jobs if job.job == BACKUP]
    last = f"of {_age(backups[0].at)} ago, at {backups[0].by}" if backups else "none is noted"
    out.print(Text(f"last backup: {last}"))


def _age(moment: datetime) -> str:
    """Return a time ago to the second, as `1 day, 2:03:04`."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return str(timedelta(seconds=max(0, round((wall_clock() - aware).total_seconds()))))
