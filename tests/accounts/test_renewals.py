"""Renewals of sessions: each renewal token is used once, whatever gets lost or comes twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.accounts.app import create_app
from services.accounts.settings import Settings
from services.accounts.sign_in.rules import GRACE
from tests.accounts.people import STAFF, events, registered
from tests.accounts.test_ended_sessions import ended_ids, opened
from tests.accounts.test_keys import claims_of
from tests.support import Answer, Api, served, token

MEIS = {"card_number": "HK0001A", "pin": "27-18-28"}


async def session(api: Api) -> dict[str, Any]:
    """Log in and return the answer."""
    answer = await api.post("/v1/sessions", MEIS)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def renew(api: Api, renewal_token: str, **more: Any) -> Answer:
    return await api.post("/v1/sessions/renewal", {"renewal_token": renewal_token}, **more)


def is_over(answer: Answer) -> bool:
    return (answer.status, answer.json()["code"]) == (401, "session-ended")


async def change(api: Api, **fields: Any) -> None:
    """Change the only session that is stored."""
    await api.app.state.database.sessions.update_one({}, {"$set": fields})


async def test_a_renewal_gives_new_tokens_of_the_same_session(api: Api, other_replica: Api) -> None:
    mei = await registered(api)
    first = await session(api)
    await api.patch(f"/v1/patrons/{mei['id']}", {"name": "Chan May"}, as_=STAFF)
    second = (await renew(other_replica, first["renewal_token"])).json()
    third = (await renew(api, second["renewal_token"])).json()
    assert len({one["renewal_token"] for one in (first, second, third)}) == 3
    claims = [claims_of(one["access_token"]) for one in (first, third)]
    assert claims[0]["sid"] == claims[1]["sid"]
    assert [one["name"] for one in claims] == ["Chan Mei-ling", "Chan May"]
    assert (third["expires_in"], third["patron_id"], third["roles"]) == (600, mei["id"], ["patron"])
    path = f"/v1/patrons/{mei['id']}"
    assert (await other_replica.get(path, as_=third["access_token"])).status == 200
    assert await opened(api, mei["id"]) == {claims[0]["sid"]}


async def test_a_renewal_whose_answer_was_lost_can_be_repeated(api: Api) -> None:
    await registered(api)
    first = await session(api)
    lost, again = [(await renew(api, first["renewal_token"])).json() for _ in range(2)]
    assert lost["renewal_token"] == again["renewal_token"] != first["renewal_token"]
    assert (await renew(api, again["renewal_token"])).status == 200


async def test_concurrent_renewals_of_many_windows_all_succeed_with_one_new_token(
    api: Api, other_replica: Api
) -> None:
    mei = await registered(api)
    first = await session(api)
    answers = await asyncio.gather(
        *(renew(one, first["renewal_token"]) for one in [api, other_replica] * 10)
    )
    assert {answer.status for answer in answers} == {200}
    [newest] = {answer.json()["renewal_token"] for answer in answers}
    assert (await renew(api, newest)).status == 200
    [stored] = [row async for row in api.app.state.database.sessions.find({})]
    assert stored["place"] == 3
    assert len(await opened(api, mei["id"])) == 1


async def test_a_token_that_was_used_before_ends_its_session_and_no_other(api: Api) -> None:
    mei = await registered(api)
    first = await session(api)
    newest = (await renew(api, first["renewal_token"])).json()
    await change(api, renewed_at=datetime.now(UTC) - GRACE - timedelta(seconds=1))
    other = await session(api)
    assert is_over(await renew(api, first["renewal_token"]))
    assert is_over(await renew(api, newest["renewal_token"]))
    assert await ended_ids(api) == {claims_of(first["access_token"])["sid"]}
    assert await opened(api, mei["id"]) == {claims_of(other["access_token"])["sid"]}
    assert (await renew(api, other["renewal_token"])).status == 200


async def test_an_ended_or_expired_session_is_not_renewed(api: Api) -> None:
    mei = await registered(api)
    left = await session(api)
    assert (await api.delete("/v1/sessions", as_=token(mei["id"]))).status == 204
    assert is_over(await renew(api, left["renewal_token"]))
    expired = await session(api)
    await change(api, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert is_over(await renew(api, expired["renewal_token"]))


async def test_no_access_token_lasts_longer_than_its_session(api: Api) -> None:
    await registered(api)
    first = await session(api)
    await change(api, expires_at=datetime.now(UTC) + timedelta(seconds=100))
    second = (await renew(api, first["renewal_token"])).json()
    assert second["expires_in"] == second["renewal_expires_in"] <= 100


@pytest.mark.parametrize("forged", ["", "x", "a.1.b", "\N{LATIN SMALL LETTER E WITH ACUTE}.1.b"])
async def test_a_forged_token_renews_nothing(api: Api, forged: str) -> None:
    await registered(api)
    first = await session(api)
    assert is_over(await renew(api, forged))
    said, _, digest = first["renewal_token"].rpartition(".")
    session_id = said.partition(".")[0]
    assert is_over(await renew(api, f"{session_id}.2.{digest}"))
    assert is_over(await renew(api, first["access_token"][:200]))
    assert (await renew(api, first["renewal_token"])).status == 200


async def test_no_renewal_token_is_stored_logged_or_published(
    api: Api, capfd: pytest.CaptureFixture[str]
) -> None:
    await registered(api)
    first = await session(api)
    second = (await renew(api, first["renewal_token"], key="once")).json()
    third = (await renew(api, second["renewal_token"], key="once")).json()
    assert len({one["renewal_token"] for one in (first, second, third)}) == 3
    database = api.app.state.database
    stored = [
        str(row)
        for name in await database.list_collection_names()
        async for row in database[name].find({})
    ]
    everywhere = "".join([*stored, *map(str, await events(api)), *capfd.readouterr()])
    for one in (first, second, third):
        assert one["renewal_token"].rpartition(".")[2] not in everywhere


async def test_without_a_key_to_derive_them_there_are_no_renewal_tokens(
    settings: Settings,
) -> None:
    bare = settings.model_copy(update={"renewal_keys": ""})
    async with served(create_app, bare) as api:
        await registered(api)
        first = await session(api)
        assert (first["expires_in"], first["renewal_token"]) == (3600, None)
        assert is_over(await renew(api, "a.1.b"))
