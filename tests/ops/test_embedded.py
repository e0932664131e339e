"""The database and the broker of `ops.infrastructure.embedded`, started for real in each test."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ops.infrastructure import ports
from ops.infrastructure.child import StartFailed
from ops.infrastructure.embedded import Infrastructure, embedded, find_mongod, missing_library
from tests import patience


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARREL_MONGO_URL", raising=False)
    monkeypatch.delenv("CARREL_KAFKA", raising=False)


def until(condition: Callable[[], bool], limit: float = 15.0) -> None:
    end = time.monotonic() + patience.stretched(limit)
    while not condition():
        assert time.monotonic() < end, "not within the limit"
        time.sleep(0.02)  # between looks, up to the limit


def exists(pid: int) -> bool:
    """Return whether a process runs; a zombie does not, where /proc shows that."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def client(infrastructure: Infrastructure) -> "MongoClient[dict[str, Any]]":
    return MongoClient(infrastructure.mongo_url, serverSelectionTimeoutMS=5000)


def inserted(mongo: "MongoClient[dict[str, Any]]", loan: str) -> bool:
    try:
        mongo.library.loans.insert_one({"_id": loan})
    except PyMongoError:
        return False
    return True


async def send(servers: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait("loan.overdue", value, key=b"p1")
    finally:
        await producer.stop()


async def receive(servers: str) -> bytes | None:
    consumer = AIOKafkaConsumer(
        "loan.overdue", bootstrap_servers=servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        value: bytes | None = (await consumer.getone()).value
        return value
    finally:
        await consumer.stop()


async def test_database_and_broker_start_work_and_end(tmp_path: Path) -> None:
    with embedded(tmp_path, mongo_port=None, kafka_port=None) as infrastructure:
        pids = [child.pid for child in infrastructure.children]
        with client(infrastructure) as mongo, mongo.start_session() as session:
            with session.start_transaction():
                mongo.library.loans.insert_one({"_id": "l1"}, session=session)
            assert mongo.library.loans.count_documents({}) == 1
        await send(infrastructure.kafka, b"one")
        assert await receive(infrastructure.kafka) == b"one"
        assert infrastructure.mongo_url.startswith("mongodb://127.0.0.1:")

    assert len(pids) == 2
    assert not any(pid and exists(pid) for pid in pids)


def test_the_broker_gives_way_to_the_database(tmp_path: Path) -> None:
    with embedded(tmp_path, mongo_port=None, kafka_port=None) as infrastructure:
        mongod, broker = (child.pid or 0 for child in infrastructure.children)
        assert os.getpriority(os.PRIO_PROCESS, broker) > os.getpriority(os.PRIO_PROCESS, mongod)
        groups = [Path(f"/proc/{pid}/autogroup") for pid in (mongod, broker)]
        if all(group.exists() for group in groups):  # a kernel that forms groups
            nice = [int(group.read_text().split()[-1]) for group in groups]
            assert nice[1] > nice[0]


async def test_data_is_found_again_at_another_port(tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    with embedded(folder, mongo_port=None, kafka_port=None) as first:
        with client(first) as mongo:
            mongo.library.loans.insert_one({"_id": "l1"})
        await send(first.kafka, b"kept")

    with embedded(folder, mongo_port=None, kafka_port=None) as second:
        assert second.mongo_url != first.mongo_url
        with client(second) as mongo:
            assert mongo.library.loans.count_documents({}) == 1
        assert await receive(second.kafka) == b"kept"


def test_a_killed_database_comes_back_at_its_port_with_what_it_acknowledged(tmp_path: Path) -> None:
    with embedded(tmp_path, kafka=False, mongo_port=None) as infrastructure:
        mongod = infrastructure.mongod
        assert mongod
        with client(infrastructure) as mongo:
            mongo.library.loans.insert_one({"_id": "l1"})
            before = mongod.pid
            mongod.kill()
            assert not mongod.running
            mongod.start()
            assert mongod.pid != before
            assert mongo.library.loans.count_documents({}) == 1


def test_three_databases_survive_the_loss_of_one_and_restart_on_other_ports(
    tmp_path: Path,
) -> None:
    with embedded(tmp_path, kafka=False, mongo_port=None, mongo_nodes=3) as first:
        with client(first) as mongo:
            mongo.library.loans.insert_one({"_id": "l1"})
            primary = mongo.primary
            lost = next(node for node in first.children if primary == ("127.0.0.1", node.port))
            lost.kill()
            until(lambda: inserted(mongo, "l2"), limit=30)
            lost.start()
        assert len({node.pid for node in first.children}) == 3

    with (
        embedded(tmp_path, kafka=False, mongo_port=None, mongo_nodes=3) as second,
        client(second) as mongo,
    ):
        assert second.mongo_url != first.mongo_url
        assert mongo.library.loans.count_documents({}) == 2


def test_a_suspended_process_answers_nothing_until_resumed_and_can_be_stopped(
    tmp_path: Path,
) -> None:
    with embedded(tmp_path, kafka=False, mongo_port=None) as infrastructure:
        mongod = infrastructure.mongod
        assert mongod
        mongod.suspend()
        with socket.create_connection(("127.0.0.1", mongod.port)) as probe:
            probe.settimeout(0.2)
            probe.sendall(b"\x10\0\0\0" + b"\0" * 12)  # a live mongod hangs up on this
            with pytest.raises(TimeoutError):
                probe.recv(1)
        mongod.resume()
        assert mongod.ready()
        mongod.suspend()
    assert not mongod.running


@pytest.mark.parametrize(
    ("part", "variable"),
    [({"kafka": False}, "CARREL_MONGO_URL"), ({"mongo": False}, "CARREL_KAFKA")],
    ids=["mongod", "broker"],
)
def test_a_machine_without_an_embedded_server_is_told_the_variable_that_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: dict[str, bool], variable: str
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("ops.infrastructure.embedded.find_spec", lambda _: None)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(StartFailed) as failed, embedded(tmp_path, **part):  # type: ignore[arg-type]
        pass
    for text in ("aarch64", "Linux on x86_64 and macOS on arm64", f"set {variable} to"):
        assert text in str(failed.value)


def test_a_port_that_is_taken_is_replaced(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        taken = other.getsockname()[1]
        with embedded(tmp_path, mongo=False, kafka_port=taken) as infrastructure:
            assert infrastructure.broker
            assert infrastructure.broker.port != taken


@pytest.mark.skipif(sys.platform != "linux", reason="only there a port is held for its server")
def test_a_reserved_port_is_for_its_server_alone_until_it_is_released() -> None:
    port = ports.reserve()
    try:
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((ports.LOOPBACK, port))
        with (
            socket.create_server((ports.LOOPBACK, port)) as server,
            socket.create_connection((ports.LOOPBACK, port)) as caller,
        ):
            accepted, _ = server.accept()
            assert accepted.getpeername() == caller.getsockname()
            accepted.close()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind((ports.LOOPBACK, port))
    finally:
        ports.release(port)
    with socket.create_server((ports.LOOPBACK, port)) as server:
        assert server.getsockname()[1] == port


def test_a_port_reserved_by_another_process_is_not_given_out(tmp_path: Path) -> None:
    port = ports.reserve()
    script = f"from ops.infrastructure import ports; print(ports.reserve({port}) == {port})"

    def other_gets_it() -> bool:
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        return run.stdout.strip() == "True"

    assert not other_gets_it()
    ports.release(port)
    assert other_gets_it()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_running_when_the_parent_is_ended(
    tmp_path: Path, number: signal.Signals
) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from ops.infrastructure.embedded import embedded
        with embedded(Path(sys.argv[1]), mongo_port=None, kafka_port=None) as infrastructure:
            from ops.infrastructure import child
            print(child._guard.pid, *(c.pid for c in infrastructure.children), flush=True)
            time.sleep(60)  # until the test ends it
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout
    with parent.stdout as lines:
        pids = [int(pid) for pid in lines.readline().split()]
    assert len(pids) == 3
    assert all(map(exists, pids))
    os.kill(parent.pid, number)
    parent.wait(patience.stretched(20))
    until(lambda: not any(map(exists, pids)))


def test_a_process_that_does_not_start_is_named_with_its_log_and_the_other_is_ended(
    tmp_path: Path,
) -> None:
    (tmp_path / "mongo").mkdir()
    (tmp_path / "mongo" / "storage.bson").write_text("not a database")
    with (
        pytest.raises(StartFailed, match=r"mongod ended with code \d+ while starting") as failure,
        embedded(tmp_path, mongo_port=None, kafka_port=None),
    ):
        pytest.fail("it started")
    assert "mongod.log" in str(failure.value)


def test_a_running_database_and_broker_that_are_named_are_used_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with embedded(tmp_path / "theirs", mongo_port=None, kafka_port=None) as theirs:
        monkeypatch.setenv("CARREL_MONGO_URL", theirs.mongo_url)
        monkeypatch.setenv("CARREL_KAFKA", theirs.kafka)
        with embedded(tmp_path / "ours") as ours:
            assert (ours.mongo_url, ours.kafka) == (theirs.mongo_url, theirs.kafka)
            assert ours.children == []
        assert all(child.running for child in theirs.children)


def test_a_named_broker_that_does_not_answer_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARREL_KAFKA", "127.0.0.1:1")
    with (
        pytest.raises(StartFailed, match=r"No broker answers at CARREL_KAFKA"),
        embedded(tmp_path, mongo=False),
    ):
        pytest.fail("it started")


def test_a_mongod_on_the_path_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "mongod"
    own.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_mongod() == own


def test_a_library_that_mongod_misses_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "bin" / "mongod"
    own.parent.mkdir()
    own.write_text(
        "#!/bin/sh\necho 'mongod: error while loading shared libraries: libcurl.so.4: cannot open "
        "shared object file: No such file or directory' >&2\nexit 127\n"
    )
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(own.parent), prepend=os.pathsep)
    with (
        pytest.raises(StartFailed, match=r"^mongod needs libcurl 4 .* missing .* CARREL_MONGO_URL"),
        embedded(tmp_path, kafka=False, mongo_port=None),
    ):
        pytest.fail("it started")


@pytest.mark.parametrize(
    ("log", "says"),
    [
        pytest.param(
            "mongod: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by "
            "mongod)",
            "needs glibc 2.35 or newer",
            id="glibc",
        ),
        pytest.param(
            "mongod: error while loading shared libraries: libcrypto.so.3: cannot open shared",
            "needs OpenSSL 3",
            id="openssl",
        ),
        pytest.param(
            "mongod: /lib/libcurl.so.4: version `CURL_OPENSSL_4' not found (required by mongod)",
            "needs libcurl 4",
            id="curl-too-old",
        ),
    ],
)
def test_messages_of_the_loader_are_understood(log: str, says: str) -> None:
    assert says in str(missing_library(log))


def test_an_ordinary_log_is_not_taken_for_a_missing_library() -> None:
    assert missing_library('{"t":"2021-02-19","msg":"Address already in use"}') is None
