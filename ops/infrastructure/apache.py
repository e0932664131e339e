"""Apache Kafka without containers: its server from Maven, in KRaft mode, with one or three nodes.

Each node is broker and controller in one process, listens on 127.0.0.1 only and keeps its log in
a given folder. Needs Java 17 or newer, and Maven the first time.
"""

import base64
import fcntl
import hashlib
import shutil
import socket
import struct
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.infrastructure import ports, private
from ops.infrastructure.child import Child, StartFailed

_POM = Path(__file__).with_name("apache.pom.xml")
_LIBRARIES = _POM.parents[2] / ".data" / "kafka-libs"
_ALTERNATIVE = "or leave out --kafka apache, or set CARREL_KAFKA to a running Kafka"
_JVM = (
    "-Xmx256m",
    "-Xms32m",
    # Several brokers share two cores with the tests: use a cheap collector and compiler.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",  # hundreds of lines
)
_NODE = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={log}
auto.create.topics.enable=false
default.replication.factor={replication}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replication}
offsets.topic.num.partitions=3
transaction.state.log.replication.factor={replication}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replication}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
# The default is 128 MB, which are allocated at the start.
log.cleaner.dedupe.buffer.size=2097152
# A record in the log of the controller each half second keeps nobody informed if there is one node.
metadata.max.idle.interval.ms={idle}
# A node that was killed is not let in again before its session has ended; the default is 9 s.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


@dataclass(frozen=True)
class Security:
    """The means by which a node protects itself."""

    properties: str
    """Lines of its settings, which go before earlier ones."""
    users: Mapping[str, str]
    """Passwords of the users that its storage is formatted with."""
    ready: Callable[[], bool]
    """Returns whether the node can be used."""


def apache_children(
    data: Path,
    port: int | None = None,
    nodes: int = 1,
    security: Callable[[int, int], Security] | None = None,
) -> list[Child]:
    """Return the nodes of a Kafka cluster with its data in `data/apache`, not started yet.

    With three nodes, each has a copy of everything, and two must have a message before it is
    acknowledged. `port` is that of the first node. The first call on a machine fetches the server,
    which takes half a minute. Raises StartFailed, with what to do, if that is not possible.
    `security` gets the ports of each node, for clients and of its controller.
    """
    libraries = fetched_libraries()
    listening = [ports.reserve(port if node == 0 else None) for node in range(nodes)]
    controllers = [ports.reserve() for _ in range(nodes)]
    voters = ",".join(
        f"{node}@{ports.LOOPBACK}:{controller}" for node, controller in enumerate(controllers, 1)
    )
    children = []
    for node, (own, controller) in enumerate(zip(listening, controllers, strict=True), 1):
        folder = data / "apache" / str(node)
        protection = security(own, controller) if security else None
        folder.mkdir(parents=True, exist_ok=True)
        settings = folder / "server.properties"
        private.write(
            settings,
            _NODE.format(
                node=node,
                voters=voters,
                port=own,
                controller=controller,
                log=folder / "log",
                replication=nodes,
                in_sync=2 if nodes > 2 else 1,
                idle=5000 if nodes == 1 else 500,
            )
            + (protection.properties if protection else ""),
        )
        name = "broker" if nodes == 1 else f"broker-{node}"
        children.append(
            Child(
                name,
                [*_java(libraries), "kafka.Kafka", str(settings)],
                data / "logs" / f"{name}.log",
                protection.ready if protection else lambda port=own: port in known_brokers(port),  # type: ignore[misc]
                own,
                more_ports=(controller,),
            )
        )
    format_storage(data, protection.users if protection else {})
    return children


def format_storage(data: Path, users: Mapping[str, str] | None = None) -> None:
    """Format the storage of each node of `data/apache` that has none, for its first start.

    `users` are those that may log in with SCRAM-SHA-512, with their passwords.
    """
    identity = data / "apache" / "cluster-id"
    if not identity.exists():
        private.write(identity, base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
    for settings in sorted((data / "apache").glob("*/server.properties")):
        if (settings.parent / "log" / "meta.properties").exists():
            continue
        _run(
            [
                *_java(fetched_libraries()),
                "kafka.tools.StorageTool",
                *("format", f"--cluster-id={identity.read_text()}", "--config", str(settings)),
                *(
                    f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]"
                    for name, password in (users or {}).items()
                ),
            ],
            "The storage of Kafka could not be formatted.",
        )


