"""`carrel audit`: check that databases, topics and views agree."""

import asyncio
import json

import typer
from rich.console import Console

from ops.audit.findings import Audit
from ops.audit.system import audit
from ops.console import AsJson, explain_outages, printable, show_status
from ops.target import Data, settings_of
from services.settings import Settings
from shared.mongo import connect
from shared.processes import AUDIT, note_run

app = typer.Typer()


@app.callback(invoke_without_command=True, subcommand_metavar="")
def audit_command(as_json: AsJson = False, data: Data = None) -> None:
    """Compare every database, topic and view; exit 1 if anything is lost, doubled or differs.

    Run it when no events are on their way. The gateway's metrics show when it ended, and the number
    of findings.
    """
    settings = settings_of(data)
    with explain_outages(settings), show_status("Comparing databases, topics and views"):
        found = asyncio.run(_noted(settings))
    if as_json:
        document = {
            "counts": found.counts,
            "findings": found.findings,
            "lost": found.lost,
            "doubled": found.doubled,
        }
        typer.echo(json.dumps(document, indent=2))
    else:
        console = Console(highlight=False)
        for what, count in sorted(found.counts.items()):
            console.print(f"{count:>8} {what}")
        for finding in found.findings:
            console.print(printable(finding), style="red", markup=False)
        console.print("All agree." if not found.findings else f"{len(found.findings)} findings.")
    raise typer.Exit(1 if found.findings else 0)


async def _noted(settings: Settings) -> Audit:
    found = await audit(settings)
    client = connect(settings.mongo_url)
    try:
        outcome, count = "failed" if found.findings else "done", len(found.findings)
        database = client[f"{settings.database_prefix}_gateway"]
        await note_run(database, AUDIT, outcome, count, "carrel")
    finally:
        client.close()
    return found
