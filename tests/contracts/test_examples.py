"""The examples of consumers run as they are, on a real broker, with every event twice.

The samples of all contracts are read as these examples read their messages.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from ops.commands.contracts import FOLDER
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.contracts import Event, circulation, contract_name, published
from shared.names import Names
from shared.outbox import outbox_row
from shared.relay import outbox_producer, send_row
from tests import patience, samples
from tests.contracts.test_samples import samples_of
from tests.systems import PROJECT


@pytest.fixture
async def settings(kafka: str) -> Settings:
    settings = Settings(kafka=kafka, partitions=3)
    await ensure_topics(settings, NAMES)
    return settings


async def publish_twice(settings: Settings, events: Sequence[Event]) -> None:
    """Publish events as their service does, each twice, in any order."""
    rows = [
        outbox_row(
            event,
            service=event.publisher,
            now=samples.at(hours),
            correlation_id="a request",
            causation_id="",
        )
        for hours, event in enumerate(events)
    ]
    rows *= 2
    random.Random(3).shuffle(rows)  # noqa: S311
    producer = outbox_producer(settings, "a-service")
    await producer.start()
    try:
        await asyncio.gather(*[await send_row(producer, row, Names()) for row in rows])
    finally:
        await producer.stop()


@asynccontextmanager
async def running(
    settings: Settings, example: str, folder: Path, program: str = sys.executable
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start an example in an empty folder; it has nothing but the address of the broker."""
    process = await asyncio.create_subprocess_exec(
        program,
        str(PROJECT / "examples" / example),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "KAFKA": settings.kafka},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_plain_consumer_counts_each_overdue_loan_once(
    settings: Settings, tmp_path: Path
) -> None:
    overdue = circulation.LoanOverdue
    await publish_twice(
        settings,
        [
            samples.loan(overdue, 2, "loan-1"),
            samples.loan(overdue, 3, "loan-1", notice=2),
            samples.loan(overdue, 2, "loan-2"),
            samples.loan(overdue, 2, "loan-3", branch="TSY"),
        ],
    )
    async with running(settings, "overdue_by_branch.py", tmp_path) as process:
        out, _ = await process.communicate()
    assert (process.returncode, out.decode()) == (0, "HKCL 2\nTSY 1\n")


async def test_a_faststream_consumer_prints_each_ready_hold_once(
    settings: Settings, tmp_path: Path
) -> None:
    ready = circulation.HoldReady
    holds = [
        samples.hold(ready, 2, "hold-1", state="ready"),
        samples.hold(ready, 2, "hold-2", state="ready"),
    ]
    await publish_twice(settings, holds)
    async with running(settings, "ready_holds.py", tmp_path) as process:
        assert process.stdout is not None
        lines = [await process.stdout.readline() for _ in holds]
        # Another one after all repetitions of these: it is the next line.
        await publish_twice(settings, [samples.hold(ready, 2, "hold-3", state="ready")])
        lines.append(await process.stdout.readline())
        process.send_signal(signal.SIGINT)
        rest = await process.stdout.read()
    assert sorted(lines) == [f"HKCL hold-{n} until reopening\n".encode() for n in (1, 2, 3)]
    assert rest == b""


@pytest.mark.web
async def test_a_node_consumer_counts_each_return_once(settings: Settings, tmp_path: Path) -> None:
    await publish_twice(
        settings,
        [
            samples.returned(2, "loan-1"),
            samples.returned(2, "loan-2"),
            samples.returned(2, "loan-3", return_branch="TSY"),
        ],
    )
    async with running(settings, "node/returns.mjs", tmp_path, "node") as process:
        out, _ = await process.communicate()
    assert (process.returncode, out.decode()) == (0, "HKCL 2\nTSY 1\n")


def read_in_node(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = ["node", str(PROJECT / "tests" / "contracts" / "node" / "samples.mjs"), str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=patience.stretched(240), check=False
    )


@pytest.mark.web
def test_every_kept_sample_of_every_contract_is_read_in_node(tmp_path: Path) -> None:
    ran = read_in_node(FOLDER)
    assert (ran.returncode, ran.stderr) == (0, "")
    kept = {topic: len(samples_of(topic)) for topic in published()}
    assert orjson.loads(ran.stdout) == kept
    schema = orjson.loads((FOLDER / "loan.returned.v1.json").read_bytes())
    schema["examples"][-1]["due_on"] = "yesterday"
    (tmp_path / "loan.returned.v1.json").write_bytes(orjson.dumps(schema))
    ran = read_in_node(tmp_path)
    assert (ran.returncode, "due_on must match format" in ran.stderr) == (1, True)


@pytest.mark.parametrize("topic", sorted(published()))
def test_every_kept_sample_is_read_as_the_plain_consumer_reads_it(topic: str) -> None:
    schema = orjson.loads((FOLDER / f"{contract_name(topic)}.json").read_bytes())
    validator = jsonschema_rs.validator_for(schema)
    assert [one for one in samples_of(topic) if not validator.is_valid(one)] == []
    assert not validator.is_valid({**samples_of(topic)[-1], "version": "one"})


TYPES = PROJECT / "examples" / "types"


@pytest.mark.web
def test_the_types_in_node_are_made_from_the_asyncapi_document(tmp_path: Path) -> None:
    kept = PROJECT / "examples" / "node" / "loan.returned.d.ts"
    made = tmp_path / kept.name
    subprocess.run(["node", str(TYPES / "make.mjs"), str(made)], check=True)  # noqa: S607
    assert made.read_text() == kept.read_text()


@pytest.mark.web
def test_the_example_in_node_is_checked_with_its_types(tmp_path: Path) -> None:
    folder = tmp_path / "examples" / "types"
    for name in ("node", "types"):
        shutil.copytree(
            PROJECT / "examples" / name,
            folder.with_name(name),
            ignore=shutil.ignore_patterns("node_modules"),
        )
        modules = PROJECT / "examples" / name / "node_modules"
        assert modules.is_dir(), "make test-web installs it"
        (folder.with_name(name) / "node_modules").symlink_to(modules)
    command = ["node", "node_modules/typescript/bin/tsc", "--preserveSymlinks"]
    checked = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "")
    example = folder.with_name("node") / "returns.mjs"
    example.write_text(example.read_text().replace("return_branch: branch", "branch_back: branch"))
    checked = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "Property 'branch_back' does not exist on type 'LoanReturned'" in checked.stdout
    assert checked.returncode != 0
