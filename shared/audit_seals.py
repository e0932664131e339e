"""Seals of the audit trail: a keyed chain that makes a missing or altered entry visible.

An entry is stored without a place in any order, so that commands never wait for each other. A
background task lists the waiting entries in the next seal: the digest of each, the hash of the
seal before, and the hash of all this, with a key that is not in the database. Only one replica can
add the seal of a number. The newest key of CARREL_AUDIT_KEYS seals, each of them verifies.
"""

import asyncio
import hmac
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
import structlog
from pymongo import DESCENDING
from pymongo.errors import PyMongoError

from shared.audit_trail import SEALS, TRAIL
from shared.clock import wall_clock
from shared.failpoint import failpoint
from shared.keys import digest, each_of, fingerprint
from shared.mongo import MAJORITY, SNAPSHOT, ClientSession, Database, Document
from shared.supervision import Commits
from shared.transactions import is_duplicate

log = structlog.get_logger()

MOST_ENTRIES = 500
"""Number of entries of a seal."""
SEAL_SECONDS = 1.0
"""Seconds between two looks for waiting entries, while this process commits."""
REST_SECONDS = 1.0
"""Seconds that are added while it does not: looks and other processes leave entries too."""
PURGE_SECONDS = 3600.0
LATE_SECONDS = 60.0
"""Age of a waiting entry from which on the sealing is not working."""
MOST_FAULTS = 100
_FIELDS = ("_id", "at", "by", "roles", "act", "objects", "address", "correlation_id")


@dataclass(frozen=True)
class SealingKey:
    """A key of seals, with the name that its seals have."""

    name: str
    value: bytes = field(repr=False)


@dataclass
class Verified:
    """The result of verifying the trail of a service."""

    seals: int = 0
    entries: int = 0
    first: int = 0
    """Number of the first seal that was verified; 0: there is none."""
    last: int = 0
    hash: str = ""
    """Hash of the last seal. If it was noted elsewhere, it shows that no later one is missing."""
    waiting: int = 0
    """Entries without a seal; they can be altered unnoticed for up to two seconds."""
    faults: list[str] = field(default_factory=list)


async def keep_sealed(database: Database, keys: str, days: int, commits: Commits) -> None:
    """Seal waiting entries and delete those older than `days`, until cancelled."""
    purge_at = 0.0
    while True:
        seen = commits.count
        try:
            while await seal(database, keys) == MOST_ENTRIES:
                pass
            if asyncio.get_running_loop().time() >= purge_at:
                purge_at = asyncio.get_running_loop().time() + PURGE_SECONDS
                await purge(database, keys, wall_clock() - timedelta(days=days))
        except PyMongoError as error:
            log.warning("sealing waits", error=type(error).__name__)
        await commits.after(seen, REST_SECONDS)
        # Replicas that started together drift apart.
        await asyncio.sleep(SEAL_SECONDS * random.uniform(0.9, 1.1))  # noqa: S311


async def seal(database: Database, keys: str) -> int:
    """List waiting entries in the next seal; return their number, 0 if another replica did."""
    if await database[TRAIL].find_one({"pending": True}, {"_id": 1}) is None:
        return 0
    added = await _add_seal(database, keys, None)
    return len(added["entries"]) if added else 0


async def purge(database: Database, keys: str, before: datetime) -> int:
    """Delete the entries that were sealed before a time; return their number.

    First a seal says up to which number, then these are deleted. If the process ends in between,
    the next purge continues. The newest seal stays.
    """
    newest = await _newest(database)
    if newest is None:
        return 0
    old = await database[SEALS].find_one(
        {"_id": {"$lt": newest["_id"]}, "at": {"$lt": before}},
        sort=[("at", DESCENDING), ("_id", DESCENDING)],
    )
    purged: Mapping[str, Any] = newest["purged"]
    if old is not None and old["_id"] > purged["number"]:
        purged = {"number": old["_id"], "hash": old["hash"]}
        if await _add_seal(database, keys, purged) is None:
            return 0
        failpoint("audit.purge-said")
    deleted = await database[TRAIL].delete_many({"seal": {"$lte": purged["number"]}})
    await database[SEALS].delete_many({"_id": {"$lte": purged["number"]}})
    return int(deleted.deleted_count)


