"""Logging in: conditions for a token, its claims, and the limit on guesses."""

import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from shared.token_form import ALGORITHM, AUDIENCE, ISSUER
from tests.accounts.people import STAFF, hired, logged_in, pass_time, registered
from tests.support import Answer, Api

MEIS = {"card_number": " hk0001A", "pin": "27-18-28"}
WRONG = {"card_number": "HK0001A", "pin": "00-00-00"}


async def claims(other_replica: Api, token: str) -> dict[str, Any]:
    """Return the claims of a token, verified with nothing but the published keys."""
    published = await other_replica.get("/v1/keys")
    keys = KeySet.import_key_set(published.json())
    return dict(jwt.decode(token, keys, algorithms=[ALGORITHM]).claims)


async def test_a_patron_session_lasts_an_hour(api: Api, other_replica: Api) -> None:
    mei = await registered(api)
    answer = await other_replica.post("/v1/sessions", MEIS)
    assert answer.status == 200
    session = answer.json()
    token = session.pop("access_token")
    assert session.pop("renewal_token")
    assert session.pop("device_token")
    assert session == {
        "token_type": "bearer",
        "expires_in": 600,
        "renewal_expires_in": 3600,
        "patron_id": mei["id"],
        "roles": ["patron"],
    }
    said = await claims(other_replica, token)
    assert said.pop("exp") - said["iat"] == 600
    assert abs(said.pop("iat") - time.time()) < 10
    assert said.pop("sid")
    assert said == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": mei["id"],
        "roles": ["patron"],
        "name": "Chan Mei-ling",
    }
    assert (await other_replica.get(f"/v1/patrons/{mei['id']}", as_=token)).json() == mei


@pytest.mark.parametrize(
    ("role", "hours"), [("staff", 8), ("station", 24), ("tracer", 8), ("ops", 8)]
)
async def test_staff_stations_and_operators_log_in(
    api: Api, other_replica: Api, role: str, hours: int
) -> None:
    made = await hired(api, role, "s-1")
    answer = await other_replica.post("/v1/sessions", {"card_number": "S-1", "pin": "27-18-28"})
    session = answer.json()
    assert (session["renewal_expires_in"], session["patron_id"]) == (hours * 3600, None)
    assert session["roles"] == [role]
    assert (await claims(other_replica, session["access_token"]))["sub"] == made


async def test_a_new_token_is_valid_at_once_on_every_replica(api: Api, other_replica: Api) -> None:
    await hired(api)
    mei = await registered(api)
    staff = await logged_in(other_replica, "S-1", "27-18-28")
    patron = await logged_in(other_replica)
    assert (await other_replica.get("/v1/patrons?card=HK0001A", as_=staff)).json()["items"] == [mei]
    assert (await other_replica.get("/v1/patrons?card=HK0001A", as_=patron)).status == 403


@pytest.mark.parametrize(
    "credentials",
    [WRONG, {"card_number": "HK9999", "pin": "27-18-28"}, {"card_number": "卡", "pin": "1"}],
    ids=["wrong PIN", "unknown card", "no card at all"],
)
async def test_an_unknown_card_gets_the_same_response_as_a_wrong_pin(
    api: Api, other_replica: Api, credentials: dict[str, str]
) -> None:
    await registered(api)
    answer = await other_replica.post("/v1/sessions", credentials)
    assert answer.status == 401
    assert answer.json() == {
        "type": "/problems/bad-credentials",
        "title": "Bad credentials",
        "status": 401,
        "detail": "Your card number or PIN is wrong.",
        "code": "bad-credentials",
    }


@pytest.mark.usual_hashes
async def test_an_unknown_card_takes_as_long_as_a_wrong_pin(api: Api, other_replica: Api) -> None:
    async def took(card: str) -> float:
        started = time.perf_counter()
        answer = await other_replica.post("/v1/sessions", {"card_number": card, "pin": "00-00-00"})
        assert answer.status == 401
        return time.perf_counter() - started

    known, unknown = [], []
    for place in range(8):
        await registered(api, card_number=f"known-{place}")
        known.append(await took(f"known-{place}"))
        unknown.append(await took(f"unknown-{place}"))
    # Argon2 takes most of the time: without it an unknown card would take a fifth.
    assert statistics.median(unknown) > statistics.median(known) / 2


@pytest.mark.parametrize(
    "body",
    [
        {**MEIS, "remember": True},
        {"card_number": "HK0001A"},
        {**MEIS, "pin": ""},
        {**MEIS, "pin": "1" * 65},
        {**MEIS, "pin": "\ud800"},
    ],
    ids=["unknown field", "no PIN", "empty PIN", "endless PIN", "half a character"],
)
async def test_a_malformed_log_in_is_422(api: Api, body: dict[str, Any]) -> None:
    answer = await api.post("/v1/sessions", body)
    assert answer.status == 422
    assert b"HK0001A" not in answer.body


# ---- guessing -----------------------------------------------------------------------------------


