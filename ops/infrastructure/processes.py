"""The five services as processes, and the whole system: infrastructure and services together.

Each process gets its settings from the environment (`CARREL_…`, see shared/settings.py), listens on
127.0.0.1, writes its own log in `data/logs`, and ends when this process ends in any way.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ops import serve
from ops.environment import (
    missing_secrets,
    secrets_by_service,
    secrets_of_system,
    unknown,
    variables_of,
    variables_of_operators,
)
from ops.infrastructure import ports, prepared, private
from ops.infrastructure.child import Child, StartFailed, start_all, stop_all
from ops.infrastructure.embedded import KAFKA_PORT, MONGO_PORT, Infrastructure, embedded
from services.gateway.settings import LIMITS
from services.registry import NAMES, SERVICES
from services.settings import Settings
from shared.settings import FILE, without_files

S = TypeVar("S", bound=Settings)

USUAL_PORTS = {service.name: service.port for service in SERVICES}
SIP2_PORT = 6001
"""Usual port for self-check stations."""
OPERATIONS_ABOVE = 1000
"""Distance of the usual port of operations from that of the API: 9101 for 8101."""
UNLIMITED = {
    "CARREL_LIMITS": ",".join(f"{kind}=0" for kind in LIMITS),
    "CARREL_BUSY_REQUESTS": "0",
}
"""No rate limits: a simulation plays months in seconds, and load tests use one address."""
UNRENEWED = {"CARREL_ACCESS_TOKEN_SECONDS": str(24 * 3600)}
"""Access tokens last as long as their sessions: the players of simulations don't renew them."""
OPERATORS_ACT_AS = "gateway"
"""The service as which operators' commands ask the others: it may read all that the views need."""
ENVIRONMENT_FILE = "environment.json"
"""File in the data folder of a running system: the services' environment, for operators."""


@dataclass(frozen=True)
class System:
    """The running services and their infrastructure."""

    infrastructure: Infrastructure
    processes: Mapping[str, Child]
    """Process by name: `circulation-0`, `circulation-1`, `gateway-0` …"""
    environment: Mapping[str, str]
    """Environment of all services, with the key of OPERATORS_ACT_AS, for commands and tests."""
    requested_ports: Mapping[str, int] = field(default_factory=dict)
    """Requested port by name of process; a taken port is replaced by another."""

    @property
    def tls(self) -> ssl.SSLContext | bool:
        """The check of the services' certificates, for a client of them."""
        return self.settings(Settings).tls_client()

    @property
    def gateway_url(self) -> str:
        """The address for clients, without a trailing slash."""
        return self.url("gateway")

    def url(self, service: str, replica: int = 0) -> str:
        """Return the address of one process."""
        return _url(self.process(service, replica).port, _scheme(self.environment))

    def operations_url(self, service: str, replica: int = 0) -> str:
        """Return the address of the metrics and the health of one process."""
        return _url(self.process(service, replica).more_ports[0])

    @property
    def sip2_port(self) -> int:
        """The port of the gateway for self-check stations."""
        return self.process("gateway").more_ports[1]

    def process(self, service: str, replica: int = 0) -> Child:
        """Return one process, to stop, kill, suspend or start it again. Raises KeyError."""
        return self.processes[f"{service}-{replica}"]

    def settings(self, kind: type[S]) -> S:
        """Return the settings of `kind` with the services' values."""
        return kind.from_environment(self.environment)

    def moved_ports(self) -> list[str]:
        """Return a sentence for each process that is not at its requested port, which was taken."""
        requested = {"mongod": MONGO_PORT, "broker": KAFKA_PORT, **self.requested_ports}
        children = {child.name: child for child in self.infrastructure.children}
        ports_of = {
            name.removesuffix("-0"): (requested[name], child.port)
            for name, child in (children | dict(self.processes)).items()
            if name in requested
        }
        for name, port in self.requested_ports.items():
            service, (operations, *sip2) = name.removesuffix("-0"), self.processes[name].more_ports
            ports_of[f"operations of {service}"] = (port + OPERATIONS_ABOVE, operations)
            ports_of |= {"SIP2": (SIP2_PORT, sip2[0])} if sip2 else {}
        return [
            f"Port {wanted} is taken: {name} listens on {port}."
            for name, (wanted, port) in ports_of.items()
            if wanted != port
        ]


