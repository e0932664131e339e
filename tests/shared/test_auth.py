"""Tokens are verified with stored keys while accounts is unavailable."""

import asyncio
import base64
import json
import time
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI, Response
from joserfc import jwt
from joserfc.jwk import OKPKey

from services.settings import Settings
from shared import auth
from shared.auth import Caller, Unauthenticated, Verifier, keys_from
from shared.owners import OwnerAway
from shared.token_form import ALGORITHM, LONGEST_TOKEN_SECONDS, TOKEN_TYPE
from shared.unit_of_work import UnitOfWork
from tests import patience
from tests.support import KEY, loopback_server, reaching, test_keys, token, until


def signed(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Return a token signed with KEY, whatever it says."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in (header, claims)
    ]
    text = b".".join(parts)
    seed = base64.urlsafe_b64decode(f"{KEY.as_dict(private=True)['d']}=")
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(text)
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


NOBODY = "http://127.0.0.1:9"


def issuer_at(url: str) -> Settings:
    """Return the settings of a service whose tokens are signed at this address."""
    return reaching(Settings(), accounts=url)


@pytest.fixture
def accounts() -> FastAPI:
    """A stand-in for accounts that serves its public keys."""
    app = FastAPI()
    app.get("/v1/keys")(test_keys)
    return app


async def test_a_service_that_starts_while_accounts_is_down_authenticates_callers(
    unit_of_work: UnitOfWork, accounts: FastAPI
) -> None:
    async with aiohttp.ClientSession() as session:
        async with loopback_server(accounts) as url:
            first = Verifier(keys_from(lambda: session, issuer_at(url), unit_of_work.database))
            assert (await first.caller(token("patron-1"))).id == "patron-1"

        restarted = Verifier(keys_from(lambda: session, issuer_at(url), unit_of_work.database))
        assert (await restarted.caller(token("patron-2"))).id == "patron-2"


async def test_a_service_has_the_keys_before_the_first_token_arrives(
    unit_of_work: UnitOfWork, accounts: FastAPI
) -> None:
    async with aiohttp.ClientSession() as session:
        async with loopback_server(accounts) as url:
            fresh = Verifier(keys_from(lambda: session, issuer_at(url), unit_of_work.database))
            renewing = asyncio.create_task(fresh.keep_renewed())
            await until(unit_of_work.database.known_keys.find_one)
        assert (await fresh.caller(token("patron-1"))).id == "patron-1"
        renewing.cancel()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Response(status_code=503), id="503"),
        pytest.param(Response("Traceback …"), id="no JSON"),
        pytest.param(Response("[]", media_type="application/json"), id="no key set"),
        pytest.param(Response('{"keys": []}', media_type="application/json"), id="no keys"),
    ],
)
async def test_a_malformed_response_of_accounts_does_not_replace_the_keys(
    unit_of_work: UnitOfWork, accounts: FastAPI, answer: Response
) -> None:
    confused = FastAPI()
    confused.get("/v1/keys")(lambda: answer)
    async with aiohttp.ClientSession() as session:
        async with loopback_server(accounts) as url:
            first = Verifier(keys_from(lambda: session, issuer_at(url), unit_of_work.database))
            await first.caller(token("patron-1"))
        async with loopback_server(confused) as url:
            for _ in range(2):
                restarted = Verifier(
                    keys_from(lambda: session, issuer_at(url), unit_of_work.database)
                )
                assert (await restarted.caller(token("patron-2"))).id == "patron-2"


async def test_without_keys_from_accounts_no_caller_is_authenticated(
    unit_of_work: UnitOfWork,
) -> None:
    async with aiohttp.ClientSession() as session:
        never = Verifier(keys_from(lambda: session, issuer_at(NOBODY), unit_of_work.database))
        with pytest.raises(OwnerAway):
            await never.caller(token())


async def test_a_token_from_a_clock_slightly_ahead_is_accepted() -> None:
    verifier = Verifier(test_keys)
    assert (await verifier.caller(token(issued_in=10))).id == "patron-1"
    with pytest.raises(Unauthenticated):
        await verifier.caller(token(issued_in=86_400, expires_in=90_000))


@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", "", "AT+JWT"])
async def test_a_signed_text_of_another_type_is_no_token(typ: str) -> None:
    with pytest.raises(Unauthenticated):
        await Verifier(test_keys).caller(token(typ=typ))


