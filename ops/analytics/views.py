"""DuckDB views over Parquet files: of each table, of all events, and ready tables."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb

from ops.analytics.columns import MESSAGE
from shared.contracts import published, resource_of

VIEWS = "carrel.duckdb"
READY_TABLES = Path(__file__).parent / "tables"
"""Queries that answer usual questions, each a view with the name of its file."""


def make_views(folder: Path, files: Mapping[str, Iterable[Path | str]], time_zone: str) -> None:
    """Replace a folder's database of views over the files of each table.

    Views name files by their place, so they are made again after each change of the files.
    """
    new = folder / f"{VIEWS}.new"
    new.unlink(missing_ok=True)
    with duckdb.connect(str(new)) as database:
        for table, paths in files.items():
            database.execute(f"CREATE VIEW {view_of(table)} AS FROM {parquet(paths)}")
        shared_columns = ", ".join(MESSAGE)
        parts = (
            f"SELECT '{topic}' AS topic, '{resource_of(topic)}' AS resource, "  # noqa: S608
            f"{contract.subject_field} AS subject, version, {shared_columns} "
            f"FROM {view_of(topic)}"
            for topic, contract in published().items()
        )
        database.execute(f"CREATE VIEW events AS {' UNION ALL '.join(parts)}")
        database.execute(
            f"CREATE MACRO library_day(instant) AS CAST(timezone('{time_zone}', instant) AS DATE)"
        )
        hour = f"hour(timezone('{time_zone}', instant))"
        database.execute(f"CREATE MACRO library_hour(instant) AS {hour}")
        for file in sorted(READY_TABLES.glob("*.sql")):
            database.execute(f"CREATE VIEW {file.stem} AS {file.read_text()}")
    new.replace(folder / VIEWS)


def view_of(table: str) -> str:
    """Return the name of a table's view: `loan_checked_out` for the topic `loan.checked-out`."""
    return table.replace(".", "_").replace("-", "_")


def parquet(paths: Iterable[Path | str]) -> str:
    """Return the SQL that reads files; a column that one of them lacks is null there."""
    return f"read_parquet([{', '.join(map(quoted, paths))}], union_by_name = true)"


def quoted(path: Path | str) -> str:
    """Return a path as a string of SQL."""
    return "'" + str(path).replace("'", "''") + "'"
