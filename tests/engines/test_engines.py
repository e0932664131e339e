"""Other engines give the same answers as DuckDB, from the same events on Apache Kafka."""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyiceberg.exceptions import NoSuchTableError
from sqlalchemy.exc import OperationalError

from ops.analytics import engines
from ops.analytics.follow import Follower
from ops.analytics.iceberg import Lake
from ops.analytics.views import READY_TABLES, VIEWS
from ops.infrastructure import ports
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.contracts import circulation
from shared.mongo import Document
from tests import samples
from tests.engines import sink
from tests.engines.jars import jars
from tests.published import every_sample, publish, recorded
from tests.support import until
from tests.systems import PROJECT

pytestmark = pytest.mark.engines
WEEK = 24 * 7
PYTHON = PROJECT / ".venv" / "engines" / "bin" / "python"


@pytest.fixture
async def settings(kafka: str) -> Settings:
    settings = Settings(kafka=kafka, partitions=3)
    await ensure_topics(settings, NAMES)
    return settings


@asynccontextmanager
async def running(
    settings: Settings, folder: Path, *command: str | Path, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a program in a folder; its log goes to a file there."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env={**kept, "KAFKA": settings.kafka, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            limit=1_000_000,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def printed(settings: Settings, folder: Path, *command: str | Path, **more: str) -> str:
    """Return what a program prints before it ends well."""
    async with running(settings, folder, *command, **more) as process:
        out, _ = await process.communicate()
    assert process.returncode == 0, (folder / "log").read_text()[-5000:]
    return out.decode()


async def statements(settings: Settings, folder: Path, *arguments: str) -> Path:
    """Return the file of what a command of `carrel analytics` prints."""
    command = (sys.executable, "-m", "ops", "analytics", *arguments)
    place = {"PYTHONPATH": str(PROJECT), "CARREL_KAFKA": settings.kafka}
    file = folder / "statements"
    file.write_text(await printed(settings, folder, *command, **place))
    return file


def stories() -> list[Document]:
    """Return kept samples, and sixty loans at three libraries, of which some are late or end."""
    # Some samples have the same version of a resource; of equal versions any may be the newest.
    rows = list(
        {
            (event.subject, event.version): row
            for kept in every_sample().values()
            for row, event in kept.values()
        }.values()
    )
    for number in range(60):
        at = 24.0 * (number % 20)
        borrowed = samples.at(at).date()
        common: dict[str, Any] = {
            "loan_id": f"loan-{number}",
            "branch": ("HKCL", "TSY", "LFU")[number % 3],
            "borrowed_on": borrowed,
            "due_on": borrowed + timedelta(days=14),
        }
        rows.append(recorded(samples.loan(circulation.LoanCheckedOut, 1, **common), at))
        if number % 4 == 0:
            rows.append(recorded(samples.loan(circulation.LoanOverdue, 2, **common), at + 15 * 24))
        if number % 2 == 0:
            back = borrowed + timedelta(days=16)
            returned = samples.returned(3, returned_on=back, **common)
            rows.append(recorded(returned, at + 16 * 24))
    return rows


@pytest.fixture
async def lake(settings: Settings, tmp_path: Path) -> Path:
    """A folder of Iceberg tables, made from every event twice and in any order."""
    rows = stories() * 2
    random.Random(4).shuffle(rows)  # noqa: S311
    await publish(settings, rows)
    with Lake.in_folder(tmp_path / "lake", settings.time_zone) as opened:
        await Follower(settings, opened).run(until_now=True)
    return tmp_path / "lake"


def plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def rows_of(lake: Path, table: str) -> list[dict[str, Any]]:
    """Return the rows of a ready table as DuckDB gives them."""
    with duckdb.connect(str(lake / VIEWS), read_only=True) as database:
        found = database.execute(f"FROM {table}")
        names = [column[0] for column in found.description]
        return [
            {name: plain(value) for name, value in zip(names, row, strict=True)}
            for row in found.fetchall()
        ]


def java(value: Any) -> str:
    """Return a value as Java writes it."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(plain(value))


def texts_of(lake: Path, table: str) -> list[list[str]]:
    """Return the rows of a ready table as DuckDB gives them, as Java writes their values."""
    with duckdb.connect(str(lake / VIEWS), read_only=True) as database:
        rows = database.execute(f"FROM {table}").fetchall()
    return [[java(value) for value in row] for row in rows]


def in_order(rows: list[Any]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


async def test_spark_has_the_same_ready_tables_as_duckdb(
    settings: Settings, lake: Path, tmp_path: Path
) -> None:
    # Rows of loan_changes have instants and lists, which Spark prints in other ways.
    tables = sorted(file.stem for file in READY_TABLES.glob("*.sql") if file.stem != "loan_changes")
    ready = await statements(settings, tmp_path, "sql", "spark")
    out = await printed(
        settings,
        tmp_path,
        *(PYTHON, PROJECT / "examples" / "spark_tables.py", lake, ready),
        *tables,
        SPARK_JARS=",".join(map(str, jars("spark").glob("*.jar"))),
    )
    found: dict[str, list[Any]] = {table: [] for table in tables}
    for line in out.splitlines():
        table, _, row = line.partition(" ")
        found[table].append(json.loads(row))
    for table in tables:
        assert found[table], f"{table} has no row"
        assert in_order(found[table]) == in_order(rows_of(lake, table)), table


async def test_flink_has_the_same_ready_tables_as_duckdb(
    settings: Settings, lake: Path, tmp_path: Path
) -> None:
    ready = await statements(settings, tmp_path, "sql", "flink")
    tables = [line.split()[2] for line in ready.read_text().splitlines() if " VIEW " in line]
    tables = [name for name in tables if (READY_TABLES / f"{name}.sql").exists()]
    assert len(tables) == 11  # Flink knows the others too: it parses them when it makes views
    tables = ["holds", "lending_by_day", "loans", "titles"]  # each is a job of some seconds
    out = await printed(
        settings,
        tmp_path,
        *("java", "-Xmx1g", "-XX:TieredStopAtLevel=1", "-cp", f"{jars('flink')}/*"),
        *(PROJECT / "tests" / "engines" / "RunSql.java", ready),
        *tables,
    )
    found: dict[str, list[Any]] = {table: [] for table in tables}
    for line in out.splitlines():
        table, *fields = line.split("\t")
        found[table].append(fields)
    for table in tables:
        assert sorted(found[table]) == sorted(texts_of(lake, table)), table


async def test_the_sink_of_kafka_connect_writes_each_message_to_the_table_of_its_topic(
    settings: Settings, tmp_path: Path
) -> None:
    events = [
        recorded(samples.loan(circulation.LoanCheckedOut, 1, f"loan-{number}"), number)
        for number in range(9)
    ]
    await publish(settings, [*events, recorded(samples.returned(2, "loan-1"), 20)])
    await sink.make_control_topic(settings.kafka)
    place = tmp_path / "lake"
    place.mkdir()
    options = [
        part
        for name, value in sink.catalog_properties(place).items()
        for part in ("--catalog", f"{name}={value}")
    ]
    made = json.loads((await statements(settings, tmp_path, "connector", *options)).read_text())
    port = ports.reserve()
    command = sink.command(tmp_path, settings.kafka, port, made)
    catalog = sink.catalog(place)
    found: dict[str, list[Any]] = {}

    async def complete() -> bool:
        for name, count in (("loan_checked_out", 9), ("loan_returned", 1)):
            try:
                table = catalog.load_table((engines.NAMESPACE, name))
            except (NoSuchTableError, OperationalError):  # SQLite has one writer
                return False
            found[name] = table.scan().to_arrow().to_pylist()
            if len(found[name]) < count:
                return False
        return True

    async with running(settings, tmp_path, *command):
        await until(complete, within=200, every=0.5)
    ports.release(port)
    assert sorted(row["loan_id"] for row in found["loan_checked_out"]) == [
        f"loan-{number}" for number in range(9)
    ]
    positions = {(row["kafka_partition"], row["kafka_offset"]) for row in found["loan_checked_out"]}
    assert len(positions) == 9
    assert [row["topic"] for row in found["loan_returned"]] == ["loan.returned"]


async def test_quix_streams_counts_overdue_loans_once_by_library_and_week(
    settings: Settings, tmp_path: Path
) -> None:
    overdue = circulation.LoanOverdue
    # START is a Monday; weeks of Unix time begin on Thursdays.
    rows = [
        recorded(samples.loan(overdue, 2, "loan-1"), 0),
        recorded(samples.loan(overdue, 2, "loan-2", patron_id="patron-2"), 24),
        recorded(samples.loan(overdue, 3, "loan-1", notice=2), WEEK),
        recorded(samples.loan(overdue, 2, "loan-3", patron_id="patron-3"), WEEK),
        recorded(samples.loan(overdue, 2, "loan-4", branch="TSY"), 2),
    ]
    rows *= 2
    random.Random(3).shuffle(rows)  # noqa: S311
    await publish(settings, rows)
    example = PROJECT / "examples" / "overdue_by_week.py"
    async with running(settings, tmp_path, PYTHON, example) as process:
        assert process.stdout is not None
        lines = [await process.stdout.readline() for _ in range(4)]
        # Another one after all repetitions of these: it is the next line.
        await publish(settings, [recorded(samples.loan(overdue, 2, "loan-5"), 2 * WEEK)])
        lines.append(await process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest = await process.stdout.read()
    assert sorted(lines) == [
        b"2021-01-28 HKCL 1\n",
        b"2021-01-28 HKCL 2\n",
        b"2021-01-28 TSY 1\n",
        b"2021-02-04 HKCL 1\n",
        b"2021-02-11 HKCL 1\n",
    ]
    assert rest == b""