@contextmanager
def system(
    data: Path,
    *,
    names: Sequence[str] = NAMES,
    replicas: Mapping[str, int] | None = None,
    roles: str = "",
    simulation: bool = False,
    environment: Mapping[str, Mapping[str, str]] | None = None,
    gateway_port: int = USUAL_PORTS["gateway"],
    usual_ports: bool = True,
    operators: Mapping[str, str] | None = None,
    broker: str = "embedded",
    mongo_nodes: int = 1,
) -> Iterator[System]:
    """Start the infrastructure and the services, and end all on exit.

    The parameters are those of `services` and of `embedded`. Raises StartFailed if any part does
    not start, or if another system runs in the folder.
    """
    if faults := unknown(os.environ):
        raise StartFailed("\n".join(faults))
    mongo_port, kafka_port = (MONGO_PORT, KAFKA_PORT) if usual_ports else (None, None)
    prepared.prepare(serve.modules(*names))  # while the database and the broker start
    with (
        _alone_in(data),
        embedded(
            data,
            mongo_port=mongo_port,
            kafka_port=kafka_port,
            broker=broker,
            mongo_nodes=mongo_nodes,
        ) as infrastructure,
        services(
            infrastructure,
            data,
            names=names,
            replicas=replicas,
            roles=roles,
            simulation=simulation,
            environment=environment,
            gateway_port=gateway_port,
            usual_ports=usual_ports,
            operators=operators,
        ) as running,
    ):
        yield running


