"""What the operator's commands stand on: the system they speak to, and how they tell things.

Answers go to standard output, all else to standard error.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ops.processes import LEFT
from shared.bus import SERVICES
from shared.settings import Settings, load

errors = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, markup=False, emoji=False)

AsJson = Annotated[bool, typer.Option("--json", help="The same as one JSON document.")]
Data = Annotated[
    Path,
    typer.Option(
        "--data", help="Of `carrel up`: its system is meant if neither variable names another."
    ),
]
DATA = Path(".data/up")


def _service(value: str | None) -> str | None:
    if value and value not in SERVICES:
        raise typer.BadParameter(f"no such service; there are {', '.join(SERVICES)}")
    return value


OneService = Annotated[
    str | None, typer.Option("--service", callback=_service, help="Only of this service.")
]
TheService = Annotated[
    str, typer.Argument(callback=_service, metavar="SERVICE", help=", ".join(SERVICES))
]


def settings_of(data: Path) -> Settings:
    """The settings of the system that is meant.

    It is that of CARREL_MONGO_URL and CARREL_KAFKA; where neither is set, the one that `carrel up`
    runs in `data`. Never the database of one and the broker of another.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # failures are told in words here
    left = data / LEFT
    if not {"CARREL_MONGO_URL", "CARREL_KAFKA"} & set(os.environ) and left.is_file():
        for name, value in json.loads(left.read_text()).items():
            os.environ.setdefault(name, value)
    return load(Settings)


def refuse(sentence: str, code: int = 1) -> NoReturn:
    """End the command with a sentence that says what to do next."""
    errors.print(sentence, markup=False)
    raise typer.Exit(code)


@contextmanager
def told_in_words(settings: Settings) -> Iterator[None]:
    """Ends the command with exit 1 and a sentence where the database or the broker is away."""
    try:
        yield
    except PyMongoError as error:
        # Not the URL: it may hold a password.
        refuse(
            f"The database does not answer as it should ({type(error).__name__}). Start it, or set "
            "CARREL_MONGO_URL to where it is; `carrel doctor` says more."
        )
    except (KafkaError, OSError) as error:
        refuse(
            f"The broker at {settings.kafka} does not answer as it should "
            f"({type(error).__name__}). Start it, or set CARREL_KAFKA to where it is; "
            "`carrel doctor` says more."
        )


Tell = Callable[[str], None]


@contextmanager
def working(what: str) -> Iterator[Tell]:
    """Shows on a terminal that something goes on; what is given says what."""
    if not errors.is_terminal:
        yield lambda _: None
        return
    with errors.status(f"{what}…") as status:
        yield lambda now: status.update(f"{now}…")


def counted(what: str) -> Progress:
    """A bar with a count on standard error; on no terminal it shows nothing."""
    return Progress(
        TextColumn(what),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


def print_json(document: Any) -> None:
    """One JSON document on standard output; instants as ISO text."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
    """A table; numbers stand to the right."""
    table = Table(box=None, pad_edge=False, title=title or None, title_justify="left")
    for at, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[at], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row))
    out.print(table)


def printable(text: str) -> str:
    """Text that can do nothing to a terminal but be read."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )
