"""Read all databases at one cluster time, while the services work."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bson import Timestamp
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from ops.backups.archive import Backup, BackupError, Part, write_list, write_part
from services.registry import NAMES
from services.settings import Settings
from shared.indexes import chassis_indexes

PARTIAL = ".partial"
BATCH_BYTES = 4 * 1024 * 1024
NOT_KEPT = {"processes", "leases", "sessions", "restoring"}
"""Collections that are no use after a restore: what runs now, and sessions, which end."""
_WINDOW = "minSnapshotHistoryWindowInSeconds"
_TOO_OLD, _UNAVAILABLE = 239, 246
_RAW = CodecOptions[RawBSONDocument](RawBSONDocument)

Databases = Mapping[str, Database[dict[str, Any]]]


@contextmanager
def blocking_databases(settings: Settings) -> Iterator[Databases]:
    """Yield the database of each service; its calls block, for one collection after the other."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        settings.mongo_url, w="majority", appname="carrel", serverSelectionTimeoutMS=3000
    )
    try:
        yield {name: client[f"{settings.database_prefix}_{name}"] for name in NAMES}
    finally:
        client.close()


def take(
    settings: Settings, to: Path, recipients: Sequence[Any], update: Callable[[str], None]
) -> tuple[Backup, Path]:
    """Write a backup of all databases into a new folder in `to`; return its list and place.

    The folder gets its name once the backup is whole. Raises BackupError and OSError.
    """
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    with blocking_databases(settings) as databases:
        at = _cluster_time(databases)
        folder = to / Backup("", at.time, at.inc, ()).name
        partial = folder.with_name(f"{folder.name}{PARTIAL}")
        if folder.exists() or partial.exists():
            raise BackupError(f"{folder} is there already, or is being written. Try again.")
        partial.mkdir(mode=0o700)
        try:
            parts = tuple(_parts(databases, at, partial, recipients, update))
            backup = Backup(version("carrel"), at.time, at.inc, parts)
            write_list(partial, backup)
            partial.rename(folder)
            _sync(to)
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            if isinstance(error, OperationFailure) and error.code in (_TOO_OLD, _UNAVAILABLE):
                raise BackupError(_too_old(databases)) from None
            raise
    return backup, folder


def _parts(
    databases: Databases,
    at: Timestamp,
    folder: Path,
    recipients: Sequence[Any],
    update: Callable[[str], None],
) -> Iterator[Part]:
    done = 0
    for service, database in databases.items():
        for name in sorted(database.list_collection_names(filter={"type": "collection"})):
            if not is_kept(service, name):
                continue

            def show(read: int, of: str = f"{service}.{name}") -> None:
                nonlocal done
                done += read
                update(f"Writing {of}: {done:,} documents so far")

            batches = _batches(database, name, at, show)
            part = write_part(folder, service, name, batches, recipients)
            if part.documents:
                yield part
            else:
                (folder / part.file).unlink()


def is_kept(service: str, collection: str) -> bool:
    """Return whether a backup has a collection; the account views are built from the owners'."""
    if collection.startswith("system.") or collection in NOT_KEPT:
        return False
    return service != "gateway" or collection in chassis_indexes(1)


def _cluster_time(databases: Databases) -> Timestamp:
    """Return the latest time whose writes a majority has. Raises BackupError without data."""
    probe = {
        "find": "outbox",
        "limit": 1,
        "singleBatch": True,
        "projection": {"_id": 1},
        "readConcern": {"level": "snapshot"},
    }
    database = databases["accounts"]
    at: Timestamp | None = database.command(probe)["cursor"].get("atClusterTime")
    if at is None:
        raise BackupError(
            f"{database.name} has no data, so there is nothing to back up. Set CARREL_MONGO_URL "
            "and CARREL_DATABASE_PREFIX as the services have them."
        )
    return at


def _batches(
    database: Database[dict[str, Any]], collection: str, at: Timestamp, show: Callable[[int], None]
) -> Iterator[Sequence[bytes]]:
    command = {"find": collection, "readConcern": {"level": "snapshot", "atClusterTime": at}}
    raw = database.with_options(codec_options=_RAW)
    found = raw.cursor_command(command, codec_options=_RAW)
    batch: list[bytes] = []
    size = 0
    for document in found:
        batch.append(bytes(document.raw))
        size += len(document.raw)
        if size >= BATCH_BYTES:
            show(len(batch))
            yield batch
            batch, size = [], 0
    if batch:
        show(len(batch))
        yield batch


def _too_old(databases: Databases) -> str:
    try:
        admin = databases["accounts"].client.admin
        window = admin.command({"getParameter": 1, _WINDOW: 1})[_WINDOW]
    except OperationFailure:
        window = "some"
    return (
        f"The database no longer has the state of the beginning: it keeps states for {window} s, "
        "and not across a change of indexes. Nothing is left of this backup. Run it again; if it "
        f"takes longer, raise the time on each node first: db.adminCommand({{setParameter: 1, "
        f"{_WINDOW}: 3600}})"
    )


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
