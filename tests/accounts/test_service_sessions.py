"""Log-ins of services: each with its own key, and each assertion once."""

import asyncio
import base64
import time
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import OKPKey

from services.accounts.app import create_app
from services.accounts.settings import Settings
from shared.assertions import TYPE, assertion, make_key, public_half
from shared.clock import wall_clock
from shared.token_form import ALGORITHM, TOKEN_TYPE
from tests.accounts.people import MEI, STAFF
from tests.support import SERVICE_KEYS, Api, served


def part(key: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(key)).rstrip(b"=").decode()


def said(signer: str = "circulation", typ: str = TYPE, **changed: Any) -> str:
    """Return an assertion of circulation; `changed` claims are signed by the key of `signer`.

    A claim of None is left out.
    """
    text = assertion("circulation", SERVICE_KEYS["circulation"], "accounts", wall_clock())
    claims = orjson.loads(base64.urlsafe_b64decode(text.split(".")[1] + "==")) | changed
    seed = SERVICE_KEYS[signer]
    key = OKPKey.import_key(
        {"kty": "OKP", "crv": ALGORITHM, "x": part(public_half(seed)), "d": part(seed)}
    )
    kept = {name: claim for name, claim in claims.items() if claim is not None}
    return jwt.encode({"alg": ALGORITHM, "typ": typ}, kept, key, [ALGORITHM])


def headed(header: dict[str, Any]) -> str:
    """Return an assertion of circulation with more in its header, signed by its key."""
    head = orjson.dumps({"alg": ALGORITHM, "typ": TYPE, **header})
    text = base64.urlsafe_b64encode(head).rstrip(b"=").decode() + "." + said().split(".")[1]
    signer = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SERVICE_KEYS["circulation"]))
    signature = base64.urlsafe_b64encode(signer.sign(text.encode())).rstrip(b"=")
    return f"{text}.{signature.decode()}"


async def log_in(api: Api, text: str) -> tuple[int, Any]:
    answer = await api.post("/v1/service-sessions", {"assertion": text})
    return answer.status, answer.json()


async def test_a_service_logs_in_with_an_assertion_that_its_own_key_has_signed(
    other_replica: Api,
) -> None:
    status, session = await log_in(other_replica, said())
    assert status == 200
    assert (session["expires_in"], session["roles"]) == (3600, ["service"])
    assert (session["patron_id"], session["renewal_token"]) == (None, None)
    claims = orjson.loads(base64.urlsafe_b64decode(session["access_token"].split(".")[1] + "=="))
    assert claims["sub"] == "circulation"
    found = await other_replica.get("/v1/patrons?card=HK1", as_=session["access_token"])
    assert found.json() == {"items": [], "next": None}


NOW = int(time.time())


@pytest.mark.parametrize(
    "forged",
    [
        {"signer": "events"},
        {"iss": "events", "sub": "events"},
        {"iss": "events"},
        {"sub": "gateway"},
        {"aud": "circulation"},
        {"aud": None},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 65},
        {"jti": 7},
        {"exp": None},
        {"exp": NOW - 1},
        {"exp": NOW + 86_400},
        {"exp": "later"},
        {"iat": None},
        {"iat": NOW + 86_400},
        {"typ": TOKEN_TYPE},
        {"typ": "JWT"},
    ],
)
async def test_an_assertion_of_another_key_or_with_wrong_claims_is_refused(
    other_replica: Api, forged: dict[str, Any]
) -> None:
    status, problem = await log_in(other_replica, said(**forged))
    assert (status, problem["code"]) == (401, "bad-credentials")


@pytest.mark.parametrize("crit", [[], None, ["exp"], [[]]], ids=str)
async def test_an_assertion_with_critical_extensions_is_refused(
    other_replica: Api, crit: object
) -> None:
    assert (await log_in(other_replica, headed({})))[0] == 200
    status, problem = await log_in(other_replica, headed({"crit": crit}))
    assert (status, problem["code"]) == (401, "bad-credentials")


