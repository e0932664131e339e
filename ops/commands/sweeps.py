"""`carrel sweeps`: the progress of due dates and holds after announcements of branches."""

import asyncio

import typer

from ops.console import AsJson, print_json, print_table, told_in_words
from ops.target import Data, settings_of
from services.circulation.domain.sweep import Sweep
from services.circulation.store import sweeps as store
from services.settings import Settings
from shared.mongo import connect

app = typer.Typer()


@app.callback(invoke_without_command=True, subcommand_metavar="")
def sweeps_command(as_json: AsJson = False, data: Data = None) -> None:
    """Show how far due dates and holds have followed each branch's closures and reopenings.

    Until a sweep is complete, every answer uses the calendar, not the stored
    dates, so nothing is wrong meanwhile. If a sweep stops, either no process of
    circulation has the role `jobs`, or its log says why a chunk fails.
    """
    settings = settings_of(data)
    with told_in_words(settings):
        found = asyncio.run(_look(settings))
    rows = [
        (s.id, s.calendar_version, s.state.value, s.done, s.total, len(s.in_hand)) for s in found
    ]
    columns = ("branch", "calendar_version", "state", "done", "total", "workers")
    if as_json:
        print_json({"sweeps": [dict(zip(columns, row, strict=True)) for row in rows]})
        return
    print_table(columns, rows)


async def _look(settings: Settings) -> list[Sweep]:
    client = connect(settings.mongo_url)
    try:
        return await store.find(client[f"{settings.database_prefix}_circulation"])
    finally:
        client.close()
