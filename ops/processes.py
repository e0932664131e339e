"""The five services as processes, and the whole system: infrastructure and services together.

Each process gets its settings by environment (`CARREL_…`, see shared/settings.py), listens on
127.0.0.1, writes a log of its own under `data/logs`, and ends with this process in whatever way it
ends.
"""

from __future__ import annotations

import http.client
import json
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ops import ports
from ops.child import Child, start_all, stop_all
from ops.embedded import KAFKA_PORT, MONGO_PORT, Infrastructure, embedded
from shared.settings import Settings

S = TypeVar("S", bound=Settings)

USUAL_PORTS = {
    "gateway": 8080,
    "accounts": 8101,
    "circulation": 8102,
    "events": 8103,
    "notices": 8104,
}
SERVICES = tuple(USUAL_PORTS)
UNLIMITED = {f"CARREL_{limit}_PER_MINUTE": "0" for limit in ("CALLER", "ADDRESS", "LOGIN")}
"""In a simulation one caller plays months in seconds, and a load comes from one address."""
LEFT = "environment.json"
"""In the data folder while a system runs there: what its services were told, for operators."""


@dataclass(frozen=True)
class System:
    """The running services and what they stand on."""

    infrastructure: Infrastructure
    processes: Mapping[str, Child]
    """`circulation-0`, `circulation-1`, `gateway-0` … → the process."""
    environment: Mapping[str, str]
    """What all of them were told; with it a test can start one more, or speak as a service."""

    @property
    def gateway_url(self) -> str:
        """Where clients go, without a trailing slash."""
        return self.url("gateway")

    def url(self, service: str, replica: int = 0) -> str:
        """The address of one process."""
        return _url(self.process(service, replica).port)

    def process(self, service: str, replica: int = 0) -> Child:
        """One process, to stop, kill, suspend or start again. KeyError if there is no such one."""
        return self.processes[f"{service}-{replica}"]

    def settings(self, kind: type[S]) -> S:
        """The settings of `kind` as the services have them."""
        told = {
            name.removeprefix("CARREL_").lower(): value for name, value in self.environment.items()
        }
        return kind.model_validate(told)

    def moved(self) -> list[str]:
        """A sentence for each part that is not at its usual port because that was taken."""
        usual = {f"{service}-0": port for service, port in USUAL_PORTS.items()}
        usual |= {"mongod": MONGO_PORT, "broker": KAFKA_PORT}
        children = {child.name: child for child in self.infrastructure.children}
        return [
            f"Port {usual[name]} is taken: {name.removesuffix('-0')} listens on {child.port}."
            for name, child in (children | dict(self.processes)).items()
            if name in usual and child.port != usual[name]
        ]


@contextmanager
def system(
    data: Path,
    *,
    names: Sequence[str] = SERVICES,
    replicas: Mapping[str, int] | None = None,
    roles: str = "",
    simulation: bool = False,
    environment: Mapping[str, Mapping[str, str]] | None = None,
    gateway_port: int = USUAL_PORTS["gateway"],
    usual_ports: bool = True,
    broker: str = "embedded",
    mongo_nodes: int = 1,
) -> Iterator[System]:
    """Starts the infrastructure and the services, and ends all when left.

    The parameters are those of `services` and of `embedded`. Raises StartFailed if anything does
    not come up.
    """
    mongo_port, kafka_port = (MONGO_PORT, KAFKA_PORT) if usual_ports else (None, None)
    with (
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
        ) as running,
    ):
        yield running


@contextmanager
def services(
    infrastructure: Infrastructure,
    data: Path,
    *,
    names: Sequence[str] = SERVICES,
    replicas: Mapping[str, int] | None = None,
    roles: str = "",
    simulation: bool = False,
    environment: Mapping[str, Mapping[str, str]] | None = None,
    gateway_port: int = USUAL_PORTS["gateway"],
    usual_ports: bool = True,
) -> Iterator[System]:
    """Starts the services of `names` side by side, waits until all are ready, ends them when left.

    `replicas` is a number of processes by service (1 where not named); the other services call the
    first one. `roles` is a comma list, empty for all. `environment` holds further variables, by
    service (`circulation`) or by process (`circulation-1`). A usual port that is taken is replaced
    by a free one. Raises StartFailed, with the end of its log, for a process that dies or is not
    ready within 60 s.
    """
    data = data.resolve()
    wanted = dict(USUAL_PORTS) | {"gateway": gateway_port}
    first = {service: ports.reserve(wanted[service] if usual_ports else None) for service in names}
    urls = {service: _url(first.get(service, port)) for service, port in wanted.items()}
    common = {
        "CARREL_MONGO_URL": infrastructure.mongo_url,
        "CARREL_KAFKA": infrastructure.kafka,
        "CARREL_HOST": ports.LOOPBACK,
        "CARREL_SIMULATION": "1" if simulation else "0",
        "CARREL_PAYMENT_PROVIDER": "double",
        **(UNLIMITED if simulation else {}),
        **infrastructure.told,
        **({"CARREL_ROLES": roles} if roles else {}),
        **{f"CARREL_{service.upper()}_URL": url for service, url in urls.items()},
        **_secrets(data),
    }
    left = data / LEFT
    left.touch(mode=0o600)
    left.write_text(json.dumps(common))
    processes: dict[str, Child] = {}
    for service in names:
        for replica in range((replicas or {}).get(service, 1)):
            name = f"{service}-{replica}"
            own = {
                **(environment or {}).get(service, {}),
                **(environment or {}).get(name, {}),
            }
            port = first[service] if replica == 0 else ports.reserve()
            processes[name] = _service_child(name, service, data, port, {**common, **own})
    try:
        start_all(list(processes.values()))
        yield System(infrastructure, processes, common)
    finally:
        left.unlink(missing_ok=True)
        stop_all(list(processes.values()))
        for child in processes.values():
            ports.release(child.port)


def _service_child(
    name: str, service: str, data: Path, port: int, environment: Mapping[str, str]
) -> Child:
    return Child(
        name,
        [sys.executable, "-m", "ops", "serve", service],
        data / "logs" / f"{name}.log",
        lambda: _is_ready(port),
        port,
        {
            **environment,
            "CARREL_PORT": str(port),
            "CARREL_REPLICA": name.removeprefix(f"{service}-"),
        },
    )


def _url(port: int) -> str:
    return f"http://{ports.LOOPBACK}:{port}"


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
    """What the services share and nobody else has; made once for a data folder and kept in it."""
    file = data / "secrets.json"
    if not file.exists():
        data.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        made = {name: secrets.token_urlsafe(32) for name in ("SERVICE_SECRET", "CARD_KEY")}
        file.write_text(json.dumps({f"CARREL_{name}": value for name, value in made.items()}))
    kept: dict[str, str] = json.loads(file.read_text())
    return kept
