"""`carrel sweeps`: the progress of due dates and holds after announcements of branches."""

import asyncio

import typer

from ops.console import AsJson, explain_outages, print_json, print_table
from ops.databases import sweeps_of
from ops.target import Data, settings_of
from services.circulation.rules.sweep import Sweep, SweepState

app = typer.Typer()


@app.callback(invoke_without_command=True, subcommand_metavar="")
def sweeps_command(as_json: AsJson = False, data: Data = None) -> None:
    """Show how far due dates and holds have followed each branch's closures and reopenings.

    Until a sweep is complete, every answer uses the calendar, not the stored
    dates, so nothing is wrong meanwhile. If a sweep stops, either no process of
    circulation has the role `jobs`, or its log says why a chunk fails. A sweep
    that settles looks once more, for loans made meanwhile; a branch is idle if
    its announcement concerned none.
    """
    settings = settings_of(data)
    with explain_outages(settings):
        found = asyncio.run(sweeps_of(settings))
    rows = [(s.id, s.calendar_version, _state(s), s.done, s.total, len(s.in_hand)) for s in found]
    columns = ("branch", "calendar_version", "state", "done", "total", "workers")
    if as_json:
        print_json({"sweeps": [dict(zip(columns, row, strict=True)) for row in rows]})
        return
    print_table(columns, rows)


def _state(sweep: Sweep) -> str:
    if sweep.state is SweepState.SETTLING and not sweep.total:
        return "idle"
    return sweep.state.value
