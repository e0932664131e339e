"""Accepted and rejected tokens, and the rotation of the signing key."""

import asyncio
import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from services.accounts.app import create_app
from services.accounts.settings import Settings
from shared.token_form import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE
from tests.accounts.people import logged_in, registered
from tests.support import OPS, Api, served, token, until


async def kids(other_replica: Api) -> list[str]:
    return sorted(key["kid"] for key in (await other_replica.get("/v1/keys")).json()["keys"])


async def own_key(other_replica: Api) -> OKPKey:
    """The private signing key of accounts, as an attacker with database access could read it."""
    kept = await other_replica.app.state.database.signing_keys.find_one({"published_until": None})
    return OKPKey.import_key(kept["private"])


def jwt_kid(signed: str) -> str:
    return str(header_of(signed)["kid"])


def header_of(signed: str) -> dict[str, Any]:
    return _part(signed, 0)


def claims_of(signed: str) -> dict[str, Any]:
    return _part(signed, 1)


def _part(signed: str, place: int) -> dict[str, Any]:
    part = signed.split(".")[place]
    read: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return read


def forged(key: OKPKey, sub: str, **change: object) -> str:
    now = int(time.time())
    said: dict[str, object] = {"iss": ISSUER, "aud": AUDIENCE, "sub": sub, "roles": ["patron"]}
    said |= {"iat": now, "exp": now + 60, "sid": "session-of-tests"}
    header = {"alg": ALGORITHM, "kid": key.kid, "typ": TOKEN_TYPE}
    return jwt.encode(header, {**said, **change}, key, [ALGORITHM])


async def test_the_published_keys_have_no_private_half_and_may_be_cached(api: Api) -> None:
    answer = await api.get("/v1/keys")
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid"}


async def test_an_altered_expired_or_misdirected_token_is_401(api: Api, other_replica: Api) -> None:
    mei = await registered(api)
    path = f"/v1/patrons/{mei['id']}"
    good = await logged_in(other_replica)
    assert (await other_replica.get(path, as_=good)).status == 200
    key = await own_key(other_replica)
    assert (await other_replica.get(path, as_=forged(key, mei["id"]))).status == 200
    header, payload, signature = good.split(".")
    swapped = "A" if signature[5] != "A" else "B"
    for bad in (
        f"{header}.{payload}.{signature[:5]}{swapped}{signature[6:]}",
        f"{header}.{payload[:-4]}AAAA.{signature}",
        f"{header}.{payload}.",
        forged(key, mei["id"], exp=int(time.time()) - 1),
        forged(key, mei["id"], aud="another"),
        forged(key, mei["id"], iss="another"),
        token(mei["id"]),  # signed by a key that accounts does not know
        "x",
        "..",
        "\N{LATIN SMALL LETTER E WITH ACUTE}.a.b",
    ):
        answer = await other_replica.get(path, as_=bad)
        assert (answer.status, answer.json()["code"]) == (401, "unauthenticated"), bad


async def test_replicas_that_start_concurrently_agree_on_one_key(settings: Settings) -> None:
    async with (
        served(create_app, settings) as one,
        served(create_app, settings) as two,
        served(create_app, settings) as three,
    ):
        published = await asyncio.gather(
            *(kids(other_replica) for other_replica in [one, two, three] * 5)
        )
        assert len(published[0]) == 1
        assert all(found == published[0] for found in published)


async def test_a_new_key_signs_at_once_and_older_tokens_stay_valid(
    api: Api, other_replica: Api, settings: Settings
) -> None:
    mei = await registered(api)
    before = await logged_in(other_replica)
    (old,) = await kids(other_replica)
    answer = await api.post("/v1/ops/keys/rotate", as_=OPS, key="k")
    assert answer.status == 201
    new = answer.json()["kid"]
    again = await api.post("/v1/ops/keys/rotate", as_=OPS, key="k")
    assert again.json() == {"kid": new}
    # The other replica signs with it too, and accepts both.
    after = await logged_in(other_replica)
    assert jwt_kid(after) == new != jwt_kid(before) == old
    for good in (before, after):
        assert (await other_replica.get(f"/v1/patrons/{mei['id']}", as_=good)).status == 200
    assert await kids(other_replica) == sorted([old, new])
    retired = await other_replica.app.state.database.signing_keys.find_one({"kid": old})
    assert retired["private"] is None
    last_token_ends = datetime.now(UTC) + timedelta(hours=settings.longest_token_hours)
    assert retired["published_until"] > last_token_ends


async def test_an_old_key_is_published_no_longer_than_its_tokens_live(api: Api) -> None:
    (old,) = await kids(api)
    new = (await api.post("/v1/ops/keys/rotate", as_=OPS)).json()["kid"]
    keys = api.app.state.database.signing_keys
    await keys.update_one({"kid": old}, {"$set": {"published_until": datetime.now(UTC)}})
    assert await kids(api) == [new]


async def test_concurrent_rotations_leave_one_signing_key(api: Api, other_replica: Api) -> None:
    await kids(api)
    answers = await asyncio.gather(*(api.post("/v1/ops/keys/rotate", as_=OPS) for _ in range(5)))
    assert {answer.status for answer in answers} == {201}
    keys = [key async for key in api.app.state.database.signing_keys.find()]
    assert sorted(key["_id"] for key in keys) == ["1", "2", "3", "4", "5", "6"]
    signing = [key for key in keys if key["private"] is not None]
    assert [key["_id"] for key in signing] == ["6"]
    await registered(api)
    assert jwt_kid(await logged_in(other_replica)) == signing[0]["kid"]


