"""Events a second of each way to tables and answers, in one run on one broker.

    .venv/bin/python -m benchmarks.engines [--events 600000] [--json]

Loans are checked out, become overdue and end. A bare loop of aiokafka parses their JSON and writes
Parquet files with pyarrow; `carrel analytics follow` writes Parquet files and Iceberg tables. Then
DuckDB, Spark and Flink answer with the ready table `lending_by_day`, DuckDB and Spark from Iceberg
and Flink from Kafka. Kafka Connect's sink writes the messages as Iceberg tables, and Quix Streams
counts the overdue loans, which are a third of the events. Seconds are those of processors, of
children too; a JVM's start is among them. All but `follow` and DuckDB need `make test-engines` to
have run once; without it they are left out.
"""

import asyncio
import json
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from aiokafka import AIOKafkaConsumer
from pyiceberg.exceptions import NoSuchTableError
from sqlalchemy.exc import OperationalError

from benchmarks.show import options, show
from ops.analytics.engines import NAMESPACE, connector, flink_sql, spark_sql
from ops.analytics.folder import Folder
from ops.analytics.follow import Follower
from ops.analytics.iceberg import Lake
from ops.analytics.views import VIEWS, view_of
from ops.infrastructure import ports
from ops.infrastructure.embedded import embedded
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.contracts import circulation
from shared.mongo import Document
from shared.names import Names
from tests import samples
from tests.engines import sink
from tests.engines.jars import jars
from tests.published import publish, recorded
from tests.systems import PROJECT

PYTHON = PROJECT / ".venv" / "engines" / "bin" / "python"
TABLE = "lending_by_day"
BATCH = 50_000
TOPICS = ("loan.checked-out", "loan.overdue", "loan.returned")
SINK = "Kafka Connect's sink"
QUIX = "Quix Streams, counts"
LONGEST = 600
"""Seconds for the sink, which is stopped once its tables have all events."""


def loans(first: int, count: int) -> list[Document]:
    """Return the three events of some loans."""
    rows = []
    for number in range(first, first + count):
        hours = 24.0 * (number % 60)
        day = samples.at(hours).date()
        common: dict[str, Any] = {
            "loan_id": f"loan-{number}",
            "branch": f"BR{number % 40}",
            "patron_id": f"patron-{number % 5000}",
            "borrowed_on": day,
            "due_on": day + timedelta(days=14),
        }
        rows += [
            recorded(samples.loan(circulation.LoanCheckedOut, 1, **common), hours),
            recorded(samples.loan(circulation.LoanOverdue, 2, **common), hours + 15 * 24),
            recorded(
                samples.returned(3, returned_on=day + timedelta(days=16), **common),
                hours + 16 * 24,
            ),
        ]
    return rows


def processor_seconds() -> float:
    """Return the seconds of processors that this process and its ended children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


async def bare(settings: Settings, folder: Path) -> None:
    """Parse the JSON of all messages and write it as Parquet files, without checks."""
    reader = AIOKafkaConsumer(
        *TOPICS, bootstrap_servers=settings.kafka, auto_offset_reset="earliest"
    )
    await reader.start()
    try:
        ends = await reader.end_offsets(reader.assignment())
        waiting: dict[str, list[Any]] = {topic: [] for topic in TOPICS}
        while any([await reader.position(one) < end for one, end in ends.items()]):
            for partition, messages in (await reader.getmany(timeout_ms=500)).items():
                waiting[partition.topic] += [json.loads(message.value) for message in messages]
            if sum(map(len, waiting.values())) >= BATCH:
                _write(folder, waiting)
        _write(folder, waiting)
    finally:
        await reader.stop()


def _write(folder: Path, waiting: dict[str, list[Any]]) -> None:
    for topic, rows in waiting.items():
        if rows:
            name = f"{topic}-{len(list(folder.iterdir()))}.parquet"
            pq.write_table(pa.Table.from_pylist(rows), folder / name, compression="zstd")
            rows.clear()


async def _follow(settings: Settings, tables: Any) -> None:
    with tables as opened:
        await Follower(settings, opened).run(until_now=True)


def _ask(lake: Path) -> None:
    with duckdb.connect(str(lake / VIEWS), read_only=True) as database:
        database.execute(f"FROM {TABLE}").fetchall()


def _run(*command: str | Path, **environment: str) -> None:
    subprocess.run(  # noqa: S603
        command, env={**os.environ, **environment}, check=True, capture_output=True
    )


@contextmanager
def _running(folder: Path, *command: str | Path, **environment: str) -> Iterator[Popen[str]]:
    """Run a program in a folder until the end of the block; its log goes to a file there."""
    with (
        (folder / "log").open("w") as log,
        Popen(  # noqa: S603
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def _sink(settings: Settings, folder: Path, events: int) -> None:
    """Run Kafka Connect until its tables have all events. Raises TimeoutError after 10 minutes."""
    lake = folder / "tables"
    lake.mkdir(parents=True)
    made = connector(Names(), sink.catalog_properties(lake))
    command = sink.command(folder, settings.kafka, ports.reserve(), made)
    with _running(folder, *command) as process:
        deadline = time.monotonic() + LONGEST
        while _sunk(lake) < events:
            if process.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError((folder / "log").read_text()[-2000:])
            time.sleep(1)  # the sink commits each second


def _sunk(lake: Path) -> int:
    """Return the number of rows in the sink's tables."""
    found = 0
    for topic in TOPICS:
        # Tables come with their first message, and SQLite has one writer.
        with suppress(NoSuchTableError, OperationalError):
            table = sink.catalog(lake).load_table((NAMESPACE, view_of(topic)))
            snapshot = table.current_snapshot()
            if snapshot and snapshot.summary:
                found += int(snapshot.summary["total-records"] or 0)
    return found


