"""`carrel lag`: the events that each service has still to process and to publish."""

import asyncio
from dataclasses import asdict
from typing import Any

import typer

from ops.backlog import outbox_ages
from ops.broker.held import find_held
from ops.broker.offsets import Lag, Positions
from ops.console import AsJson, explain_outages, print_json, print_table
from ops.console import out as console
from ops.target import Data, settings_of
from services.registry import NAMES
from services.settings import Settings
from shared.bus.held import HeldMessage

app = typer.Typer()


@app.callback(invoke_without_command=True, subcommand_metavar="")
def lag_command(as_json: AsJson = False, data: Data = None) -> None:
    """Show the events each service has still to process, by topic, and the age of its outbox.

    A message that its partition waits for is named.

    A lag that grows means that a service does not run, waits for something
    that is away, or is too slow: start it, read its log, or run more replicas.
    """
    settings = settings_of(data)
    with explain_outages(settings):
        lags, ages, held = asyncio.run(_look(settings))
    if as_json:
        print_json(
            {
                "topics": [asdict(lag) for lag in lags],
                "outbox_seconds": ages,
                "held": [{"service": service, **asdict(message)} for service, message in held],
            }
        )
        return
    print_table(
        ("service", "topics", "events behind", "oldest in outbox, s"),
        [_summary(service, lags, ages[service]) for service in NAMES],
    )
    behind = [lag for lag in lags if lag.lag]
    if behind:
        console.print()
        rows = [(lag.service, lag.topic, lag.end, lag.committed, lag.lag) for lag in behind]
        print_table(("service", "topic", "end", "committed", "lag"), rows)
    for service, message in held:
        console.print(f"{service}: {message}")


def _summary(service: str, lags: list[Lag], age: float) -> tuple[Any, ...]:
    own = [lag for lag in lags if lag.service == service]
    return service, len(own), sum(lag.lag for lag in own), age


async def _look(
    settings: Settings,
) -> tuple[list[Lag], dict[str, float], list[tuple[str, HeldMessage]]]:
    async with Positions(settings) as positions:
        lags = await positions.lags()
    return lags, await outbox_ages(settings), await find_held(settings)
