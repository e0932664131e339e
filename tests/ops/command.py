"""Runs `carrel` as an operator does: in its own process, configured by environment variables."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from services.settings import Settings


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
        "CARREL_KAFKA": settings.kafka,
        "CARREL_PARTITIONS": str(settings.partitions),
        "CARREL_SERVICE_SECRET": "the secret of these tests, no other",
        "CARREL_CARD_KEY": "the card key of these tests, another",
        "COLUMNS": "80",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "ops", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **system, **environment},
    )
    async with asyncio.timeout(240):
        out, err = await process.communicate()
    assert process.returncode is not None
    assert "Traceback" not in err.decode(), err.decode()
    return Ran(process.returncode, out.decode(), err.decode())
