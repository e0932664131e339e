"""`carrel dead-letters`: list, show, retry and discard messages that failed in a service.

It reads from the gateway's database how old an event may be: no route of the API tells it.
"""

import asyncio
import getpass
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer
from rich.padding import Padding

from ops.broker.dead_letters import (
    DeadLetter,
    Filter,
    Outcome,
    decide,
    find_dead_letters,
    find_one,
    text_of,
)
from ops.console import (
    AsJson,
    ServiceArgument,
    ServiceOption,
    errors,
    explain_outages,
    out,
    print_json,
    print_table,
    printable,
    refuse,
    show_status,
)
from ops.databases import databases_of
from ops.target import Data, settings_of, settings_to_write
from services.gateway.views.store.builds import remembers_since
from services.registry import NAMES
from services.settings import Settings
from shared.bus.held import give_up
from shared.contracts import published

SHOWN_BYTES = 512
"""Bytes shown of a payload that is not JSON."""
_ID = re.compile(rf"({'|'.join(NAMES)})/(\d+)-(\d+)")
_PLACE = re.compile(r"([a-z.-]+)/(\d+)/(\d+)")

app = typer.Typer(no_args_is_help=True)


def _ids(values: list[str] | None) -> list[str] | None:
    for value in values or ():
        if not _ID.fullmatch(value):
            raise typer.BadParameter(f"{value}: an id is written as in notices/0-12")
    return values