def _java(libraries: Path) -> Sequence[str]:
    java = shutil.which("java")
    if not java:
        raise StartFailed(
            f"Apache Kafka needs Java 17 or newer, and there is no java on the PATH: install it "
            f"(on Debian: openjdk-17-jre-headless), {_ALTERNATIVE}."
        )
    # Without the archive the JVM starts too, without a warning, in twice the time.
    return [
        java,
        *_JVM,
        "-Xshare:auto",
        f"-XX:SharedArchiveFile={libraries / 'classes.jsa'}",
        *("-cp", f"{libraries}/*"),
    ]


def fetched_libraries() -> Path:
    """Return the folder of the server's jars, fetched once for each version of the pom."""
    state = hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    libraries = _LIBRARIES / state
    if libraries.exists():
        return libraries
    _java(libraries)  # fails if Java is missing, before anything is fetched
    maven = shutil.which("mvn")
    if not maven:
        raise StartFailed(
            f"The server of Apache Kafka is fetched with Maven, and there is no mvn on the PATH: "
            f"install it (on Debian: maven), {_ALTERNATIVE}."
        )
    _LIBRARIES.mkdir(parents=True, exist_ok=True)
    with (_LIBRARIES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process fetches, the others wait for it
        if not libraries.exists():
            _fetch(maven, libraries)
    return libraries


def _fetch(maven: str, libraries: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=_LIBRARIES))
    try:
        _run(
            [
                *(maven, "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies"),
                *("-DincludeScope=runtime", f"-DoutputDirectory={partial}"),
            ],
            f"Maven could not fetch the server of Apache Kafka: see to its network or mirror, "
            f"{_ALTERNATIVE}.",
        )
        partial.rename(libraries)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _archive_classes(libraries)


def _archive_classes(libraries: Path) -> None:
    """Archive the classes that Kafka loads at a start: later starts take 2.0 s instead of 3.8 s."""
    with tempfile.TemporaryDirectory(dir=_LIBRARIES) as folder:
        [node] = apache_children(Path(folder))
        made = Path(folder) / "classes.jsa"
        node.command = [
            f"-XX:ArchiveClassesAtExit={made}" if "SharedArchiveFile" in part else part
            for part in node.command
        ]
        node.start()
        node.stop(60)
        for port in (node.port, *node.more_ports):
            ports.release(port)
        if made.exists():
            made.rename(libraries / "classes.jsa")


def _run(command: Sequence[str], otherwise: str) -> None:
    run = subprocess.run(  # noqa: S603 - commands are built here
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600
    )
    if run.returncode:
        output = (run.stdout + run.stderr).strip()
        if "UnsupportedClassVersionError" in output:
            otherwise = (
                "Apache Kafka needs Java 17 or newer, and the java on the PATH is older: install "
                f"a newer one, {_ALTERNATIVE}."
            )
        raise StartFailed("\n".join([otherwise, *output.splitlines()[-10:]]))


def known_brokers(port: int) -> list[int]:
    """Return the ports of the active brokers that the one at `port` knows; none while it starts.

    A broker listens some time before it works, so this sends a Metadata request (version 1, no
    topics).
    """
    header = struct.pack(">hhih", 3, 1, 1, -1)
    request = header + struct.pack(">i", 0)
    try:
        with socket.create_connection((ports.LOOPBACK, port), timeout=2.0) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.makefile("rb")
            # its length, the request's number, and the count of brokers
            _, _, count = struct.unpack(">iii", answer.read(12))
            found = []
            for _ in range(count):
                _, length = struct.unpack(">ih", answer.read(6))
                answer.read(length)  # the host
                found.append(struct.unpack(">i", answer.read(4))[0])
                (rack,) = struct.unpack(">h", answer.read(2))
                answer.read(max(rack, 0))
            return found
    except (OSError, struct.error):
        return []