@contextmanager
def _alone_in(data: Path) -> Iterator[None]:
    """Hold a lock on a data folder: two brokers would overwrite each other's events there."""
    data.mkdir(parents=True, exist_ok=True)
    folder = os.open(data, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartFailed(f"A system runs in {data}: end it, or give another folder.") from None
        yield
    finally:
        os.close(folder)


@contextmanager
def services(
    infrastructure: Infrastructure,
    data: Path,
    *,
    names: Sequence[str] = NAMES,
    replicas: Mapping[str, int] | None = None,
    roles: str = "",
    simulation: bool = False,
    environment: Mapping[str, Mapping[str, str]] | None = None,
    gateway_port: int = USUAL_PORTS["gateway"],
    usual_ports: bool = True,
    operators: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """Start the services of `names` in parallel, wait until all are ready, and end them on exit.

    `replicas` is the number of processes by service (default 1); the other services call all that
    have the role `api`.
    `roles` is a comma-separated list, empty for all. `environment` has further variables by service
    (`circulation`) or process (`circulation-1`), `operators` those of operators' commands. A usual
    port that is taken is replaced by a free one. Raises StartFailed, with the end of its log, for a
    process that ends or is not ready within 120 s.
    """
    data = data.resolve()
    wanted = dict(USUAL_PORTS) | {"gateway": gateway_port}
    reserved = {
        service: [
            ports.reserve(wanted[service] if usual_ports and replica == 0 else None)
            for replica in range((replicas or {}).get(service, 1))
        ]
        for service in names
    }
    kept = _secrets(data)
    of_services = {name for used in secrets_by_service().values() for name in used}
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("CARREL_")
        and name.removesuffix(FILE) not in {*secrets_of_system(), *of_services}
    }
    common = {
        **inherited,
        "CARREL_MONGO_URL": infrastructure.mongo_url,
        "CARREL_KAFKA": infrastructure.kafka,
        "CARREL_HOST": ports.LOOPBACK,
        "CARREL_SIMULATION": "1" if simulation else "0",
        "CARREL_DRAIN_SECONDS": "0",  # all stop together
        "CARREL_PAYMENT_PROVIDER": "double",
        **(UNLIMITED | UNRENEWED if simulation else {}),
        **infrastructure.service_environment,
        **({"CARREL_ROLES": roles} if roles else {}),
    }
    more = environment or {}

    def answers(service: str, replica: int) -> bool:
        own = {**common, **more.get(service, {}), **more.get(f"{service}-{replica}", {})}
        return "api" in own.get("CARREL_ROLES", "api").split(",")

    scheme = _scheme({**common, **(operators or {})})
    for service, port in wanted.items():
        found = reserved.get(service, [port])
        calling = [one for replica, one in enumerate(found) if answers(service, replica)]
        urls = [_url(one, scheme) for one in calling or found[:1]]
        common[f"CARREL_{service.upper()}_URL"] = ",".join(urls)
    processes: dict[str, Child] = {}
    for service in names:
        for replica, port in enumerate(reserved[service]):
            name = f"{service}-{replica}"
            own = {
                **variables_of(kept, service),
                **more.get(service, {}),
                **more.get(name, {}),
            }
            usual = wanted[service] + OPERATIONS_ABOVE if usual_ports and replica == 0 else None
            more_ports = [ports.reserve(usual)]
            if service == "gateway":
                more_ports.append(ports.reserve(SIP2_PORT if usual else None))
                own["CARREL_SIP2_PORT"] = str(more_ports[1])
            processes[name] = _service_child(
                name, service, data, (port, *more_ports), {**common, **own}
            )
    try:
        of_operators = without_files(
            {
                **common,
                **variables_of_operators(kept, OPERATORS_ACT_AS),
                **(operators or {}),
            }
        )
        with _environment_file(data, of_operators):
            start_all(list(processes.values()))
            requested = {f"{name}-0": wanted[name] for name in names} if usual_ports else {}
            yield System(infrastructure, processes, of_operators, requested)
    finally:
        stop_all(list(processes.values()))
        for child in processes.values():
            for port in (child.port, *child.more_ports):
                ports.release(port)


@contextmanager
def _environment_file(data: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Keep the environment in a file while the system runs.

    This process holds a lock on the file, which ends with it in any way: the lock shows that the
    file is valid.
    """
    path = data / ENVIRONMENT_FILE
    with private.append_to(path) as file:
        file.truncate(0)
        file.write(json.dumps(dict(environment)).encode())
        file.flush()
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _service_child(
    name: str, service: str, data: Path, used: tuple[int, ...], environment: Mapping[str, str]
) -> Child:
    port, operations, *_ = used
    return Child(
        name,
        [*prepared.PROGRAM, serve.__name__, service],
        data / "logs" / f"{name}.log",
        lambda: _is_ready(operations),
        port,
        {
            **without_files(environment),
            "CARREL_PORT": str(port),
            "CARREL_OPERATIONS_PORT": str(operations),
            "CARREL_REPLICA": name.removeprefix(f"{service}-"),
        },
        more_ports=used[1:],
        needs=serve.modules(service),
    )


def _url(port: int, scheme: str = "http") -> str:
    return f"{scheme}://{ports.LOOPBACK}:{port}"


def _scheme(environment: Mapping[str, str]) -> str:
    return "https" if environment.get("CARREL_TLS_CA_FILE") else "http"


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=2.0)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _secrets(data: Path) -> dict[str, str]:
    """Return the services' secrets and keys, each made once for a data folder and kept in it."""
    file = data / "secrets.json"
    try:
        kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    except ValueError:
        raise StartFailed(
            f"{file} is damaged: put a copy back. With other secrets nobody could log in."
        ) from None
    if made := missing_secrets(kept):
        data.mkdir(parents=True, exist_ok=True)
        kept |= made
        private.write(file, json.dumps(kept))
    return kept