@pytest.mark.parametrize("at", ["2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"])
async def test_business_time_does_not_affect_tokens(api: Api, other_replica: Api, at: str) -> None:
    mei = await registered(api)
    answer = await other_replica.post(
        "/v1/sessions", {"card_number": "HK0001A", "pin": "27-18-28"}, at=at
    )
    good = answer.json()["access_token"]
    assert (await other_replica.get(f"/v1/patrons/{mei['id']}", as_=good)).status == 200
    assert (await other_replica.get(f"/v1/patrons/{mei['id']}", as_=good, at=at)).status == 200
    expired = forged(await own_key(other_replica), mei["id"], exp=int(time.time()) - 1)
    assert (await other_replica.get(f"/v1/patrons/{mei['id']}", as_=expired, at=at)).status == 401
    await api.post("/v1/ops/keys/rotate", as_=OPS, at=at)
    assert (await other_replica.get(f"/v1/patrons/{mei['id']}", as_=good)).status == 200
    assert len(await kids(other_replica)) == 2


# ---- a stolen key -------------------------------------------------------------------------------


async def test_revoked_keys_verify_nothing_and_a_new_one_signs(
    api: Api, other_replica: Api
) -> None:
    mei = await registered(api)
    path = f"/v1/patrons/{mei['id']}"
    before = await logged_in(other_replica)
    rotated = (await api.post("/v1/ops/keys/rotate", as_=OPS)).json()["kid"]
    middle = await logged_in(other_replica)
    for good in (before, middle):
        assert (await other_replica.get(path, as_=good)).status == 200
    answer = await api.post("/v1/ops/keys/revoke", as_=OPS, key="k")
    assert answer.status == 201
    new = answer.json()["kid"]
    assert (await api.post("/v1/ops/keys/revoke", as_=OPS, key="k")).json() == {"kid": new}
    assert await kids(other_replica) == [new] != [rotated]
    after = await logged_in(other_replica)
    assert jwt_kid(after) == new

    async def refused() -> bool:
        # A verifier fetches the keys again when it meets a new one, and every 15 seconds.
        assert (await other_replica.get(path, as_=after)).status in (200, 401)
        found = [await other_replica.get(path, as_=bad) for bad in (before, middle)]
        return [answer.status for answer in found] == [401, 401]

    await until(refused)
    assert (await other_replica.get(path, as_=after)).status == 200


async def test_concurrent_revocations_and_rotations_leave_one_signing_key(
    api: Api, other_replica: Api
) -> None:
    await kids(api)
    answers = await asyncio.gather(
        *(
            api.post(f"/v1/ops/keys/{what}", as_=OPS)
            for what in ("rotate", "revoke", "rotate", "revoke")
        )
    )
    assert {answer.status for answer in answers} == {201}
    found = [key async for key in api.app.state.database.signing_keys.find()]
    assert len([key for key in found if key["published_until"] is None]) == 1
    await registered(api)
    assert await logged_in(other_replica)


def sealing(settings: Settings, secrets: str) -> Settings:
    return settings.model_copy(update={"signing_secrets": secrets})


OLD, NEW = "the first secret of the tests", "the second secret of the tests"


async def test_a_copy_of_the_database_cannot_sign(settings: Settings) -> None:
    async with served(create_app, sealing(settings, OLD)) as api:
        await registered(api)
        assert jwt_kid(await logged_in(api)) in await kids(api)
        [stored] = [key async for key in api.app.state.database.signing_keys.find()]
        assert stored["private"] is None
        assert '"d"' not in str(stored)
        assert set((await api.get("/v1/keys")).json()["keys"][0]) == {"kty", "crv", "x", "kid"}
        await api.post("/v1/ops/keys/rotate", as_=OPS)
        former = await api.app.state.database.signing_keys.find_one({"kid": stored["kid"]})
        assert (former["private"], former["sealed"]) == (None, None)


async def test_a_key_stored_before_there_was_a_secret_signs_until_it_is_rotated(
    settings: Settings,
) -> None:
    async with served(create_app, settings) as old:
        await registered(old)
        stored_before = jwt_kid(await logged_in(old))
        async with served(create_app, sealing(settings, OLD)) as new:
            assert jwt_kid(await logged_in(new)) == stored_before
            assert jwt_kid(await logged_in(old)) == stored_before
            await new.post("/v1/ops/keys/rotate", as_=OPS)
            signing = await new.app.state.database.signing_keys.find_one({"published_until": None})
    assert (signing["private"], bool(signing["sealed"])) == (None, True)


async def test_a_secret_is_replaced_by_putting_the_new_one_first(settings: Settings) -> None:
    async with served(create_app, sealing(settings, OLD)) as api:
        await registered(api)
        await logged_in(api)
    async with served(create_app, sealing(settings, f"{NEW},{OLD}")) as api:
        await logged_in(api)
        await api.post("/v1/ops/keys/rotate", as_=OPS)
    async with served(create_app, sealing(settings, NEW)) as api:
        await logged_in(api)


@pytest.mark.parametrize("wrong", ["", NEW])
async def test_a_replica_without_the_secret_is_not_ready_until_the_keys_are_revoked(
    settings: Settings, wrong: str
) -> None:
    async with served(create_app, sealing(settings, OLD)) as api:
        await registered(api)
        await logged_in(api)
    async with served(create_app, sealing(settings, wrong)) as api:
        answer = await api.post("/v1/sessions", {"card_number": "HK0001A", "pin": "27-18-28"})
        assert answer.status == 503
        ready = await api.operations("/health/ready")
        assert ready.status == 503
        assert "CARREL_SIGNING_SECRETS" in ready.json()["checks"]["signing key"]
        assert (await api.post("/v1/ops/keys/revoke", as_=OPS)).status == 201
        await logged_in(api)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValidationError):
        Settings(signing_secrets=f"{OLD},short")
