"""The end of sessions: log-out, a new PIN, a block, an erasure, the end of an employment."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.accounts.sign_in import rules as sign_in_rules
from shared.token_form import TOKEN_TYPE
from tests.accounts.people import MEI, SERVICE, STAFF, events, hired, logged_in, registered
from tests.accounts.test_keys import claims_of, header_of
from tests.support import OPS, Answer, Api, token

NEW_PIN = "31-41-59"
LIBRARIAN = {
    "card_number": "S-1",
    "name": "Lee",
    "role": "staff",
    "email": "lee@example.org",
}


async def ended(api: Api) -> list[dict[str, Any]]:
    return [event for topic, event in await events(api) if topic == "session.ended"]


async def ended_ids(api: Api) -> set[str]:
    return {event["session_id"] for event in await ended(api)}


async def opened(api: Api, account_id: str) -> set[str]:
    """Return the ids of the sessions of an account that are open."""
    found = api.app.state.database.sessions.find({"account_id": account_id})
    return {row["_id"] async for row in found}


async def session_of(api: Api, **typed: str) -> str:
    """Log in and return the id of the session."""
    return str(claims_of(await logged_in(api, **typed))["sid"])


def same(mei: dict[str, Any], session_id: str) -> str:
    """Return a token of a session that the service accepts here."""
    return token(mei["id"], session_id=session_id)


async def test_each_log_in_opens_a_session_that_its_token_names(api: Api) -> None:
    mei = await registered(api)
    tokens = [await logged_in(api) for _ in range(2)]
    ids = {claims_of(one)["sid"] for one in tokens}
    assert {header_of(one)["typ"] for one in tokens} == {TOKEN_TYPE}
    assert len(ids) == 2
    assert await opened(api, mei["id"]) == ids
    indexes = await api.app.state.database.sessions.index_information()
    assert indexes["expires_at_1"]["expireAfterSeconds"] == 0


async def test_log_out_ends_the_session_of_the_token_alone(api: Api, other_replica: Api) -> None:
    mei = await registered(api)
    first, second = await session_of(api), await session_of(other_replica)
    for _ in range(2):  # once more changes nothing
        assert (await api.delete("/v1/sessions/current", as_=same(mei, first))).status == 204
    assert await opened(api, mei["id"]) == {second}
    [event] = await ended(api)
    expires_at = datetime.fromisoformat(event.pop("expires_at"))
    assert event == {"session_id": first, "account_id": mei["id"], "version": 2}
    assert abs(expires_at - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)


async def test_nobody_ends_the_session_of_another_account(api: Api) -> None:
    mei = await registered(api)
    other = await registered(api, card_number="HK0002B")
    session_id = await session_of(api)
    for stranger in (same(other, session_id), token("staff-1", ["staff"], session_id=session_id)):
        assert (await api.delete("/v1/sessions/current", as_=stranger)).status == 204
        assert (await api.delete("/v1/sessions", as_=stranger)).status == 204
    assert await opened(api, mei["id"]) == {session_id}
    assert await ended(api) == []


async def test_log_out_everywhere_ends_all_sessions_of_the_account(api: Api) -> None:
    mei = await registered(api)
    ids = {await session_of(api) for _ in range(3)}
    assert (await api.delete("/v1/sessions", as_=token(mei["id"]))).status == 204
    assert (await opened(api, mei["id"]), await ended_ids(api)) == (set(), ids)


async def test_a_token_without_a_session_can_log_out(api: Api) -> None:
    assert (await api.delete("/v1/sessions/current", as_=SERVICE)).status == 204
    assert await ended(api) == []


async def test_a_new_pin_ends_all_other_sessions(api: Api) -> None:
    mei = await registered(api)
    first, second = await session_of(api), await session_of(api)
    body = {"pin": MEI["pin"], "new_pin": NEW_PIN}
    assert (await api.put("/v1/me/pin", body, as_=same(mei, second))).status == 204
    assert await opened(api, mei["id"]) == {second}
    assert await ended_ids(api) == {first}


Change = Callable[[Api, str], Awaitable[Answer]]


def patch(**change: str) -> Change:
    return lambda api, path: api.patch(path, change, as_=STAFF)


@pytest.mark.usefixtures("lending")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(patch(pin=NEW_PIN), id="a PIN chosen at the desk"),
        pytest.param(patch(card_number="HK0009"), id="another card"),
        pytest.param(
            lambda api, path: api.post(f"{path}/block", {"reason": "Card found"}, as_=STAFF),
            id="a block",
        ),
        pytest.param(lambda api, path: api.delete(path, as_=STAFF), id="an erasure"),
    ],
)
async def test_changes_by_staff_that_protect_an_account_end_its_sessions(
    api: Api, change: Change
) -> None:
    mei = await registered(api)
    ids = {await session_of(api) for _ in range(2)}
    assert (await change(api, f"/v1/patrons/{mei['id']}")).status == 200
    assert (await opened(api, mei["id"]), await ended_ids(api)) == (set(), ids)


@pytest.mark.parametrize("change", [patch(name="Chan May"), patch(home_branch="STPL")])
async def test_other_changes_of_a_patron_end_no_session(api: Api, change: Change) -> None:
    mei = await registered(api)
    session_id = await session_of(api)
    assert (await change(api, f"/v1/patrons/{mei['id']}")).status == 200
    assert await opened(api, mei["id"]) == {session_id}


async def test_no_session_outlives_a_pin_that_changes_during_the_log_in(
    api: Api, other_replica: Api
) -> None:
    mei = await registered(api)
    pins = [f"pin-{round_}-{round_}" for round_ in range(6)]
    before = str(MEI["pin"])
    for pin in pins:
        typed = {"card_number": "HK0001A", "pin": before}
        *_, changed = await asyncio.gather(
            other_replica.post("/v1/sessions", typed),
            other_replica.post("/v1/sessions", typed),
            api.patch(f"/v1/patrons/{mei['id']}", {"pin": pin}, as_=STAFF),
        )
        assert changed.status == 200
        assert await opened(api, mei["id"]) == set()
        before = pin


async def test_the_oldest_session_ends_when_an_account_has_too_many(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_rules, "MOST_SESSIONS", 2)
    mei = await registered(api)
    first, second, third = [await session_of(api) for _ in range(3)]
    assert await opened(api, mei["id"]) == {second, third}
    assert await ended_ids(api) == {first}
    typed = {"card_number": "HK0001A", "pin": "27-18-28"}
    told = await api.post("/v1/sessions", typed, headers={"Carrel-Changes": "1"})
    changes = told.json()["changes"]
    ended = [change["data"] for change in changes if change["topic"] == "session.ended"]
    assert [one["session_id"] for one in ended] == [second]


# ---- staff --------------------------------------------------------------------------------------


async def test_a_removed_account_of_staff_has_no_session_and_cannot_log_in(api: Api) -> None:
    made = await hired(api)
    session_id = await session_of(api, card_number="S-1", pin="27-18-28")
    removal = {"card_number": " s-1"}
    assert (await api.post("/v1/staff-removals", removal, as_=OPS)).status == 204
    assert (await opened(api, made), await ended_ids(api)) == (set(), {session_id})
    typed = {"card_number": "S-1", "pin": "27-18-28"}
    assert (await api.post("/v1/sessions", typed)).status == 401
    again = await api.post("/v1/staff-removals", removal, as_=OPS)
    assert (again.status, again.json()["code"]) == (404, "no-such-account")
    assert (await api.post("/v1/staff", LIBRARIAN, as_=OPS)).status == 201


async def test_a_patron_is_not_removed_as_staff(api: Api) -> None:
    mei = await registered(api)
    answer = await api.post("/v1/staff-removals", {"card_number": "HK0001A"}, as_=OPS)
    assert (answer.status, answer.json()["code"]) == (404, "no-such-account")
    assert (await api.get(f"/v1/patrons/{mei['id']}", as_=STAFF)).json() == mei
