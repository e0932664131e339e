"""Write a backup into empty databases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError

from ops.backups.archive import Backup, BackupError, read_part
from ops.backups.snapshot import BATCH_BYTES, Databases
from services.registry import NAMES
from shared.restoring import RESTORING

_RAW = CodecOptions[RawBSONDocument](RawBSONDocument)
_DUPLICATE = 11000


def load(
    databases: Databases,
    backup: Backup,
    folder: Path,
    identity: Any,
    update: Callable[[str], None],
) -> None:
    """Write all documents of a backup into the databases, which have none, without indexes.

    A load of the same backup that was interrupted goes on; after one that ended, nothing is done.
    No service starts on the databases until `finish_load`. Raises BackupError if a database has
    data, and if the key opens no file.
    """
    _check_key(backup, folder, identity)
    mark = {"_id": f"{backup.seconds}.{backup.increment}"}
    if databases[NAMES[-1]][RESTORING].count_documents(mark | {"loaded": True}):
        return
    for database in databases.values():
        if not database[RESTORING].count_documents(mark) and (full := _first_full(database)):
            raise BackupError(
                f"{database.name} has data already (in {full}), and is left as it is. Restore "
                "into an empty system: set another CARREL_DATABASE_PREFIX, or drop all databases "
                "of this one: "
                f'db.getSiblingDB("{database.name}").dropDatabase()'
            )
    for database in databases.values():
        database[RESTORING].update_one(mark, {"$set": mark}, upsert=True)
    done = 0
    for part in backup.parts:
        collection = databases[part.service].get_collection(part.collection, _RAW)

        def save(batch: list[bytes], collection: Any = collection) -> None:
            nonlocal done
            _insert(collection, batch)
            done += len(batch)
            update(f"Writing documents: {done:,} of {backup.documents:,}")

        read_part(folder / part.file, identity, save, BATCH_BYTES)
        if (found := collection.count_documents({})) != part.documents:
            raise BackupError(
                f"{collection.full_name} has {found} documents and the backup {part.documents}: "
                "something else writes to it. Stop that, drop the databases, and restore again."
            )
    for database in databases.values():
        database[RESTORING].update_one(mark, {"$set": {"loaded": True}})


def finish_load(databases: Databases) -> None:
    """Let services start on the databases."""
    for database in databases.values():
        database[RESTORING].delete_many({})


def _check_key(backup: Backup, folder: Path, identity: Any) -> None:
    smallest = min(backup.parts, key=lambda part: part.bytes)
    read_part(folder / smallest.file, identity, lambda _: None, BATCH_BYTES)


def _first_full(database: Any) -> str:
    for name in sorted(database.list_collection_names()):
        if name != RESTORING and database[name].find_one({}, {"_id": 1}) is not None:
            return str(name)
    return ""


def _insert(collection: Any, batch: list[bytes]) -> None:
    """Insert documents; those that an interrupted load has left are the same."""
    try:
        collection.insert_many([RawBSONDocument(one) for one in batch], ordered=False)
    except BulkWriteError as error:
        if any(one["code"] != _DUPLICATE for one in error.details["writeErrors"]):
            raise
