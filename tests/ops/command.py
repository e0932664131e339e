"""Runs `carrel` as an operator does: in its own process, configured by environment variables."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pkgutil import iter_modules
from typing import Any

from ops import commands
from ops.infrastructure import prepared
from services.registry import NAMES
from services.settings import Settings
from tests import patience
from tests.support import SERVICE_KEYS

CARREL = (*prepared.PROGRAM, "ops")
"""The beginning of each command of `carrel`."""
NEEDS = ("ops.cli", *(found.name for found in iter_modules(commands.__path__, "ops.commands.")))
"""Modules of all commands."""


@dataclass(frozen=True)
class Ran:
    """The output and exit code of a command."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the JSON document on standard output."""
        return json.loads(self.out)


async def carrel(settings: Settings, *arguments: str, **environment: str) -> Ran:
    """Run a command on the system of `settings`, in a terminal of 80 columns."""
    system = {
        "CARREL_MONGO_URL": settings.mongo_url,
        "CARREL_DATABASE_PREFIX": settings.database_prefix,
        **of_kafka(settings),
        "CARREL_PARTITIONS": str(settings.partitions),
        "CARREL_SERVICE_SECRET": "the secret of these tests, no other",
        "CARREL_CARD_KEY": "the card key of these tests",
        **{f"CARREL_AUDIT_KEYS_{name.upper()}": f"audit key of {name} here" for name in NAMES},
        "CARREL_SERVICE_KEY": SERVICE_KEYS["gateway"],
        "COLUMNS": "80",
    }
    ran = await asyncio.to_thread(run, arguments, {**os.environ, **system, **environment})
    assert "Traceback" not in ran.err, ran.err
    return ran


def shown(*arguments: str, **environment: str) -> str:
    """Run a command and return all that a terminal shows of its standard error meanwhile.

    In a new process: a prepared one has looked already whether its standard error is a terminal.
    """
    near, far = pty.openpty()
    text = b""
    with os.fdopen(near, "rb", buffering=0) as screen:
        with os.fdopen(far, "wb", buffering=0) as terminal:
            process = subprocess.Popen(
                [*CARREL, *arguments],
                env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **environment},
                stdout=subprocess.DEVNULL,
                stderr=terminal,
            )
        with contextlib.suppress(OSError):  # the command has ended, and with it the terminal
            while part := screen.read(65536):
                text += part
    assert process.wait(patience.stretched(60)) == 0, text
    return text.decode()


def of_kafka(settings: Settings) -> dict[str, str]:
    """Return the variables of a connection to Kafka."""
    found = settings.model_dump(include={n for n in type(settings).model_fields if "kafka" in n})
    found["kafka_password"] = settings.kafka_password.get_secret_value()
    return {f"CARREL_{name.upper()}": str(value) for name, value in found.items() if value}


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> Ran:
    """Run a command with an environment that names everything."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        command = [*CARREL, *arguments]
        process: prepared.Forked | subprocess.Popen[bytes]
        if prepared.suits(command, {}):
            process = prepared.start(command, environment, out, err, needs=NEEDS)
        else:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            code = process.wait(patience.stretched(240))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        out.seek(0)
        err.seek(0)
        return Ran(code, out.read().decode(), err.read().decode())
