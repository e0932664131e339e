"""Places that take the events as tables, and the ways in which they refuse to."""

import fcntl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

MANIFEST, DATABASE = "manifest.json", "catalog.db"
"""Files by which folders of Parquet files and of Iceberg tables are known."""
LOCK = "lock"
"""File of a folder that its writer locks."""

Row = dict[str, Any]
Offsets = dict[str, dict[int, int]]
"""The offset of the next message, by topic and partition."""


class InUseError(Exception):
    """Another process writes to the same tables."""


class OtherTimeZoneError(Exception):
    """The business days of the tables are those of another time zone."""


class WriteError(Exception):
    """The tables cannot be written."""


class Destination(Protocol):
    """Tables, one for each topic and one of unreadable messages, with the offsets they go up to."""

    offsets: Offsets

    def kept_among(self, topic: str, ids: Iterable[str]) -> set[str]:
        """Return those of these ids whose events are in the topic's table."""

    def add(self, rows: Mapping[str, list[Row]], offsets: Offsets) -> None:
        """Add rows by table, and the offsets after them. Raises InUseError or WriteError."""

    def show(self) -> None:
        """Let readers of the views see the rows that were added. Raises WriteError."""

    def rows(self) -> dict[str, int]:
        """Return the number of rows of each table that has any."""


def reason_of(error: Exception) -> str:
    """Return why a place can't be written; of a file without number and path."""
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only writer of a folder, which is made if missing. Raises InUseError or WriteError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a")
    except OSError as error:
        raise WriteError(reason_of(error)) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError from None
        yield
