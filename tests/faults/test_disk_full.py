"""The disk of MongoDB, then of Kafka, is full: no change is acknowledged unless it is stored.

Each has its data on its own file system, which is filled to the last byte. That takes root.
Both exit then; their supervisor (Compose: `restart: unless-stopped`) starts them again once
there is room.
"""

import asyncio
import errno
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.infrastructure.processes import System
from tests.conftest import BROKER
from tests.faults.load import Load
from tests.faults.report import record
from tests.library import Library
from tests.support import until
from tests.systems import data_folder, system_in

BEFORE = 2.0
"""Seconds of load before the disk is full."""
FULL_SECONDS = 8.0
ROOM = 600
"""Size of the file system in MiB: enough for either server to start, with some to spare."""


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a new file system at `folder` until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:  # mounting takes root, which the gate has
        pytest.skip(f"no file system can be mounted (run as root): {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Fill the file system of `folder` while the block runs."""
    ballast = folder / "ballast"
    piece = os.urandom(1 << 20)
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(piece[:size]):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture
def running(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[System]:
    """The whole system; the test names the folder in it that has its own file system."""
    with (
        data_folder(tmp_path_factory, on_disk=True) as folder,
        small_disk(folder / request.param),
        system_in(folder, broker=BROKER) as started,
    ):
        yield started


@pytest.mark.embedded
@pytest.mark.parametrize("running", ["mongo"], indirect=True)
async def test_a_full_disk_of_mongodb_costs_no_acknowledged_command(
    running: System, library: Library
) -> None:
    mongod = running.infrastructure.mongod
    assert mongod
    disk = mongod.log.parent.parent / "mongo"
    async with Load(library) as load:
        await asyncio.sleep(BEFORE)
        with full(disk):
            began = time.monotonic()
            ended = await asyncio.to_thread(mongod.wait, 60)
            refused = time.monotonic()
            await asyncio.sleep(FULL_SECONDS)
            meanwhile = load.statuses(refused)
        await asyncio.to_thread(mongod.start)
        back = time.monotonic()

        async def goes_on() -> bool:
            return load.succeeded(back, "check-out") > 0 and load.succeeded(back, "activity") > 0

        await until(goes_on, within=60)
    found = await load.audited()
    record(
        "disk of MongoDB full",
        running,
        invariant="nothing acknowledged is lost; 503 in 2 s; goes on once there is room",
        found=found,
        recovery=load.first_success(back),
    )
    print(  # noqa: T201 - pytest -s shows the figures
        f"mongod ended with {ended} after {refused - began:.1f} s, meanwhile {meanwhile}"
    )
    load.check_answers()
    assert set(meanwhile) == {503}
    assert found.findings == []


@pytest.mark.kafka
@pytest.mark.parametrize("running", ["apache/1/log"], indirect=True)
async def test_a_full_disk_of_kafka_costs_no_command_and_no_event(
    running: System, library: Library
) -> None:
    broker = running.infrastructure.broker
    assert broker
    disk = broker.log.parent.parent / "apache" / "1" / "log"
    async with Load(library) as load:
        await asyncio.sleep(BEFORE)
        with full(disk):
            began = time.monotonic()
            ended = await asyncio.to_thread(broker.wait, 60)
            refused = time.monotonic()
            await asyncio.sleep(FULL_SECONDS)
            meanwhile = load.statuses(refused)
        await asyncio.to_thread(broker.start)
        back = time.monotonic()

        async def drained() -> bool:
            return not await library.flow.pending()

    await until(drained, within=60)
    recovery = time.monotonic() - back
    found = await load.audited()
    record(
        "disk of Kafka full",
        running,
        invariant="commands go on, their events wait and are published once there is room",
        found=found,
        recovery=recovery,
    )
    print(  # noqa: T201 - pytest -s shows the figures
        f"broker ended with {ended} after {refused - began:.1f} s, meanwhile {meanwhile}"
    )
    load.check_answers()
    # Commands need no broker; an occasional 503 is due to the slow machine.
    assert 10 * meanwhile.get(503, 0) < sum(meanwhile.values()), meanwhile
    assert sum(meanwhile.values()) > FULL_SECONDS
    assert found.findings == []
