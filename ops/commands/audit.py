"""`carrel audit`: check that databases, topics and views agree."""

import asyncio
import json

import typer
from rich.console import Console

from ops.audit.system import audit
from ops.console import AsJson, explain_outages, printable, show_status
from ops.target import Data, settings_of

app = typer.Typer()


@app.callback(invoke_without_command=True, subcommand_metavar="")
def audit_command(as_json: AsJson = False, data: Data = None) -> None:
    """Compare every database, topic and view; exit 1 if anything is lost, doubled or differs.

    Run it when no events are on their way.
    """
    settings = settings_of(data)
    with explain_outages(settings), show_status("Comparing databases, topics and views"):
        found = asyncio.run(audit(settings))
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
