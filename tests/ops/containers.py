"""Check the whole compose file, and the tests' containers, on a container engine.

    python -m tests.ops.containers

starts an engine of its own (Debian's docker.io, docker-compose; as root), builds local stand-ins
for the named images (tests/ops/stand_ins.py lists their contents), and runs one part after the
other. With --running-engine it uses the engine of the machine, and its images or a registry's.

Exit codes: 0, all parts succeeded; 1, a part failed, with its last output above; 2, this machine
lacks something, which is named. The run takes about ten minutes.
"""

import argparse
import contextlib
import io
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from ops.environment import missing_secrets
from services.registry import NAMES
from tests import patience
from tests.ops import stand_ins
from tests.ops.engine import Engine, NotHere, compose_command, own_engine, running_engine

ROOT = Path(__file__).parents[2]
FILES = ("docker-compose.yml", "tests/ops/images/simulation.yml")
SUITES = ("tests/shared/test_unit_of_work.py", "tests/shared/test_bus.py")
"""Tests of store and bus: transactions and outbox on the database, delivery on the broker."""
INSIDE = (
    "tests/__init__.py",
    "tests/declared.py",
    "tests/library.py",
    "tests/patience.py",
    "tests/recorded.py",
    "tests/support.py",
    "tests/warm.py",
    "tests/ops/compose_inside.py",
)
"""Files that are copied into a container: compose_inside.py, and what it imports of the tests."""
SCALED = {"circulation": 3}
ALL = (*NAMES, "sip2", "mongo", "kafka")
HEALTHY_WITHIN = 600.0
"""Seconds; enough for a slow machine that starts eight containers at once."""
GRACEFUL = {"mongo": {0}, "kafka": {0, 143}}
"""Exit codes of a graceful stop; a JVM exits with 143. For services it is 0."""


class Failed(Exception):
    """A check failed; the message says which."""


class Composed:
    """The compose file's containers under a project name of their own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.project = f"carrel-{secrets.token_hex(3)}"
        files = [part for file in FILES for part in ("-f", str(ROOT / file))]
        self._command = [*compose_command(engine), "-p", self.project, *files]
        self._secrets = {
            **missing_secrets({}),
            "CARREL_ACCESS_TOKEN_SECONDS": "86400",  # the player does not renew its tokens
            "COMPOSE_DOCKER_CLI_BUILD": "0",
            "COMPOSE_HTTP_TIMEOUT": "300",
        }

    def compose(self, *arguments: str) -> str:
        """Run one command of Compose on the file."""
        command = [*self._command, *arguments]
        return self.engine.run(command, environment=self._secrets, within=1800)

    def containers(self, service: str) -> list[str]:
        """The containers of a service."""
        found = self.engine.docker(
            *("ps", "--all", "--quiet", "--no-trunc"),
            *("--filter", f"label=com.docker.compose.project={self.project}"),
            *("--filter", f"label=com.docker.compose.service={service}"),
        )
        return found.split()

    def health(self, container: str) -> str:
        """Return the container's state according to its health check."""
        return self.engine.docker("inspect", "-f", "{{.State.Health.Status}}", container)

    def wait_until_healthy(self) -> None:
        """Wait until every container of the project is healthy. Raises Failed."""
        deadline = time.monotonic() + patience.stretched(HEALTHY_WITHIN)
        for service in ALL:
            expected = SCALED.get(service, 1) if len(self.containers(service)) > 1 else 1
            for container in self.containers(service):
                while (health := self.health(container)) != "healthy":
                    if time.monotonic() > deadline:
                        raise Failed(f"{service} is {health}:\n{self.last_words(container)}")
                    time.sleep(1)  # between looks, up to the deadline
            if len(self.containers(service)) != expected:
                raise Failed(f"{service} has {len(self.containers(service))} containers")

    def last_words(self, container: str) -> str:
        """The end of a container's log."""
        command = ["docker", "logs", "--tail", "15", container]
        both = subprocess.run(
            command,
            env={**os.environ, **self.engine.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return both.stdout.decode(errors="replace")

    def inside(self, what: str) -> str:
        """Run a part of compose_inside.py in a container of accounts, where names resolve."""
        [container] = self.containers("accounts")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for file in INSIDE:
                archive.add(ROOT / file, file)
        self.engine.docker(
            *("exec", "-i", container, "tar", "-xf", "-", "-C", "/tmp"),  # noqa: S108 - its own
            stdin=packed.getvalue(),
        )
        module = ("python", "-m", "tests.ops.compose_inside", what)
        return self.engine.docker("exec", "-w", "/tmp", container, *module, within=1800)  # noqa: S108


def show_suites(engine: Engine) -> str:
    """Run the suites of store and bus on containers of MongoDB and Kafka."""
    command = [
        *(sys.executable, "-m", "pytest", "--numprocesses=0", "-m", "not web and not mutants"),
        "-W",
        "error:No container can be started here",  # never fall back to the local ones silently
        *SUITES,
    ]
    environment = {"CARREL_TEST_INFRA": "containers", "TESTCONTAINERS_RYUK_DISABLED": "true"}
    return engine.run(command, environment=environment, within=3600).splitlines()[-1]


def show_start(composed: Composed) -> str:
    """Build the image and start all services; each must become healthy."""
    composed.compose("build")
    composed.compose("up", "--detach")
    composed.wait_until_healthy()
    return f"{len(ALL)} containers are healthy"


def show_scale(composed: Composed) -> str:
    """Scale circulation to three containers while the others run."""
    scale = [part for item in SCALED.items() for part in ("--scale", "{}={}".format(*item))]
    composed.compose("up", "--detach", *scale, "--no-recreate")
    composed.wait_until_healthy()
    count = len(composed.containers("circulation"))
    if count != SCALED["circulation"]:
        raise Failed(f"circulation has {count} containers")
    return f"circulation has {count} containers"


def show_demo(composed: Composed) -> str:
    """Play the reopening of 2021 through the gateway; every expectation must hold."""
    return composed.inside("demo").splitlines()[-1]


def show_stops(composed: Composed) -> str:
    """Stop one container of each service, start it again, and lend: it must work unaided."""
    for service in ALL:
        container = composed.containers(service)[0]
        composed.engine.docker("stop", container)
        code = int(composed.engine.docker("inspect", "-f", "{{.State.ExitCode}}", container))
        if code not in GRACEFUL.get(service, {0}):
            raise Failed(f"{service} ended with {code}:\n{composed.last_words(container)}")
        if service == "circulation":
            composed.inside("lend")  # the other two serve
        composed.engine.docker("start", container)
        composed.wait_until_healthy()
        composed.inside("lend")
        _say(f"      {service} was stopped and started; lending goes on")
    return f"one container of each of {len(ALL)} was stopped and started"


def show_volumes(composed: Composed) -> str:
    """Remove and recreate all containers: the volumes must keep stored and published data."""
    before = composed.inside("topics")
    composed.compose("down", "--timeout", "30")
    composed.compose("up", "--detach")
    composed.wait_until_healthy()
    after = composed.inside("topics")
    if after != before:
        raise Failed(f"topics held {before}, and {after} in new containers")
    composed.inside("lend")
    return f"{after} events are on their topics as before"


def main() -> int:
    """Run the parts one after the other, and return the exit code."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _ended)
    try:
        with _engine(arguments) as engine:
            _say(f"engine: {engine.driver()}")
            if not arguments.running_engine:
                stand_ins.build(engine, lambda what: _say(f"  stand-in for {what}"))
            composed = Composed(engine)
            try:
                _show(arguments, engine, composed)
            finally:
                composed.compose("down", "--volumes", "--timeout", "10")
    except NotHere as missing:
        _say(f"This machine cannot: {missing}.")
        return 2
    except Failed as failed:
        _say(f"FAILED: {failed}")
        return 1
    except subprocess.CalledProcessError as failed:
        said = ((failed.output or "") + (failed.stderr or "")).strip().splitlines()[-25:]
        _say("\n".join([f"FAILED: {' '.join(failed.cmd[:4])} …", *said]))
        return 1
    _say("All was shown.")
    if not arguments.running_engine:
        _say("Not shown: the images themselves. Stand-ins were used:")
        for part, what in stand_ins.WHAT.items():
            _say(f"  {stand_ins.names()[part]}: {what}")
    return 0


def _show(arguments: argparse.Namespace, engine: Engine, composed: Composed) -> None:
    parts: dict[str, Callable[[], str]] = {
        "suites": lambda: show_suites(engine),
        "start": lambda: show_start(composed),
        "scale": lambda: show_scale(composed),
        "demo": lambda: show_demo(composed),
        "stops": lambda: show_stops(composed),
        "volumes": lambda: show_volumes(composed),
    }
    for name, show in parts.items():
        if name not in arguments.skip:
            began = time.monotonic()
            _say(f"  {name} …")
            _say(f"  {name}: {show()} ({time.monotonic() - began:.0f} s)")


def _arguments() -> argparse.Namespace:
    assert __doc__
    parser = argparse.ArgumentParser(
        prog="python -m tests.ops.containers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--running-engine",
        action="store_true",
        help="take the engine that DOCKER_HOST names or the machine's, and no stand-ins",
    )
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        choices=["suites", "scale", "demo", "stops", "volumes"],
        help="leave a part out; may be repeated",
    )
    return parser.parse_args()


@contextlib.contextmanager
def _engine(arguments: argparse.Namespace) -> Iterator[Engine]:
    if arguments.running_engine:
        yield running_engine()
        return
    folder = Path(tempfile.mkdtemp(prefix="carrel-engine-"))  # a socket's path has to be short
    try:
        with own_engine(folder) as engine:
            yield engine
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command prints


def _ended(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)  # so that containers and engine are stopped


if __name__ == "__main__":
    sys.exit(main())