Topic = Annotated[str, typer.Option("--topic", help="Only from this topic.")]
Error = Annotated[str, typer.Option("--error", help="Only with this text in the error.")]
Ids = Annotated[
    list[str] | None, typer.Argument(callback=_ids, metavar="ID", help="As shown by `list`.")
]
All = Annotated[
    bool, typer.Option("--all", help="All waiting dead letters that match the options.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


@app.callback()
def dead_letters() -> None:
    """List, show, retry and discard messages that a service could not process."""


@app.command(name="list")
def list_command(
    *,
    service: ServiceOption = None,
    topic: Topic = "",
    error: Error = "",
    every: Annotated[
        bool, typer.Option("--all", help="Include those retried or discarded.")
    ] = False,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """List the dead letters that wait for a decision."""
    settings = settings_of(data)
    wanted = Filter([service] if service else NAMES, topic, error, waiting=not every)
    with explain_outages(settings), show_status("Reading the dead letters"):
        found = asyncio.run(find_dead_letters(settings, wanted))
    if as_json:
        print_json({"dead_letters": [dead_letter.document() for dead_letter in found]})
        return
    for dead_letter in found:
        state = (
            f"  {dead_letter.dealt_with} by {dead_letter.dealt_by}"
            if dead_letter.dealt_with
            else ""
        )
        tries = f"{dead_letter.tries} tries" if dead_letter.tries != "1" else "1 try"
        out.print(
            printable(
                f"{dead_letter.id}  {dead_letter.topic}  {dead_letter.buried_at[:19]}Z{state}"
            )
        )
        out.print(Padding(printable(f"{dead_letter.error} ({tries})"), (0, 0, 0, 4)))
    if not found:
        typer.echo("No dead letter waits." if not every else "There are no dead letters.")
        return
    summary = Counter(
        (dead_letter.service, dead_letter.topic, dead_letter.error) for dead_letter in found
    )
    if len(found) > len(summary):
        out.print()
        rows = [(count, *map(printable, kind)) for kind, count in summary.most_common()]
        print_table(("dead letters", "service", "topic", "error"), rows)


@app.command()
def show(
    dead_letter_id: Annotated[
        str,
        typer.Argument(
            callback=lambda v: _ids([v]) and v, metavar="ID", help="As shown by `list`."
        ),
    ],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Show one dead letter: its headers, and its payload as JSON, text or bytes."""
    settings = settings_of(data)
    wanted = Filter(
        [dead_letter_id.partition("/")[0]], ids=frozenset([dead_letter_id]), waiting=False
    )
    with explain_outages(settings):
        found = asyncio.run(find_one(settings, wanted))
    if found is None:
        refuse(
            f"There is no dead letter {dead_letter_id}. `carrel dead-letters list --all` shows all."
        )
    dead_letter, record = found
    value = record.value or b""
    headers = {name: text_of(raw) for name, raw in record.headers}
    if as_json:
        print_json(
            {
                **dead_letter.document(),
                "key": text_of(record.key),
                "headers": headers,
                "payload": _decoded(value),
                "payload_bytes": len(value),
                "payload_hex": "" if _is_json(value) else value.hex(),
            }
        )
        return
    rows = [("key", printable(text_of(record.key)))]
    rows += [(name, printable(text)) for name, text in headers.items()]
    print_table((dead_letter.id, dead_letter.dealt_with or "waiting"), rows)
    out.print()
    out.print(_shown(value), soft_wrap=True)


@app.command()
def add(
    service: ServiceArgument,
    message: Annotated[
        str, typer.Argument(metavar="TOPIC/PARTITION/OFFSET", help="As shown by `carrel doctor`.")
    ],
    data: Data = None,
) -> None:
    """Turn a message that holds its partition into a dead letter.

    Its consumer moves it at its next try, within seconds, and continues with
    the partition. Nothing is lost: `list` shows it, `retry` publishes it again.
    """
    place = _PLACE.fullmatch(message)
    if place is None:
        raise typer.BadParameter(f"{message}: a message is written as in loan.overdue/3/17")
    settings = settings_to_write(data)
    topic, partition, offset = place[1], int(place[2]), int(place[3])
    with explain_outages(settings):
        waits = asyncio.run(_give_up(settings, service, topic, partition, offset))
    if not waits:
        refuse(
            f"{service} does not wait with {message}. `carrel doctor` names the messages that wait."
        )
    typer.echo(f"{service} makes {message} a dead letter at its next try, within seconds.")


async def _give_up(
    settings: Settings, service: str, topic: str, partition: int, offset: int
) -> bool:
    with databases_of(settings) as databases:
        return await give_up(databases[service], topic, partition, offset, _operator())


def _decision(outcome: Outcome) -> Callable[..., None]:
    """Return the command that makes this decision about dead letters."""

    def command(
        *,
        ids: Ids = None,
        service: ServiceOption = None,
        topic: Topic = "",
        error: Error = "",
        every: All = False,
        yes: Yes = False,
        data: Data = None,
    ) -> None:
        if bool(ids) == every:
            raise typer.BadParameter("give ids, or --all for every one that matches the options")
        settings = settings_to_write(data)
        named = frozenset(ids or ())
        services = [service] if service else sorted({i.partition("/")[0] for i in named}) or NAMES
        wanted = Filter(services, topic, error, named, waiting=every)
        with explain_outages(settings):
            with show_status("Reading the dead letters"):
                found = asyncio.run(find_dead_letters(settings, wanted))
                since = asyncio.run(_remembered_since(settings))
            _check(named, found, outcome, since)
            if not found:
                typer.echo("No waiting dead letter matches the options. Nothing was done.")
                return
            if every and not yes:
                _confirm(found, outcome)
            done = asyncio.run(decide(settings, found, outcome, _operator()))
        typer.echo(f"{done} of {len(found)} dead letters {outcome}.")
        if outcome == "retried" and any(_is_older(dead_letter, since) for dead_letter in found):
            errors.print(
                "Some are older than the account views: check these with `carrel doctor --views`."
            )
        if done < len(found):
            errors.print(
                "Someone else has decided about the others, or is doing so: see `list --all`."
            )

    return command


app.command(
    "retry",
    help="Publish dead letters again on their topics, as the original messages, and record it.\n\n"
    "Correct the cause first, or they come back. Every service that consumes the topic gets them "
    "again; services that processed them already ignore them.",
)(_decision("retried"))
app.command(
    "discard",
    help="Mark dead letters as done. They stay on their topic and in `list --all`.",
)(_decision("discarded"))


async def _remembered_since(settings: Settings) -> datetime | None:
    """Return the time before which an event may bring ended things back to the account views."""
    with databases_of(settings) as databases:
        return await remembers_since(databases["gateway"])


def _is_older(dead_letter: DeadLetter, since: datetime | None) -> bool:
    return (
        dead_letter.recorded_at is not None
        and since is not None
        and dead_letter.recorded_at < since
    )


def _check(
    named: frozenset[str], found: list[DeadLetter], outcome: Outcome, since: datetime | None
) -> None:
    """Refuse the whole command if any part of it can't be done."""
    absent = sorted(named - {dead_letter.id for dead_letter in found})
    if absent:
        refuse(f"There is no dead letter {', '.join(absent)}. Nothing was done.")
    for dead_letter in found:
        if named and dead_letter.dealt_with in ("retried", "discarded"):
            refuse(
                f"{dead_letter.id} was {dead_letter.dealt_with} by {dead_letter.dealt_by} at "
                f"{dead_letter.dealt_at}. Nothing was done."
            )
        if outcome == "retried" and dead_letter.left_out:
            refuse(
                f"{dead_letter.id} was too large to be kept and lies on {dead_letter.topic} only, "
                "so it can't be sent back: discard it, or do not name it. Nothing was done."
            )
        if (
            outcome == "retried"
            and dead_letter.service == "gateway"
            and _is_older(dead_letter, since)
        ):
            refuse(
                f"{dead_letter.id} is older than the tombstones of the account views: it may bring "
                "back what has ended since. If `carrel doctor --views` says that anything is "
                "missing, run `carrel rebuild gateway`; then discard it, or do not name it. "
                "Nothing was done."
            )
        if outcome == "retried" and dead_letter.topic not in published():
            refuse(
                f"{dead_letter.id} names no known topic, so it can't be sent back: discard it, or "
                "do not name it. Nothing was done."
            )


def _confirm(found: list[DeadLetter], outcome: Outcome) -> None:
    kinds = Counter(
        (dead_letter.service, dead_letter.topic, dead_letter.error) for dead_letter in found
    )
    rows = [(count, *map(printable, kind)) for kind, count in kinds.most_common()]
    print_table(("dead letters", "service", "topic", "error"), rows)
    if not sys.stdin.isatty():
        refuse(f"{len(found)} dead letters would be {outcome}. To do it, add --yes.")
    typer.confirm(f"{len(found)} dead letters will be {outcome}. Continue?", abort=True)


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user in a container may have no name
        return f"user {os.getuid()}"


def _is_json(value: bytes) -> bool:
    """Return whether a payload can be shown as JSON, which is read deeper than it is written."""
    try:
        orjson.dumps(orjson.loads(value))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False
    return True


def _decoded(value: bytes) -> Any:
    return orjson.loads(value) if _is_json(value) else None


def _shown(value: bytes) -> str:
    """Format a payload for people: indented JSON, text with escaped controls, or hex."""
    if not value:
        return "(empty)"
    if _is_json(value):
        return printable(orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2).decode())
    start = value[:SHOWN_BYTES]
    more = f"\n… {len(value)} bytes in all" if len(value) > SHOWN_BYTES else ""
    try:
        return "not JSON, or nested too deep:\n" + printable(start.decode()) + more
    except UnicodeDecodeError:
        lines = [start[at : at + 16].hex(" ") for at in range(0, len(start), 16)]
        return "not text:\n" + "\n".join(lines) + more
