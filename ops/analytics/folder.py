"""A folder of Parquet files, with the positions on Kafka up to which they go.

`manifest.json` names the files that count and the positions, and is replaced as a whole: a
process that is killed leaves files that nothing names, which the next one deletes. The views in
`carrel.duckdb` are made from the manifest, so they can be made again at any time.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ops.analytics.columns import UNREADABLE, UNREADABLE_COLUMNS, columns_of, table_of
from ops.analytics.destination import (
    DATABASE,
    MANIFEST,
    Offsets,
    OtherTimeZoneError,
    Row,
    WriteError,
    locked,
)
from ops.analytics.views import make_views, parquet, quoted
from shared.contracts import published
from shared.failpoint import failpoint

SMALL_ROWS = 50_000
MOST_SMALL_FILES = 20
"""Files with fewer than SMALL_ROWS rows above which those of a table are put together."""


class Folder:
    """The tables of one folder: one for each topic, and one of unreadable messages.

    Only one process may write to a folder; `opened` makes sure of that.
    """

    def __init__(self, path: Path, time_zone: str) -> None:
        self.path = path
        self.offsets: Offsets = {}
        self._time_zone = time_zone
        self._files: dict[str, dict[str, int]] = {}
        """The number of rows of each file of each table."""
        self._columns: dict[str, str] = {}
        """The columns with their types that the newest file of each table has."""
        self._number = 0
        self._shown = True
        """True if the views are those of the manifest."""

    @classmethod
    @contextmanager
    def opened(cls, path: Path, time_zone: str) -> Iterator[Self]:
        """Yield a folder for writing. Raises InUseError, OtherTimeZoneError or WriteError."""
        with locked(path):
            if (path / DATABASE).exists():
                raise WriteError("it has tables of Iceberg")
            folder = cls(path, time_zone)
            folder._load()
            with _writing():
                folder._delete_unnamed()
                folder._put_small_files_together()
            # Tables and columns of new contracts, and views: the last process may have been killed.
            folder.add({}, {})
            folder.show()
            try:
                yield folder
            finally:
                folder.show()

    def kept_among(self, topic: str, ids: Iterable[str]) -> set[str]:
        """Return those of these ids whose events are in the topic's table."""
        wanted = set(ids)
        if not wanted or not self._rows(topic):
            return set()
        with duckdb.connect() as database:
            database.register("wanted", pa.table({"event_id": sorted(wanted)}))
            # Ids begin with their time, so the statistics of most files exclude them.
            found = database.execute(
                f"SELECT event_id FROM {parquet(self._paths(topic))} SEMI JOIN wanted "  # noqa: S608
                "USING (event_id) WHERE event_id BETWEEN $first AND $last",
                {"first": min(wanted), "last": max(wanted)},
            ).fetchall()
        return {event_id for (event_id,) in found}

    def add(self, rows: Mapping[str, list[Row]], offsets: Offsets) -> None:
        """Add rows by table, and the offsets after them, in one step. Raises WriteError."""
        with _writing():
            for table in (*published(), UNREADABLE):
                columns = UNREADABLE_COLUMNS if table == UNREADABLE else columns_of(table)
                # A table without rows has a file too, so that it has its columns.
                if rows.get(table) or self._columns.get(table) != str(columns):
                    self._write(table, table_of(rows.get(table, []), columns))
                    self._columns[table] = str(columns)
            failpoint("analytics.files")
            for topic, by_partition in offsets.items():
                self.offsets.setdefault(topic, {}).update(by_partition)
            self._commit()

    def show(self) -> None:
        """Replace the views, if rows were added since. Raises WriteError."""
        if self._shown:
            return
        with _writing():
            files = {table: self._paths(table) for table in self._files}
            make_views(self.path, files, self._time_zone)
        self._shown = True

    def rows(self) -> dict[str, int]:
        """Return the number of rows of each table that has any."""
        return {table: count for table in self._files if (count := self._rows(table))}

    def _rows(self, table: str) -> int:
        return sum(self._files.get(table, {}).values())

    def _paths(self, table: str) -> list[str]:
        return [str((self.path / name).absolute()) for name in self._files[table]]

    def _new_name(self, table: str) -> str:
        self._number += 1
        (self.path / table).mkdir(exist_ok=True)
        return f"{table}/{self._number:08}.parquet"

    def _write(self, table: str, rows: Any) -> None:
        name = self._new_name(table)
        pq.write_table(rows, self.path / name, compression="zstd")
        _flush(self.path / name)
        self._files.setdefault(table, {})[name] = rows.num_rows

    def _commit(self) -> None:
        """Replace the manifest."""
        manifest = {
            "time_zone": self._time_zone,
            "number": self._number,
            "offsets": self.offsets,
            "tables": {
                table: {"columns": self._columns[table], "files": files}
                for table, files in self._files.items()
            },
        }
        new = self.path / f"{MANIFEST}.new"
        new.write_text(json.dumps(manifest, indent=1))
        _flush(new)
        for folder in (*(self.path / table for table in self._files), self.path):
            _flush(folder)
        new.replace(self.path / MANIFEST)
        _flush(self.path)
        self._shown = False
        failpoint("analytics.committed")

    def _load(self) -> None:
        try:
            manifest = json.loads((self.path / MANIFEST).read_bytes())
        except FileNotFoundError:
            return
        if manifest["time_zone"] != self._time_zone:
            raise OtherTimeZoneError(manifest["time_zone"])
        self._number = manifest["number"]
        self.offsets = {
            topic: {int(partition): offset for partition, offset in by_partition.items()}
            for topic, by_partition in manifest["offsets"].items()
        }
        self._files = {table: found["files"] for table, found in manifest["tables"].items()}
        self._columns = {table: found["columns"] for table, found in manifest["tables"].items()}

    def _delete_unnamed(self) -> None:
        """Delete the files of a process that was killed, and those that were put together."""
        named = {name for files in self._files.values() for name in files}
        for file in self.path.glob("*/*.parquet"):
            if str(file.relative_to(self.path)) not in named:
                file.unlink()

    def _put_small_files_together(self) -> None:
        """Replace the small files of a table by one, if there are many."""
        changed = False
        for table, files in self._files.items():
            small = [name for name, count in files.items() if count < SMALL_ROWS]
            if len(small) <= MOST_SMALL_FILES:
                continue
            name = self._new_name(table)
            duckdb.execute(
                f"COPY (FROM {parquet([self.path / one for one in small])}) "
                f"TO {quoted(self.path / name)} (FORMAT parquet, COMPRESSION zstd)"
            )
            _flush(self.path / name)
            count = sum(files.pop(one) for one in small)
            files[name] = count
            changed = True
        if changed:
            self._commit()
            self._delete_unnamed()


@contextmanager
def _writing() -> Iterator[None]:
    """Raise WriteError instead of the errors of a folder that cannot be written."""
    try:
        yield
    except (OSError, duckdb.IOException) as error:
        raise WriteError(str(error)) from error


def time_zone_of(path: Path) -> str:
    """Return the time zone of the business days in a folder."""
    return str(json.loads((path / MANIFEST).read_bytes())["time_zone"])


def _flush(path: Path) -> None:
    """Wait until a file or the names in a folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