@pytest.mark.parametrize(
    "text",
    ["", "guess", "a.b.c", "é", f"{said()}x", f"{said()[:-6]}.x.y"],
    ids=["nothing", "guess", "three-parts", "not-ascii", "one-more-letter", "five-parts"],
)
async def test_text_that_is_no_assertion_is_refused(other_replica: Api, text: str) -> None:
    status, problem = await log_in(other_replica, text)
    assert (status, problem["code"]) == (401, "bad-credentials")


async def test_the_secret_of_all_services_makes_nobody_a_service(settings: Settings) -> None:
    shared = settings.model_copy(update={"service_secret": "a secret of all services"})
    async with served(create_app, shared, trust_test_keys=False) as api:
        former = {"service": "events", "secret": shared.service_secret}
        assert (await api.post("/v1/service-sessions", former)).status == 401
        assert (await log_in(api, shared.service_secret))[0] == 401


async def test_an_assertion_is_accepted_once_by_all_replicas_together(
    api: Api, other_replica: Api
) -> None:
    for replica in (api, other_replica):  # connections are open from here on
        assert (await log_in(replica, said()))[0] == 200
    text = said()
    answers = await asyncio.gather(
        *(log_in(replica, text) for replica in (api, other_replica) * 10)
    )
    statuses = [status for status, _ in answers]
    # A busy store may leave some without an answer in time, the accepted one too.
    assert statuses.count(200) <= 1
    assert set(statuses) <= {200, 401, 503}
    assert (await log_in(api, said()))[0] == 200


async def test_used_assertions_expire_by_themselves(api: Api) -> None:
    await log_in(api, said())
    indexes = await api.app.state.database.assertions.index_information()
    [until] = [index for index in indexes.values() if "expireAfterSeconds" in index]
    assert until["key"] == [("expires_at", 1)]


async def test_an_assertion_is_no_access_token(other_replica: Api) -> None:
    answer = await other_replica.post("/v1/patrons", MEI, as_=said(typ=TOKEN_TYPE, kid="x"))
    assert answer.status == 401


async def test_a_service_has_two_keys_while_one_replaces_the_other(settings: Settings) -> None:
    former, new = make_key(), make_key()
    keys = {"events": (public_half(former), public_half(new))}
    both = settings.model_copy(update={"service_keys": keys})
    async with served(create_app, both, trust_test_keys=False) as api:
        for key in (former, new):
            text = assertion("events", key, "accounts", wall_clock())
            assert (await log_in(api, text))[0] == 200
        assert (await log_in(api, said()))[0] == 401  # circulation has no key here


FORMER = "the secret of former services"


@pytest.mark.parametrize(
    ("setting", "said", "status"),
    [
        ("", {"service": "circulation", "secret": FORMER}, 401),
        (FORMER, {"service": "circulation", "secret": FORMER}, 200),
        (FORMER, {"service": "circulation", "secret": FORMER[:-1]}, 401),
        (FORMER, {"service": "catalogue", "secret": FORMER}, 401),
        (FORMER, {"service": "accounts", "secret": FORMER}, 401),
        (FORMER, {"service": "circulation"}, 401),
        (FORMER, {}, 401),
    ],
)
async def test_a_service_of_an_earlier_release_logs_in_only_while_accounts_has_its_secret(
    settings: Settings, setting: str, said: dict[str, str], status: int
) -> None:
    updating = settings.model_copy(update={"former_service_secret": setting})
    async with served(create_app, updating, trust_test_keys=False) as api:
        answer = await api.post("/v1/service-sessions", said)
    assert answer.status == status


async def test_a_service_token_does_not_manage_accounts_of_staff(other_replica: Api) -> None:
    _, session = await log_in(other_replica, said())
    for token in (session["access_token"], STAFF):
        assert (await other_replica.get("/v1/staff", as_=token)).status in (401, 403)


@pytest.mark.parametrize("keys", ["events", "events=12", f"catalogue={64 * 'a'}", f"={64 * 'a'}"])
def test_a_list_of_keys_that_is_wrong_is_refused(keys: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        Settings(service_keys=keys)  # type: ignore[arg-type]
