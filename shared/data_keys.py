"""Keys that stored data was made with: a process that has another one does not start.

With a wrong key nothing stored would be found: people would be told that their PIN is wrong. The
fingerprints of the keys are in the service's database, from its first start on.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo import ReturnDocument

from shared.keys import each_of, fingerprint
from shared.mongo import Database
from shared.settings import PREFIX, Settings, secrets_of

FINGERPRINTS = "key_fingerprints"
Matching = Callable[[Database], Awaitable[str | None]]


@dataclass(frozen=True)
class DataKey:
    """A setting with the key that a service's data was made with, or with several in a change."""

    variable: str
    keys: str = field(repr=False)
    renewed: bool = False
    """True: a former key is needed until a command has made all data anew. False: a process may
    have other keys if it shares one with the process that started last."""
    matching: Matching | None = None
    """Returns which of the keys stored data was made with, "" if none; None: nothing tells."""

    @property
    def fingerprints(self) -> list[str]:
        """The fingerprint of each key, the newest first."""
        return [fingerprint(one) for one in each_of(self.keys)]


def data_keys_of(settings: Settings, special: Iterable[DataKey] = ()) -> list[DataKey]:
    """Return the keys without which a service's stored data is of no use; `special` go first."""
    found = {
        variable: DataKey(variable, getattr(settings, name), secret.renewed)
        for name, secret in secrets_of(type(settings)).items()
        if secret.lasting and (variable := f"{PREFIX}{name.upper()}")
    }
    return list((found | {key.variable: key for key in special}).values())


async def settle(database: Database, keys: Iterable[DataKey]) -> list[str]:
    """Note the keys with which a process starts; return why it can't, one sentence for each fault.

    Of processes that start at once on an empty database, the first one to write decides.
    """
    noted = await _noted(database)
    faults = []
    for key in keys:
        if key.keys and key.variable not in noted:
            noted[key.variable] = await _note_first(database, key)
        faults += _fault(database, key, noted)
    for key in keys if not faults else ():
        if key.keys and noted[key.variable].get("accepted") != key.fingerprints:
            change = {"$set": {"accepted": key.fingerprints}}
            await database[FINGERPRINTS].update_one({"_id": key.variable}, change)
    return faults


async def faults_of(database: Database, keys: Iterable[DataKey]) -> list[str]:
    """Return why nothing can be done with these keys, one sentence for each fault."""
    noted = await _noted(database)
    faults = []
    for key in keys:
        if key.matching and key.variable not in noted:
            made_with = await key.matching(database)
            found = made_with if made_with is None else made_with and fingerprint(made_with)
            noted |= {} if found is None else {key.variable: {"made_with": found}}
        faults += _fault(database, key, noted)
    return faults


async def accepts(database: Database, variable: str, key: str) -> bool:
    """Return whether the process that started last accepts a key."""
    known = (await _noted(database)).get(variable)
    return known is not None and fingerprint(key) in known.get("accepted", ())


async def note_made_with(database: Database, variable: str, key: str) -> None:
    """Note that all data is made with this key now."""
    change = {"$set": {"made_with": fingerprint(key)}}
    await database[FINGERPRINTS].update_one({"_id": variable}, change, upsert=True)


async def accept(database: Database, key: DataKey) -> None:
    """Let processes start with these keys, because the former ones are lost."""
    change = {"$set": {"made_with": key.fingerprints[0], "accepted": key.fingerprints}}
    await database[FINGERPRINTS].update_one({"_id": key.variable}, change, upsert=True)


def _fault(database: Database, key: DataKey, noted: Mapping[str, Mapping[str, Any]]) -> list[str]:
    known = noted.get(key.variable)
    if known is None or not key.keys:
        return []
    valid = {known["made_with"]} if key.renewed else {*known.get("accepted", ())}
    if valid & {*key.fingerprints}:
        return []
    fault = (
        f"{key.variable} is not the key that the data of {database.name} was made with. Set that "
        "one, or while it is replaced both, as in new,old: see How to replace them in "
        f"docs/security.md. If it is lost for good: carrel keys accept {key.variable}."
    )
    return [fault]


async def _note_first(database: Database, key: DataKey) -> dict[str, Any]:
    """Note a key unless stored data has another or a process has noted one; return what counts."""
    made_with = await key.matching(database) if key.matching else None
    if made_with == "":
        return {"made_with": ""}
    first = fingerprint(made_with) if made_with else key.fingerprints[0]
    noted: dict[str, Any] = await database[FINGERPRINTS].find_one_and_update(
        {"_id": key.variable},
        {"$setOnInsert": {"made_with": first, "accepted": key.fingerprints}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return noted


async def _noted(database: Database) -> dict[str, dict[str, Any]]:
    return {row["_id"]: row async for row in database[FINGERPRINTS].find({})}
