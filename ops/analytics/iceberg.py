"""Tables of Apache Iceberg, each with the positions on Kafka up to which it goes.

Iceberg commits one table at a time, and a topic has one table. So each snapshot names, in its
summary, the offsets of the topic after its rows: rows and offsets are one commit. A process that is
killed leaves files that no snapshot names; Iceberg's maintenance deletes such files.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, RESTError
from pyiceberg.expressions import And, BooleanExpression, GreaterThanOrEqual, LessThanOrEqual
from pyiceberg.table import Table, TableProperties
from pyiceberg.table.locations import load_location_provider
from sqlalchemy.exc import SQLAlchemyError

from ops.analytics.columns import UNREADABLE, UNREADABLE_COLUMNS, columns_of, table_of
from ops.analytics.destination import (
    DATABASE,
    MANIFEST,
    InUseError,
    Offsets,
    OtherTimeZoneError,
    Row,
    WriteError,
    locked,
    reason_of,
)
from ops.analytics.views import make_views, view_of
from shared.contracts import published
from shared.failpoint import failpoint
from shared.ids import new_id

NAMESPACE = "carrel"
OFFSETS, TIME_ZONE, TOPIC = "carrel.offsets", "carrel.time-zone", "carrel.topic"
TRIES = 5
"""Commits of a table that are tried if maintenance comes in between each time."""
POSITION = ("topic", "kafka_partition", "kafka_offset", "event_id")


class Lake:
    """The tables of one catalogue: one for each topic, and one of unreadable messages.

    A second writer is refused when it commits to a table that another has changed meanwhile.
    """

    def __init__(self, catalog: Catalog, time_zone: str, folder: Path | None = None) -> None:
        self.offsets: Offsets = {}
        self._catalog = catalog
        self._time_zone = time_zone
        self._folder = folder
        """The folder that gets views of DuckDB; None if the files may be elsewhere."""
        self._tables: dict[str, Table] = {}
        self._files: dict[str, list[str]] = {}
        self._changed: set[str] = set()
        """Tables that the views do not show as they are."""

    @classmethod
    @contextmanager
    def in_folder(cls, path: Path, time_zone: str) -> Iterator[Self]:
        """Yield the tables of a folder. Raises InUseError, OtherTimeZoneError or WriteError."""
        with locked(path):
            if (path / MANIFEST).exists():
                raise WriteError("it has tables without Iceberg")
            place = path.absolute()
            with _writing():
                catalog = SqlCatalog(
                    NAMESPACE, uri=f"sqlite:///{place / DATABASE}", warehouse=str(place)
                )
            with cls._opened(catalog, time_zone, path) as lake:
                yield lake

    @classmethod
    @contextmanager
    def named(cls, name: str, time_zone: str) -> Iterator[Self]:
        """Yield the tables of a catalogue that the settings of pyiceberg name."""
        try:
            with _writing():
                catalog = load_catalog(name)
        except ValueError as error:  # it has no address, or is of an unknown kind
            raise WriteError(str(error)) from error
        with cls._opened(catalog, time_zone) as lake:
            yield lake

    @classmethod
    @contextmanager
    def _opened(
        cls, catalog: Catalog, time_zone: str, folder: Path | None = None
    ) -> Iterator[Self]:
        lake = cls(catalog, time_zone, folder)
        with _writing():
            catalog.create_namespace_if_not_exists(NAMESPACE)
            for table in (*published(), UNREADABLE):
                lake._load(table)
        lake._changed = set(lake._tables)
        lake.show()
        try:
            yield lake
        finally:
            lake.show()

    def kept_among(self, topic: str, ids: Iterable[str]) -> set[str]:
        """Return those of these ids whose events are in the topic's table."""
        wanted = set(ids)
        if not wanted:
            return set()
        # Ids begin with their time, so the statistics of most files exclude them.
        near = And(_bound(GreaterThanOrEqual, min(wanted)), _bound(LessThanOrEqual, max(wanted)))
        with _writing():
            scan = self._tables[topic].scan(row_filter=near, selected_fields=("event_id",))
            return wanted.intersection(scan.to_arrow()["event_id"].to_pylist())

    def add(self, rows: Mapping[str, list[Row]], offsets: Offsets) -> None:
        """Add rows by table, each table with its offsets. Raises InUseError or WriteError."""
        with _writing():
            if unreadable := self._new_unreadable(rows.get(UNREADABLE, [])):
                self._append(UNREADABLE, unreadable, {})
            for topic, by_partition in offsets.items():
                after = {**self.offsets.get(topic, {}), **by_partition}
                self._append(topic, rows.get(topic, []), {OFFSETS: json.dumps(after)})
                self.offsets[topic] = after

    def show(self) -> None:
        """Make the views of the folder anew, if tables changed since. Raises WriteError."""
        if self._folder is None or not self._changed:
            return
        with _writing():
            for name in self._changed:
                # A table without rows has no file, so a file without rows gives the columns.
                columns = self._folder / "columns" / f"{view_of(name)}.parquet"
                columns.parent.mkdir(exist_ok=True)
                if name not in self._files:
                    pq.write_table(table_of([], _columns(name)), columns)
                tasks = self._tables[name].scan().plan_files()
                paths = (task.file.file_path for task in tasks)
                self._files[name] = [str(columns.absolute()), *paths]
            make_views(self._folder, self._files, self._time_zone)
        self._changed.clear()

    def rows(self) -> dict[str, int]:
        """Return the number of rows of each table that has any."""
        counts = {}
        for name, table in self._tables.items():
            snapshot = table.current_snapshot()
            if (
                snapshot
                and snapshot.summary
                and (count := int(snapshot.summary["total-records"] or 0))
            ):
                counts[name] = count
        return counts

    def _new_unreadable(self, rows: list[Row]) -> list[Row]:
        """Leave out rows of a run that was killed before it committed the offsets after them."""
        if not rows:
            return []
        kept = self._tables[UNREADABLE].scan(selected_fields=POSITION).to_arrow().to_pylist()
        positions = {tuple(row[name] for name in POSITION) for row in kept}
        return [row for row in rows if tuple(row[name] for name in POSITION) not in positions]

    def _append(self, name: str, rows: list[Row], summary: dict[str, str]) -> None:
        """Add rows and a summary in one commit, also if maintenance commits at the same time."""
        for _ in range(TRIES):
            table = self._tables[name]
            # pyiceberg would repeat the commit after that of another writer, with the same rows.
            table.metadata.properties[TableProperties.COMMIT_NUM_RETRIES] = "0"
            transaction = table.transaction()
            transaction.add_files(
                [_written(table, rows)] if rows else [],
                snapshot_properties=summary,
                check_duplicate_files=False,
            )
            failpoint("analytics.files")
            try:
                self._tables[name] = transaction.commit_transaction()
                self._changed.add(name)
            except CommitFailedException:
                self._tables[name] = table.refresh()
                if name == UNREADABLE or _offsets(table) != self.offsets.get(name, {}):
                    raise
                continue
            failpoint("analytics.committed")
            return
        raise WriteError(f"{name} is changed by others all the time")

    def _load(self, name: str) -> None:
        """Load or make a table, and give it the columns of its contract that it lacks."""
        identifier, columns = (NAMESPACE, view_of(name)), _columns(name)
        try:
            table = self._catalog.load_table(identifier)
        except NoSuchTableError:
            properties = {TIME_ZONE: self._time_zone, TOPIC: name}
            self._tables[name] = self._catalog.create_table(
                identifier, columns, properties=properties
            )
            return
        if (zone := table.properties.get(TIME_ZONE)) != self._time_zone:
            raise OtherTimeZoneError(zone)
        with table.update_schema() as change:
            change.union_by_name(columns)
        self._tables[name] = table
        if offsets := _offsets(table):
            self.offsets[name] = offsets


