"""`carrel lag`: the events that each service has still to process and to publish."""

import asyncio
from dataclasses import asdict
from typing import Any

import typer

from ops.broker.dead_letters import find_held
from ops.broker.offsets import Lag, Positions, subscribed_topics
from ops.console import AsJson, errors, explain_outages, print_json, print_table
from ops.console import out as console
from ops.databases import outbox_ages
from ops.target import Data, settings_of
from services.registry import NAMES
from services.settings import Settings
from shared.bus.held import HeldMessage

app = typer.Typer()


@app.callback(invoke_without_command=True, subcommand_metavar="")
def lag_command(as_json: AsJson = False, data: Data = None) -> None:
    """Show the events each service has still to process, by topic, and the age of its outbox.

    A message that its partition waits for is named.

    A lag that grows means that a service waits for something that is away, or is
    too slow: read its log, or run more replicas. Exits with 1 if no process
    consumes for a service.
    """
    settings = settings_of(data)
    with explain_outages(settings):
        lags, ages, held, members = asyncio.run(_look(settings))
    stopped = [service for service, count in members.items() if not count]
    if as_json:
        print_json(
            {
                "topics": [asdict(lag) for lag in lags],
                "outbox_seconds": ages,
                "members": members,
                "held": [{"service": service, **asdict(message)} for service, message in held],
            }
        )
        raise typer.Exit(1 if stopped else 0)
    print_table(
        ("service", "members", "topics", "events behind", "oldest in outbox, s"),
        [(service, members[service], *_summary(service, lags, ages[service])) for service in NAMES],
    )
    behind = [lag for lag in lags if lag.lag]
    if behind:
        console.print()
        rows = [(lag.service, lag.topic, lag.end, lag.committed, lag.lag) for lag in behind]
        print_table(("service", "topic", "end", "committed", "lag"), rows)
    for service, message in held:
        console.print(f"{service}: {message}")
    for service in stopped:
        errors.print(f"{service}: no process consumes. Start one with the role consumers.")
    raise typer.Exit(1 if stopped else 0)


def _summary(service: str, lags: list[Lag], age: float) -> tuple[Any, ...]:
    own = [lag for lag in lags if lag.service == service]
    return len(own), sum(lag.lag for lag in own), age


async def _look(
    settings: Settings,
) -> tuple[list[Lag], dict[str, float], list[tuple[str, HeldMessage]], dict[str, int]]:
    async with Positions(settings) as positions:
        lags = await positions.lags()
        members = {service: await positions.members(service) for service in subscribed_topics()}
    return lags, await outbox_ages(settings), await find_held(settings), members