async def verify(database: Database, keys: str, *, newest: int = 0) -> Verified:
    """Verify all seals and their entries, or only the `newest` ones.

    Entries that are recorded or purged meanwhile are no faults.
    """
    last = await _newest(database)
    found = Verified()
    late = {"pending": True, "at": {"$lt": wall_clock() - timedelta(seconds=LATE_SECONDS)}}
    found.waiting = await database[TRAIL].count_documents({"pending": True})
    if await database[TRAIL].find_one(late, {"_id": 1}):
        found.faults.append(f"entries wait for a seal for more than {LATE_SECONDS:.0f} s")
    number = last["_id"] if last else 0
    async for stray in database[TRAIL].find({"seal": {"$gt": number}}, {"seal": 1}).limit(10):
        if await database[SEALS].find_one({"_id": stray["seal"]}, {"_id": 1}) is None:
            found.faults.append(f"seal {stray['seal']} of entry {stray['_id']} is missing")
    if last is None:
        return found
    purged = last["purged"]
    begin, previous = purged["number"] + 1, purged["hash"]
    if newest and number - newest >= begin:
        begin, previous = number - newest + 1, ""
    found.first, found.last, found.hash = begin, number, last["hash"]
    expected, sealing = begin, _sealing_keys(keys)
    cursor = database[SEALS].find({"_id": {"$gte": begin, "$lte": number}}).sort("_id")
    async for one in cursor:
        while expected < one["_id"] and len(found.faults) < MOST_FAULTS:
            found.faults.append(f"seal {expected} is missing")
            expected += 1
            previous = ""
        usable = [key for key in sealing if one.get("key") in (key.name, None)]
        if fault := _fault_of(one, usable, previous):
            found.faults.append(f"seal {one['_id']} {fault}")
        if usable:
            await _verify_entries(database, usable, one, found)
        expected, previous = one["_id"] + 1, one["hash"]
        found.seals += 1
        if len(found.faults) >= MOST_FAULTS:
            break
    now = await _newest(database)
    if found.faults and now and now["purged"]["number"] >= begin:
        return await verify(database, keys, newest=newest)  # what was missing has been purged
    return found


def _fault_of(one: Document, usable: Sequence[SealingKey], previous: str) -> str | None:
    """Return what is wrong with a seal; `usable` are the keys with its name, or all without one."""
    if not usable:
        return "was made with a key that CARREL_AUDIT_KEYS lacks"
    if one["hash"] not in [_hash(key, one) for key in usable]:
        # Seals of earlier releases do not name their key.
        return "was altered" if "key" in one else "was altered, or made with another key"
    if previous and one["previous"] != previous:
        return "does not follow the one before"
    return None


async def _verify_entries(
    database: Database, sealing: Sequence[SealingKey], one: Document, found: Verified
) -> None:
    listed = {entry["id"]: entry["digest"] for entry in one["entries"]}
    async for entry in database[TRAIL].find({"seal": one["_id"]}):
        found.entries += 1
        sealed = listed.pop(entry["_id"], None)
        if sealed is None:
            found.faults.append(f"entry {entry['_id']} is not listed in its seal {one['_id']}")
        elif sealed not in [_digest(key, entry) for key in sealing]:
            found.faults.append(f"entry {entry['_id']} of seal {one['_id']} was altered")
    found.faults += [f"entry {missing} of seal {one['_id']} is missing" for missing in listed]


async def _add_seal(
    database: Database, keys: str, purged: Mapping[str, Any] | None
) -> Document | None:
    """Add the next seal, with `purged` if it is given, and return it.

    Returns None if there is nothing to seal, or if another replica added one at the same time.
    """
    try:
        async with (
            await database.client.start_session() as session,
            session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY),
        ):
            added = await _next_seal(database, _sealing_keys(keys)[0], purged, session)
    except PyMongoError as error:
        if is_duplicate(error) or error.has_error_label("TransientTransactionError"):
            return None
        raise
    if added is not None:
        # Kept elsewhere, such a line shows that no later seal was cut off.
        count = len(added["entries"])
        log.info("audit entries sealed", seal=added["_id"], hash=added["hash"], count=count)
    return added


async def _next_seal(
    database: Database, key: SealingKey, purged: Mapping[str, Any] | None, session: ClientSession
) -> Document | None:
    waiting = database[TRAIL].find({"pending": True}, session=session).hint([("pending", 1)])
    entries = await waiting.limit(MOST_ENTRIES).to_list(MOST_ENTRIES)
    if not entries and purged is None:
        return None
    last = await _newest(database, session)
    added: Document = {
        "_id": last["_id"] + 1 if last else 1,
        "at": wall_clock(),
        "key": key.name,
        "previous": last["hash"] if last else "",
        "purged": dict(purged or (last["purged"] if last else {"number": 0, "hash": ""})),
        "entries": [{"id": one["_id"], "digest": _digest(key, one)} for one in entries],
    }
    # As it will be read: the database keeps milliseconds.
    added["at"] = added["at"].replace(microsecond=added["at"].microsecond // 1000 * 1000)
    added["hash"] = _hash(key, added)
    await database[SEALS].insert_one(added, session=session)
    await database[TRAIL].update_many(
        {"_id": {"$in": [one["_id"] for one in entries]}},
        {"$set": {"seal": added["_id"]}, "$unset": {"pending": ""}},
        session=session,
    )
    failpoint("audit.sealed")
    return added


def _sealing_keys(keys: str) -> list[SealingKey]:
    each = each_of(keys) or [""]
    return [SealingKey(fingerprint(one), digest(one, "carrel audit seals")) for one in each]


async def _newest(database: Database, session: ClientSession | None = None) -> Document | None:
    return await database[SEALS].find_one({}, sort=[("_id", DESCENDING)], session=session)


def _digest(key: SealingKey, entry: Mapping[str, Any]) -> str:
    return _mac(key, {name: entry.get(name) for name in _FIELDS})


def _hash(key: SealingKey, one: Mapping[str, Any]) -> str:
    return _mac(key, {name: value for name, value in one.items() if name != "hash"})


def _mac(key: SealingKey, value: Mapping[str, Any]) -> str:
    """Return the keyed hash of a document, whatever the order of its fields."""
    content = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hmac.new(key.value, content, "sha256").hexdigest()