UNLIKE: dict[str, dict[str, Any]] = {
    "no critical extensions listed": {"header": {"crit": []}},
    "null for critical extensions": {"header": {"crit": None}},
    "a critical claim": {"header": {"crit": ["exp"]}},
    "no time of issue": {"iat": None},
    "a time of issue as text": {"iat": "1"},
    "a time of issue that is true": {"iat": True},
    "issued long ago": {"iat": -(10**30)},
    "a far expiry": {"exp": 10**30},
    "an expiry beyond numbers": {"exp": 10**400},
    "an expiry after the longest lifetime": {
        "exp": int(time.time()) + LONGEST_TOKEN_SECONDS + 86_400
    },
    "an expiry as text": {"exp": "later"},
    "a fraction as expiry": {"exp": time.time() + 60.5},
    "no session": {"sid": None},
    "an empty session": {"sid": ""},
    "a number as session": {"sid": 7},
    "a list as session": {"sid": ["s"]},
    "an object as session": {"sid": {"s": "s"}},
    "a long session": {"sid": "s" * 65},
    "a number as subject": {"sub": 7},
    "an object as roles": {"roles": {"patron": 1}},
    "a service with a session": {"roles": ["service"]},
}


@pytest.mark.parametrize("change", UNLIKE.values(), ids=UNLIKE)
async def test_a_signed_token_unlike_those_of_the_issuer_is_refused(change: dict[str, Any]) -> None:
    header: dict[str, Any] = {"alg": ALGORITHM, "kid": KEY.kid, "typ": TOKEN_TYPE}
    claims = jwt.decode(token(), KEY, algorithms=[ALGORITHM]).claims
    assert (await Verifier(test_keys).caller(signed(header, claims))).id == "patron-1"
    header |= change.get("header", {})
    claims |= {name: claim for name, claim in change.items() if name != "header"}
    kept = {name: claim for name, claim in claims.items() if claim is not None}
    with pytest.raises(Unauthenticated):
        await Verifier(test_keys).caller(signed(header, kept))


async def test_the_tokens_of_an_ended_session_are_rejected_and_others_are_not() -> None:
    verifier = Verifier(test_keys)
    ended, other, unread = [token(session_id=one) for one in ("s-1", "s-2", "s-1")]
    for one in (ended, other):
        assert (await verifier.caller(one)).id == "patron-1"
    verifier.end("s-1", time.time() + 60)
    for one in (ended, unread):
        assert verifier.known(one) is None
        with pytest.raises(Unauthenticated):
            await verifier.caller(one)
    assert (await verifier.caller(other)).session_id == "s-2"
    assert (await verifier.caller(token("events", ["service"]))).session_id == ""


async def test_ended_sessions_are_forgotten_once_their_tokens_have_expired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auth, "PRUNE_FROM", 2)
    verifier = Verifier(test_keys)
    verifier.end("expired", time.time() - 1)
    verifier.end("s-1", time.time() + 60)
    verifier.end("s-2", time.time() + 60)
    assert [verifier.has_ended(one) for one in ("expired", "s-1", "s-2")] == [False, True, True]


async def test_tokens_of_a_revoked_key_are_rejected_and_forgotten() -> None:
    published = [KEY]

    async def keys() -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in published]}

    verifier = Verifier(keys)
    before = token()
    assert (await verifier.caller(before)).id == "patron-1"
    published[:] = [OKPKey.generate_key("Ed25519", auto_kid=True)]
    renewing = asyncio.create_task(verifier.keep_renewed())

    async def forgotten() -> bool:
        return verifier.known(before) is None

    await until(forgotten)
    renewing.cancel()
    with pytest.raises(Unauthenticated):
        await verifier.caller(before)


async def test_invented_key_ids_share_fetches_and_hide_no_new_key() -> None:
    new, fetched = OKPKey.generate_key("Ed25519", auto_kid=True), 0
    published = [KEY]

    async def keys() -> dict[str, Any]:
        nonlocal fetched
        fetched += 1
        return {"keys": [key.as_dict(private=False) for key in published]}

    verifier = Verifier(keys)
    assert (await verifier.caller(token())).id == "patron-1"
    published.append(new)
    header = {"alg": ALGORITHM, "kid": new.kid, "typ": TOKEN_TYPE}
    claims = jwt.decode(token(), KEY, algorithms=[ALGORITHM]).claims
    good = jwt.encode(header, claims, new, algorithms=[ALGORITHM])
    invented = [jwt.encode({**header, "kid": f"k{n}"}, claims, new, [ALGORITHM]) for n in range(50)]
    answers = await asyncio.gather(
        *(verifier.caller(one) for one in (*invented, good)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Unauthenticated] * 50 + [Caller]
    assert fetched <= 3


async def test_a_cached_token_is_rejected_after_its_expiry() -> None:
    verifier = Verifier(test_keys)
    short = token(expires_in=1)
    assert (await verifier.caller(short)).id == "patron-1"

    async with patience.within(60):
        while True:
            try:
                await verifier.caller(short)
            except Unauthenticated:
                return
            await asyncio.sleep(0.05)