def _count_overdue(settings: Settings, folder: Path, loans: int) -> None:
    """Run the example of Quix Streams until it has printed a count for each overdue loan."""
    folder.mkdir()
    example = PROJECT / "examples" / "overdue_by_week.py"
    with _running(folder, PYTHON, example, KAFKA=settings.kafka) as process:
        printed = sum(1 for _ in islice(process.stdout or (), loans))
    if printed < loans:
        raise RuntimeError((folder / "log").read_text()[-2000:])


def measure(settings: Settings, folder: Path, events: int) -> dict[str, float]:
    """Return the events a second of a processor of each way."""
    lake, zone = folder / "lake", settings.time_zone
    (folder / "bare").mkdir()
    ways: list[tuple[str, Callable[[], Any]]] = [
        ("bare loop to Parquet", lambda: asyncio.run(bare(settings, folder / "bare"))),
        (
            "follow to Parquet",
            lambda: asyncio.run(_follow(settings, Folder.opened(folder / "files", zone))),
        ),
        ("follow to Iceberg", lambda: asyncio.run(_follow(settings, Lake.in_folder(lake, zone)))),
        ("DuckDB, from Iceberg", lambda: _ask(lake)),
    ]
    if PYTHON.exists():
        spark, flink = folder / "spark.sql", folder / "flink.sql"
        spark.write_text(_script(list(spark_sql(zone))))
        flink.write_text(_script(list(flink_sql(zone, settings.kafka, Names()))))
        found = ",".join(map(str, jars("spark").glob("*.jar")))
        job, runner = (
            PROJECT / "examples" / "spark_tables.py",
            PROJECT / "tests/engines/RunSql.java",
        )
        ways += [
            (
                "Spark, from Iceberg",
                # The JVM is the child here, so that its seconds are counted.
                lambda: _run(
                    *(PYTHON.with_name("spark-submit"), "--jars", found),
                    *(job, lake, spark, TABLE),
                    SPARK_JARS=found,
                    PYSPARK_PYTHON=str(PYTHON),
                ),
            ),
            (
                "Flink, from Kafka",
                lambda: _run("java", "-Xmx2g", "-cp", f"{jars('flink')}/*", runner, flink, TABLE),
            ),
            (SINK, lambda: _sink(settings, folder / "connect", events)),
            (QUIX, lambda: _count_overdue(settings, folder / "quix", events // len(TOPICS))),
        ]
    rates = {}
    for name, way in ways:
        before = processor_seconds()
        way()
        handled = events // len(TOPICS) if name == QUIX else events
        rates[name] = handled / (processor_seconds() - before)
    return rates


def _script(statements: Sequence[str]) -> str:
    return "".join(f"{statement};\n\n" for statement in statements)


def main() -> None:
    """Publish events, measure and print."""
    asked = options(events=600_000)
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded(Path(folder), mongo=False, kafka_port=None, broker="apache") as infrastructure,
    ):
        settings = Settings(kafka=infrastructure.kafka, partitions=3)

        async def prepare() -> None:
            await ensure_topics(settings, NAMES)
            await sink.make_control_topic(settings.kafka)
            for first in range(0, asked.events // 3, 2_000):
                count = min(2_000, asked.events // 3 - first)
                await publish(settings, loans(first, count))

        asyncio.run(prepare())
        rates = measure(settings, Path(folder), asked.events // 3 * 3)
    base = rates["bare loop to Parquet"]
    rows = {
        name: {"events_per_second": round(rate), "percent_of_bare": round(100 * rate / base)}
        for name, rate in rates.items()
    }
    show(rows, as_json=asked.json)


if __name__ == "__main__":
    main()
