"""Output of the operator's commands: results on standard output, all else on standard error."""

import errno
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from services.registry import NAMES
from services.settings import Settings

errors = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, markup=False, emoji=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _service(value: str | None) -> str | None:
    if value and value not in NAMES:
        raise typer.BadParameter(f"no such service; there are {', '.join(NAMES)}")
    return value


ServiceOption = Annotated[
    str | None, typer.Option("--service", callback=_service, help="Only this service.")
]
ServiceArgument = Annotated[
    str, typer.Argument(callback=_service, metavar="SERVICE", help=", ".join(NAMES))
]


def refuse(sentence: str, code: int = 1) -> NoReturn:
    """End the command with a sentence that says what to do next, and an exit code."""
    errors.print(sentence, markup=False)
    raise typer.Exit(code)


def refuse_file_fault(error: OSError) -> None:
    """End the command if a file, and no connection, is at fault."""
    if error.errno == errno.ENOSPC:
        refuse("The disk is full. Make room, then run this again.")
    if error.filename is not None:
        refuse(f"{error.filename} can't be used ({error.strerror}). Give another place.")


@contextmanager
def explain_outages(settings: Settings) -> Iterator[None]:
    """End the command with a sentence and exit 1 if the database, the broker or a file fails."""
    try:
        yield
    except PyMongoError as error:
        # Without the URL, which may hold a password, and without documents.
        code = (getattr(error, "details", None) or {}).get("codeName", "")
        refuse(
            f"The database does not work ({code or type(error).__name__}). Start it, or set "
            "CARREL_MONGO_URL to where it is; `carrel doctor` says more."
        )
    except (KafkaError, OSError) as error:
        if isinstance(error, OSError):
            refuse_file_fault(error)
        refuse(
            f"The broker at {settings.kafka} does not work "
            f"({type(error).__name__}). Start it, or set CARREL_KAFKA to where it is; "
            "`carrel doctor` says more."
        )


UpdateStatus = Callable[[str], None]


@contextmanager
def show_status(text: str) -> Iterator[UpdateStatus]:
    """Show on a terminal that work goes on; the yielded function changes the text."""
    if not errors.is_terminal:
        yield lambda _: None
        return
    with errors.status(f"{text}…") as status:
        yield lambda changed: status.update(f"{changed}…")


def progress_bar(text: str) -> Progress:
    """Return a progress bar with a count on standard error; hidden if that is no terminal."""
    return Progress(
        TextColumn(text),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


def print_json(document: Any) -> None:
    """Print one JSON document on standard output; instants become ISO text."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
    """Print a table with numbers aligned to the right."""
    table = Table(box=None, pad_edge=False, title=title or None, title_justify="left")
    for at, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[at], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row))
    out.print(table)


def printable(text: str) -> str:
    """Return text with control characters escaped, so that it is safe on a terminal."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )
