"""A container engine for tests: it has its own images only, and stops with the block.

Its data and its socket are in a given folder. It publishes ports on the loopback address only
and changes no rule of the machine's firewall, so that containers reach one another and nothing
else.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import patience


class NotHere(Exception):
    """This machine lacks something; the message says what, and how to install it."""


@dataclass(frozen=True)
class Engine:
    """A running engine, with the environment to call it."""

    environment: Mapping[str, str]

    def docker(self, *arguments: str, stdin: bytes | None = None, within: float = 600) -> str:
        """Run the docker client, and return its output. Raises CalledProcessError."""
        return self.run(["docker", *arguments], stdin=stdin, within=within)

    def run(
        self,
        command: list[str],
        *,
        stdin: bytes | None = None,
        within: float = 600,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command against this engine, and return its output. Raises CalledProcessError."""
        done = subprocess.run(
            command,
            input=stdin if stdin is not None else b"",
            check=False,
            capture_output=True,
            timeout=patience.stretched(within),
            env={**os.environ, **self.environment, **(environment or {})},
        )
        output = done.stdout.decode()
        if done.returncode:
            raise subprocess.CalledProcessError(
                done.returncode, command, output, done.stderr.decode()
            )
        return output.strip()

    def driver(self) -> str:
        """Return the engine's version and storage driver as text."""
        return self.docker("info", "--format", "Docker {{.ServerVersion}} on {{.Driver}}")


def running_engine() -> Engine:
    """Return the engine of DOCKER_HOST, or of the machine. Raises NotHere."""
    engine = Engine({})
    _require("docker", "docker.io")
    try:
        engine.driver()
    except subprocess.CalledProcessError as failed:
        raise NotHere(f"no container engine answers: {failed.stderr.strip()}") from None
    return engine


@contextmanager
def own_engine(folder: Path) -> Iterator[Engine]:
    """Run an engine with its data in `folder` until the block ends. Raises NotHere."""
    if os.geteuid() != 0:
        raise NotHere("an engine of one's own needs root; or name a running one")
    _require("docker", "docker.io")
    dockerd = _require("dockerd", "docker.io")
    socket, log = folder / "socket", folder / "engine.log"
    command = [
        *(dockerd, "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
        *("--pidfile", str(folder / "pid"), "--host", f"unix://{socket}"),
        *("--ip", "127.0.0.1", "--iptables=false", "--ip6tables=false"),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    engine = Engine({"DOCKER_HOST": f"unix://{socket}", "DOCKER_BUILDKIT": "0"})
    try:
        _wait(process, engine, log)
        yield engine
    finally:
        process.terminate()  # it stops the containers first
        try:
            process.wait(patience.stretched(120))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", engine: Engine, log: Path) -> None:
    deadline = time.monotonic() + patience.stretched(120)
    while True:
        if process.poll() is not None:
            said = log.read_text().strip().splitlines()[-3:]
            raise NotHere("the engine does not start: " + " ".join(said))
        try:
            engine.driver()
            return
        except subprocess.CalledProcessError as failed:
            if time.monotonic() > deadline:
                raise NotHere(f"the engine does not answer: {failed.stderr.strip()}") from None
        time.sleep(0.5)  # between looks, up to the deadline


def compose_command(engine: Engine) -> list[str]:
    """Return the command of Compose, a plugin or a program. Raises NotHere."""
    try:
        engine.docker("compose", "version")
    except subprocess.CalledProcessError:
        return [_require("docker-compose", "docker-compose")]
    return ["docker", "compose"]


def _require(program: str, package: str) -> str:
    found = shutil.which(program)
    if not found:
        raise NotHere(f"there is no {program} on the PATH (on Debian: {package})")
    return found
