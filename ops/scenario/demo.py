"""`carrel demo`: play the reopening of 2021 step by step, then show what people see at its end."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.infrastructure.processes import System
from ops.scenario.definition import Report, ScenarioStopped, StepReport
from ops.scenario.player import play
from ops.statement import show_spans, show_strip
from services.circulation.rules.fines import from_document
from services.settings import Settings
from shared.contracts.event import dollars


def run(system: System, *, as_json: bool) -> bool:
    """Play the scenario and show it; return whether every expectation holds."""
    console = Console(highlight=False, quiet=as_json)
    narrator = _Narrator(console)
    try:
        report = asyncio.run(play(system, on_step=narrator.show))
    except (ScenarioStopped, TimeoutError) as stopped:
        Console(stderr=True, highlight=False).print(Text(f"Stopped: {stopped}", style="red"))
        return False
    if as_json:
        typer.echo(orjson.dumps(as_document(report), option=orjson.OPT_INDENT_2).decode())
    else:
        _show_end(console, report)
    return report.holds


def write_tables(system: System, folder: Path) -> None:
    """Write the events of all topics to tables in a folder, as `carrel analytics follow` does."""
    from ops.analytics.folder import Folder  # libraries that only analysts need
    from ops.analytics.follow import Follower

    settings = system.settings(Settings)
    with Folder.opened(folder, settings.time_zone) as tables:
        asyncio.run(Follower(settings, tables).run(until_now=True))


def as_document(report: Report) -> dict[str, Any]:
    """Return the run as one JSON document."""
    return {
        "name": report.name,
        "holds": report.holds,
        "checked": len(report.checks),
        "seconds": round(report.seconds, 1),
        "steps": [
            {
                "at": step.at,
                "do": step.do,
                "tell": step.tell,
                "checks": [
                    {
                        "what": check.what,
                        "holds": check.holds,
                        "expected": _plain(check.expected),
                        "found": _plain(check.found),
                    }
                    for check in step.checks
                ],
            }
            for step in report.steps
        ],
        "accounts": report.accounts,
        "inboxes": report.inboxes,
        "fine_statements": report.statements,
        "topics": report.topics,
    }


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else value


class _Narrator:
    """Prints each step when it is done, and the day when it changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._day = ""

    def show(self, step: StepReport) -> None:
        moment = datetime.fromisoformat(step.at)
        day = f"{moment.day} {moment:%b %Y}"
        if day != self._day:
            self._console.print(Text(f"\n{day}", style="bold"))
            self._day = day
        failed = [check for check in step.checks if not check.holds]
        mark = Text("  ✗", style="red") if failed else Text("  ✓", style="green")
        checked = f"  {len(step.checks)} checked" if step.checks else ""
        line = Table.grid(padding=(0, 1))
        line.add_row(
            mark, Text(f"{moment:%H:%M}", style="dim"), Text.assemble(step.tell, (checked, "dim"))
        )
        self._console.print(line)
        for check in failed:
            self._console.print(Text(f"      {check.what}", style="red"))
            self._console.print(Text(f"        expected  {_plain(check.expected)}"))
            self._console.print(Text(f"        found     {_plain(check.found)}"))


def _show_end(console: Console, report: Report) -> None:
    for account, inbox in zip(report.accounts, report.inboxes, strict=True):
        _show_account(console, account, inbox)
    for statement in report.statements:
        _show_statement(console, statement)
    _show_topics(console, report.topics)
    failed = sum(not check.holds for check in report.checks)
    verdict = f"all {len(report.checks)} hold" if not failed else f"{failed} do not hold"
    console.print(
        Text.assemble(
            ("\nExpectations: ", "bold"),
            (verdict, "red" if failed else "green"),
            f", after {len(report.steps)} steps in {report.seconds:.0f} s.",
        )
    )


def _show_account(console: Console, account: dict[str, Any], inbox: dict[str, Any]) -> None:
    totals = account["totals"]
    console.print()
    console.rule(Text(f"My Account: {inbox['name']}", style="bold"), align="left")
    console.print(
        f"{totals['loans']} on loan, {totals['overdue']} overdue. "
        f"To pay: {dollars(totals['outstanding_cents'])}. "
        f"{account['inbox']['unread']} unread in the inbox."
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("date", no_wrap=True)
    table.add_column("notification", overflow="fold")  # Chinese has no spaces to break at
    for item in inbox["items"]:
        moment = datetime.fromisoformat(item["at"]).astimezone()
        table.add_row(f"{moment:%Y-%m-%d}", Text(item["text"]))
    console.print(table)


def _show_statement(console: Console, document: dict[str, Any]) -> None:
    fine = from_document(document)
    console.print()
    console.rule(Text(f"Fine statement: copy {document['barcode']}", style="bold"), align="left")
    days = "day" if fine.charged_days == 1 else "days"
    console.print(
        f"Counted from {fine.due_on}. "
        f"Owed: [bold]{dollars(fine.amount_cents)}[/bold] for {fine.charged_days} {days}.\n"
    )
    show_strip(console, fine.spans)
    show_spans(console, fine.spans)


def _show_topics(console: Console, topics: dict[str, int]) -> None:
    console.rule(Text("Events on the topics", style="bold"), align="left")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("topic", no_wrap=True)
    table.add_column("events", justify="right")
    for topic, count in topics.items():
        table.add_row(topic, str(count))
    console.print(table)
