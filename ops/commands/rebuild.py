"""`carrel rebuild gateway`: rebuild the account views from the owners' current data.

It runs the gateway's own rebuild in this process: no route starts one, because the views can be
lost while no gateway runs.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.progress import Progress as Bar
from rich.progress import TaskID

from ops.console import (
    AsJson,
    errors,
    explain_outages,
    print_json,
    print_table,
    progress_bar,
    refuse,
)
from ops.target import Data, settings_to_write
from services.gateway.consumers import subscriptions
from services.gateway.views.rebuild import Progress, Underway, rebuild
from services.gateway.views.store.builds import BuildLost
from services.settings import Settings
from shared.mongo import Database, connect
from shared.owners import OwnerAway, Owners

PATIENCE_SECONDS = 600
LOOK_SECONDS = 1.0

app = typer.Typer()


def _gateway(value: str) -> str:
    if value != "gateway":
        raise typer.BadParameter("only the gateway has views to rebuild")
    return value


@dataclass(frozen=True)
class Rebuilt:
    """The result of a rebuild, and its duration in seconds."""

    progress: Progress
    seconds: float


@app.callback(
    invoke_without_command=True,
    subcommand_metavar="",
    # Otherwise typer takes an option after the argument for a sub-command.
    context_settings={"allow_interspersed_args": True},
)
def rebuild_command(
    service: Annotated[str, typer.Argument(callback=_gateway, metavar="gateway")],  # noqa: ARG001 - there is only one
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Rebuild the account views, and serve them once they are complete.

    Use it for views that were lost or are wrong, and after a change of their
    format. The services must run: each is asked for its data. Until the new views
    are complete, the old ones are served; without old ones, accounts are answered
    with 503. Safe to run again or twice at once.
    """
    settings = settings_to_write(data)
    with explain_outages(settings):
        done = asyncio.run(_rebuilt(settings))
    if as_json:
        print_json(
            {
                "resources": dict(done.progress.resources),
                "events": done.progress.events,
                "seconds": round(done.seconds, 1),
            }
        )
        return
    print_table(("built from", "resources"), list(done.progress.resources.items()))
    typer.echo(
        f"And {done.progress.events} events. The new views are served after {done.seconds:.1f} s."
    )


async def _rebuilt(settings: Settings) -> Rebuilt:
    client = connect(settings.mongo_url)
    owners = Owners(settings, "gateway")
    try:
        return await _once_free(client[f"{settings.database_prefix}_gateway"], settings, owners)
    except OwnerAway as away:
        refuse(
            f"{away.service} does not answer, and the views need its data. The views are "
            f"unchanged. Start it, check that CARREL_{away.service.upper()}_URL and "
            "CARREL_SERVICE_KEY are those of the gateway, and run this again."
        )
    except BuildLost:
        refuse("The database was dropped meanwhile, or another rebuild took over. Run this again.")
    finally:
        await owners.close()
        client.close()


def _shown_on(bar: Bar) -> Callable[[Progress], None]:
    """Return a function that shows a bar for each kind of resource once there are any."""
    rows: dict[str, TaskID] = {}

    def show(progress: Progress) -> None:
        for what, count in {**progress.resources, "events": progress.events}.items():
            if what not in rows:
                rows[what] = bar.add_task(what, total=None)
            bar.update(rows[what], completed=count)

    return show


async def _once_free(database: Database, settings: Settings, owners: Owners) -> Rebuilt:
    """Rebuild as soon as no other process does."""
    patient_until = time.monotonic() + PATIENCE_SECONDS
    announced = False
    while True:
        started = time.monotonic()
        try:
            with progress_bar("Building the views") as bar:
                progress = await rebuild(database, settings, owners, subscriptions, _shown_on(bar))
            return Rebuilt(progress, time.monotonic() - started)
        except Underway:
            if time.monotonic() > patient_until:
                refuse(
                    "Another process is still rebuilding the views. Read the logs of the gateways."
                )
            if not announced:
                errors.print("Another process is rebuilding the views; this command waits for it.")
            announced = True
            await asyncio.sleep(LOOK_SECONDS)