def _bound(kind: Any, event_id: str) -> BooleanExpression:
    """Return a condition; mypy takes the fields of its model for its arguments."""
    condition: BooleanExpression = kind("event_id", event_id)
    return condition


def _columns(name: str) -> Any:
    return UNREADABLE_COLUMNS if name == UNREADABLE else columns_of(name)


def _offsets(table: Table) -> dict[int, int]:
    """Return the offsets in the newest snapshot that has any.

    Newer ones can be of maintenance. After a rollback the rows that were taken back are read again.
    """
    snapshot = table.current_snapshot()
    while snapshot:
        if snapshot.summary and (kept := snapshot.summary.get(OFFSETS)):
            return {int(partition): offset for partition, offset in json.loads(kept).items()}
        parent = snapshot.parent_snapshot_id
        snapshot = table.snapshot_by_id(parent) if parent else None
    return {}


def _written(table: Table, rows: list[Row]) -> str:
    """Write rows to a new file of a table, and return its place.

    pyiceberg's own writer makes null lists of records empty (0.12).
    """
    columns = table.schema().as_arrow()
    known = [columns.field(name) for name in columns.names if name in rows[0]]
    locations = load_location_provider(table.location(), table.properties)
    place = locations.new_data_location(f"{new_id()}.parquet")
    with table.io.new_output(place).create() as file:
        pq.write_table(table_of(rows, pa.schema(known)), file, compression="zstd")
    return place


@contextmanager
def _writing() -> Iterator[None]:
    """Raise the errors of a destination instead of those of catalogues and files."""
    try:
        yield
    except CommitFailedException as error:
        raise InUseError from error
    except (OSError, RESTError, SQLAlchemyError) as error:
        raise WriteError(reason_of(error)) from error
