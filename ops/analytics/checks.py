"""Declarations of ready tables, and what a folder of tables has of them.

The first lines of a table's file say its key, the tables that it reads, and how old the newest of
their events may be, since the library is closed now and then.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from ops.analytics.views import READY_TABLES, VIEWS

_HEAD = re.compile(
    r"^-- Key: (.+)\n-- Reads: (.+)\n-- Fresh: (?:at any age|within (\d+) days)$", re.MULTILINE
)


@dataclass(frozen=True)
class Declaration:
    """The key, sources and freshness that the file of a ready table declares."""

    key: tuple[str, ...]
    """Columns whose values no two rows share; empty if there are none."""
    reads: tuple[str, ...]
    fresh_within: timedelta | None
    """Age of its newest event at which something is wrong; None: it has none for years."""


@dataclass(frozen=True)
class Checked:
    """A ready table of a folder."""

    table: str
    rows: int
    doubled: int
    """Rows whose key another row has."""
    newest: datetime | None
    """Instant at which the newest of its events was recorded."""
    late: bool


def declaration_of(table: str) -> Declaration:
    """Return what is declared about a ready table."""
    found = _HEAD.search((READY_TABLES / f"{table}.sql").read_text())
    if found is None:
        raise ValueError(f"{table} declares nothing")
    key, reads, days = found.groups()
    return Declaration(
        key=() if key == "none" else tuple(key.split(", ")),
        reads=tuple(reads.split(", ")),
        fresh_within=None if days is None else timedelta(days=int(days)),
    )


def declarations() -> dict[str, Declaration]:
    """Return what is declared about each ready table."""
    return {file.stem: declaration_of(file.stem) for file in sorted(READY_TABLES.glob("*.sql"))}


def check_tables(folder: Path, now: datetime) -> Iterator[Checked]:
    """Yield each ready table with its doubled rows and the age of its events."""
    declared = declarations()

    def topics(table: str) -> set[str]:
        if table not in declared:
            return {table}
        return {topic for source in declared[table].reads for topic in topics(source)}

    with duckdb.connect(str(folder / VIEWS), read_only=True) as database:
        for table, one in declared.items():
            every = f"SELECT count(*) FROM {table}"  # noqa: S608
            [(rows,)] = database.execute(every).fetchall()
            keys = rows
            if one.key:
                different = f"SELECT DISTINCT {', '.join(one.key)} FROM {table}"  # noqa: S608
                [(keys,)] = database.execute(f"SELECT count(*) FROM ({different})").fetchall()  # noqa: S608
            union = " UNION ALL ".join(f"SELECT recorded_at FROM {t}" for t in topics(table))  # noqa: S608
            [(newest,)] = database.execute(f"SELECT max(recorded_at) FROM ({union})").fetchall()  # noqa: S608
            # A library without study rooms never has an event of them.
            late = bool(newest and one.fresh_within and now - newest > one.fresh_within)
            yield Checked(table, rows, rows - keys, newest, late)
