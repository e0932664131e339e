"""Tokens of ended sessions are refused by every replica."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from services.gateway.app import create_app
from services.gateway.settings import Settings
from services.gateway.views.store.schema import ENDED_SESSIONS
from shared.mongo import Database
from tests import samples
from tests.gateway.conftest import Owner, gateways
from tests.gateway.readiness import readiness
from tests.gateway.test_stream import reading
from tests.support import Api, served, token, until

Hear = Callable[..., Awaitable[None]]
MINE, OTHER = token(session_id="session-1"), token(session_id="session-2")


@pytest.fixture
async def two(settings: Settings, whole: None) -> AsyncIterator[list[Api]]:
    async with gateways(settings, 2) as replicas:
        yield replicas


async def status(api: Api, as_: str) -> int:
    return (await api.get("/v1/me", as_=as_)).status


async def refused(api: Api, as_: str = MINE) -> None:
    """Wait until a replica refuses the token."""

    async def is_refused() -> bool:
        return await status(api, as_) == 401

    await until(is_refused)


async def test_all_replicas_refuse_the_tokens_of_an_ended_session_and_no_others(
    two: list[Api], hear: Hear
) -> None:
    for api in two:
        assert [await status(api, one) for one in (MINE, OTHER, token())] == [200] * 3
    for _ in range(3):
        await hear(samples.session_ended())
    for api in two:
        await refused(api)
        assert [await status(api, one) for one in (OTHER, token())] == [200] * 2


async def test_the_token_of_an_ended_session_does_not_reach_an_owner(
    whole: None, hear: Hear, echoes: tuple[Settings, dict[str, Owner]]
) -> None:
    settings, owners = echoes
    circulation = owners["circulation"]
    async with gateways(settings, 2) as replicas:
        await hear(samples.session_ended())
        for api in replicas:
            await refused(api)
            circulation.asked.clear()
            for one in (MINE, OTHER, "a.b.c", "x"):
                await api.get("/v1/titles/any", as_=one)
            sent = [asked["headers"].get("authorization") for asked in circulation.asked]
            assert sent == [None, f"Bearer {OTHER}", "Bearer a.b.c", "Bearer x"]


async def test_a_replica_that_starts_later_refuses_them_before_it_is_ready(
    whole: None, echoes: tuple[Settings, dict[str, Owner]], hear: Hear
) -> None:
    await hear(samples.session_ended())
    settings, _ = echoes
    async with served(create_app, settings, trust_test_keys=False) as api:

        async def ready() -> bool:
            return bool((await readiness(api))[1]["checks"].get("sessions") == "ok")

        await until(ready)
        assert [await status(api, one) for one in (MINE, OTHER)] == [401, 200]


async def test_an_open_stream_of_an_ended_session_ends(two: list[Api], hear: Hear) -> None:
    async with reading(two[1], as_=MINE) as stream, reading(two[1], as_=OTHER) as other:
        for one in (stream, other):
            await one.told()
        await hear(samples.session_ended())
        end = await stream.told()
        assert (end.name, end.data) == ("end", {"reason": "session-ended"})
        assert await stream.over()
        await hear(samples.session_ended("session-2"))
        assert (await other.told()).data == {"reason": "session-ended"}


async def test_sessions_that_end_after_their_collection_was_lost_are_refused_too(
    two: list[Api], hear: Hear, views: Database
) -> None:
    await hear(samples.session_ended())
    for api in two:
        await refused(api)
    await views.drop_collection(ENDED_SESSIONS)
    await hear(samples.session_ended("session-2"))
    for api in two:
        await refused(api, OTHER)
        await refused(api)


async def test_an_ended_session_is_deleted_when_its_tokens_have_expired(
    views: Database, hear: Hear
) -> None:
    ended = samples.session_ended()
    await hear(ended)
    [row] = [row async for row in views[ENDED_SESSIONS].find({})]
    assert set(row) == {"_id", "account_id", "expires_at"}
    assert abs((row["expires_at"] - ended.expires_at).total_seconds()) < 0.001
    indexes = await views[ENDED_SESSIONS].index_information()
    assert indexes["expires_at_1"]["expireAfterSeconds"] == 0