async def attempt(other_replica: Api, body: dict[str, str], **more: Any) -> tuple[int, str]:
    answer = await other_replica.post("/v1/sessions", body, **more)
    return answer.status, answer.json().get("code", "")


@pytest.mark.parametrize("card", ["HK0001A", "HK9999"], ids=["a known card", "an unknown card"])
async def test_after_five_failures_a_card_is_locked_even_for_the_right_pin(
    api: Api, other_replica: Api, card: str
) -> None:
    await registered(api)
    for _ in range(5):
        assert await attempt(other_replica, {"card_number": card, "pin": "00-00-00"}) == (
            401,
            "bad-credentials",
        )
    for pin in ("00-00-00", "27-18-28"):
        answer = await api.post("/v1/sessions", {"card_number": card, "pin": pin})
        assert (answer.status, answer.json()["code"]) == (429, "locked")
        assert answer.headers["Retry-After"]
    other = await registered(api, card_number="HK0002B")
    assert (
        await other_replica.post("/v1/sessions", {"card_number": "HK0002B", "pin": "27-18-28"})
    ).json()["patron_id"] == other["id"]


async def test_a_lock_ends_after_fifteen_minutes(api: Api, other_replica: Api) -> None:
    await registered(api)
    for _ in range(5):
        await attempt(other_replica, WRONG)
    await pass_time(other_replica, timedelta(minutes=14, seconds=50))
    assert await attempt(other_replica, MEIS) == (429, "locked")
    await pass_time(other_replica, timedelta(seconds=15))
    for _ in range(4):
        assert await attempt(other_replica, WRONG) == (401, "bad-credentials")
    assert await attempt(other_replica, MEIS) == (200, "")


async def test_failures_older_than_fifteen_minutes_do_not_count(
    api: Api, other_replica: Api
) -> None:
    await registered(api)
    for _ in range(4):
        await attempt(other_replica, WRONG)
    await pass_time(other_replica, timedelta(minutes=16))
    for _ in range(4):
        assert await attempt(other_replica, WRONG) == (401, "bad-credentials")
    assert await attempt(other_replica, MEIS) == (200, "")


async def test_a_success_clears_the_failures_before_it(api: Api, other_replica: Api) -> None:
    await registered(api)
    for _ in range(3):
        for _ in range(4):
            assert await attempt(other_replica, WRONG) == (401, "bad-credentials")
        assert await attempt(other_replica, MEIS) == (200, "")


async def test_neither_a_header_nor_an_idempotency_key_lifts_a_lock(
    api: Api, other_replica: Api
) -> None:
    await registered(api)
    for _ in range(5):
        assert (await attempt(other_replica, WRONG, key="same"))[0] == 401
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert await attempt(other_replica, MEIS, at=later) == (429, "locked")
    assert await attempt(other_replica, WRONG, key="same") == (429, "locked")


@pytest.mark.parametrize("card", ["HK0001A", "HK9999"], ids=["a known card", "an unknown card"])
async def test_five_of_fifty_concurrent_guesses_through_two_replicas_are_checked(
    api: Api, other_replica: Api, card: str
) -> None:
    await registered(api)
    answers: list[Answer] = await asyncio.gather(
        *(
            replica.post("/v1/sessions", {"card_number": card, "pin": f"{guess:06}"})
            for guess in range(25)
            for replica in (api, other_replica)
        )
    )
    statuses = [answer.status for answer in answers]
    assert statuses.count(401) == 5
    assert set(statuses) <= {401, 429, 503}  # on a slow machine some calls have to be retried


async def test_concurrent_log_ins_with_the_right_pin_lock_no_card(
    api: Api, other_replica: Api
) -> None:
    await registered(api)
    answers: list[Answer] = await asyncio.gather(
        *(replica.post("/v1/sessions", MEIS) for _ in range(5) for replica in (api, other_replica))
    )
    # On a slow machine some calls have to be retried.
    assert 200 in {answer.status for answer in answers} <= {200, 503}


async def test_a_new_pin_unlocks_the_card(api: Api, other_replica: Api) -> None:
    mei = await registered(api)
    for _ in range(5):
        await attempt(other_replica, WRONG)
    await api.patch(f"/v1/patrons/{mei['id']}", {"pin": "31-41-59"}, as_=STAFF)
    assert await attempt(other_replica, {**MEIS, "pin": "31-41-59"}) == (200, "")
    assert await attempt(other_replica, MEIS) == (401, "bad-credentials")


async def test_recorded_log_in_attempts_expire_by_themselves(api: Api) -> None:
    await attempt(api, WRONG)
    (kept,) = [one async for one in api.app.state.database.attempts.find()]
    assert timedelta(0) < kept["forgotten_at"] - datetime.now(UTC) <= timedelta(minutes=30)
    indexes = await api.app.state.database.attempts.index_information()
    assert any(
        index.get("expireAfterSeconds") == 0 and index["key"] == [("forgotten_at", 1)]
        for index in indexes.values()
    )
