"""The end of the reopening of 2021, compared between brokers.

One suite plays it on the embedded broker and keeps its end; another compares it with that on Apache
Kafka, and plays it on both only if the kept one is of other code.
"""

import hashlib
import re
from typing import Any

import orjson

from ops.scenario.definition import Report
from ops.scenario.demo import as_document
from tests.systems import PROJECT, disk_root

IDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|RN-[0-9A-Z]{4}-[0-9A-Z]{4}")


def end_state(report: Report) -> str:
    """Return all that the report shows, in lines, without ids and times of the machine."""
    document: dict[str, Any] = as_document(report)
    del document["seconds"]
    return IDS.sub("id", orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


def keep(state: str) -> None:
    """Keep the end on the embedded broker for the other suite."""
    file = disk_root() / "reopening.json"
    file.write_bytes(orjson.dumps({"code": _code(), "state": state}))


def kept() -> str | None:
    """Return the kept end, or None if there is none of this code."""
    file = disk_root() / "reopening.json"
    if not file.exists():
        return None
    found = orjson.loads(file.read_bytes())
    return str(found["state"]) if found["code"] == _code() else None


def _code() -> str:
    """Return a digest of all files that the system is made of."""
    folders = (PROJECT / name for name in ("services", "shared", "ops"))
    files = [
        *PROJECT.glob("requirements*.lock"),
        *(one for top in folders for one in top.rglob("*")),
    ]
    digest = hashlib.sha256()
    for file in sorted(files):
        if file.is_file() and file.suffix != ".pyc":
            digest.update(f"{file.relative_to(PROJECT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()
