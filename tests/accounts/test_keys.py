"""Accepted and rejected tokens, and the rotation of the signing key."""

import asyncio
import base64
import time
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from services.accounts.app import create_app
from services.accounts.settings import Settings
from shared.auth import ALGORITHM, AUDIENCE, ISSUER
from tests.accounts.people import OPS, logged_in, registered
from tests.support import Api, served, token


async def kids(other_replica: Api) -> list[str]:
    return sorted(key["kid"] for key in (await other_replica.get("/v1/keys")).json()["keys"])


async def own_key(other_replica: Api) -> OKPKey:
    """The private signing key of accounts, as an attacker with database access could read it."""
    kept = await other_replica.app.state.database.signing_keys.find_one({"published_until": None})
    return OKPKey.import_key(kept["private"])


def jwt_kid(signed: str) -> str:
    header = signed.partition(".")[0]
    return str(orjson.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


def forged(key: OKPKey, sub: str, **change: object) -> str:
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": sub, "roles": ["patron"], "exp": now + 60}
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, {**said, **change}, key, [ALGORITHM])


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
    signing = [key for key in keys if key["private"]]
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
