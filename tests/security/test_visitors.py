"""Day 32 on a running system: nothing of a visitor is left, and no key opens what logs kept."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from bson import json_util
from cryptography.fernet import Fernet, InvalidToken

from ops.infrastructure.processes import System
from services.notices import sealing
from services.notices.visits import store as visits_store
from services.notices.visits.store import KEYS, VISITS
from services.settings import Settings
from tests.library import Library, unique
from tests.security.test_erasure import found
from tests.support import patient_client

DAY_1, DAY_2, DAY_31, DAY_32 = "2020-11-02", "2020-11-03", "2020-12-02", "2020-12-03"
PHONES = ("6131 4201", "6131 4202", "6131 4203")


async def test_on_day_32_nothing_of_a_visitor_is_left(running: System, library: Library) -> None:
    library.now = f"{DAY_1}T10:00:00+08:00"
    branch = await library.branch()
    card = await library.patron(branch)
    names = [unique("Visitor") for _ in PHONES]
    bodies = [{"name": name, "phone": phone} for name, phone in zip(names, PHONES, strict=True)]
    venue = (await library.post(f"/v1/branches/{branch}/venue", by="staff"))["venue"]
    path = f"/v1/branches/{branch}/visits"
    await library.post(path, {**bodies[0], "door": "Main"}, by="staff")
    left = await library.call("POST", "/v1/visits", {**bodies[1], "venue": venue})
    await library.post("/v1/me/visits", {**bodies[2], "venue": venue}, by=card)
    await library.call("POST", "/v1/visits/leavings", {"visit": left["id"]})
    library.now = f"{DAY_2}T10:00:00+08:00"
    kept = unique("Visitor")
    await library.post(path, {"name": kept, "phone": "6131 4204", "door": "Main"}, by="staff")
    assert await traced(library, branch, DAY_1) == names

    # The sealed details as a backup has them, which the key of the day opens.
    settings = running.settings(Settings)
    master = sealing.master_of(running.environment["CARREL_VISIT_KEYS"])
    assert master is not None
    store = f"{settings.database_prefix}_notices"
    client = patient_client(settings.mongo_url)
    try:
        day = {"branch": branch, "day": DAY_1}
        backup = [one["sealed"] async for one in client[store][VISITS].find(day)]
        wrapped = [one["wrapped"] async for one in client[store][KEYS].find({"_id": DAY_1})]
        keys = {master.decrypt(one) for one in wrapped}
        assert sorted(opened(backup, keys)) == sorted(names)

        for now in (DAY_31, DAY_32):
            library.now = f"{now}T10:00:00+08:00"
            await library.job("notices/purge-visits")
            await library.flow.settle(within=60)
            assert await traced(library, branch, DAY_1) == (names if now == DAY_31 else [])
        assert await traced(library, branch, DAY_2) == [kept]

        assert await found(running, {*names, *PHONES}) == set()
        oplog = [one async for one in client.local["oplog.rs"].find({})]
        texts = [json_util.dumps(one, ensure_ascii=False) for one in oplog]
        assert [text for text in texts if any(one in text for one in (*names, *PHONES))] == []

        # The log of the database still has the sealed details. Nothing stored opens them.
        logged = [one for one in values(oplog) if one in set(backup)]
        assert {*logged} == {*backup}
        stored = {one async for one in everything_in(client)}
        left_keys = {one["wrapped"] async for one in client[store][KEYS].find({})}
        assert left_keys
        assert not left_keys & {*wrapped}
        unwrapped = {master.decrypt(one) for one in left_keys if sealing.unwrapped(master, one)}
        candidates = {one for one in (*stored, *values(oplog), *unwrapped) if is_a_key(one)}
        assert unwrapped <= candidates
        assert await asyncio.to_thread(opened, backup, candidates) == []
    finally:
        client.close()


async def traced(library: Library, branch: str, day: str) -> list[str]:
    """Return the names of the visitors of a day, by the time of their entry."""
    body = {
        "branch": branch,
        "start": f"{day}T00:00:00+08:00",
        "until": f"{day}T23:00:00+08:00",
        "case_number": "CHP-32",
        "reason": "A visitor has fallen ill",
    }
    seen = await library.post("/v1/tracings", body, by="tracer")
    return [one["name"] for one in seen["visits"]]


def opened(sealed: list[bytes], keys: set[bytes]) -> list[str]:
    """Return the names in those sealed details that one of the keys opens."""
    names = []
    for key in keys:
        for one in sealed:
            try:
                names.append(visits_store.unseal(key, one).name)
            except InvalidToken:
                continue
    return names


def is_a_key(value: bytes) -> bool:
    """Return whether a value has the form of a key."""
    try:
        Fernet(value)
    except ValueError:
        return False
    return True


def values(document: Any) -> Iterator[bytes]:
    """Yield all texts and binary values in a document or a list, with the names of fields."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield str(name).encode()
            yield from values(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from values(value)
    elif isinstance(document, str | bytes):
        yield document.encode() if isinstance(document, str) else document


async def everything_in(client: Any) -> AsyncIterator[bytes]:
    """Yield all texts and binary values in every collection of every database but the log."""
    for database in await client.list_database_names():
        if database == "local":
            continue
        for name in await client[database].list_collection_names():
            async for document in client[database][name].find():
                for value in values(document):
                    yield value
