"""Forged and altered tokens: none is accepted."""

import base64
import hashlib
import hmac
import time
from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from services.accounts.keys.commands import private_half
from services.accounts.keys.rules import SigningKey
from services.accounts.settings import Settings as AccountsSettings
from services.settings import Settings
from shared.mongo import from_document
from shared.token_form import ALGORITHM, AUDIENCE, ISSUER, TOKEN_TYPE
from tests.library import Library
from tests.support import patient_client


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return f"{part(header)}.{part(claims)}"


def encoded(header: dict[str, Any], claims: dict[str, Any], key: OKPKey) -> str:
    """Return a signed token."""
    return jwt.encode({"alg": ALGORITHM, **header}, claims, key, algorithms=[ALGORITHM])


def signing(key: dict[str, Any]) -> OKPKey:
    """Return the stolen key, ready to sign."""
    return OKPKey.import_key(key["private"])


@pytest.fixture
async def key(library: Library) -> dict[str, Any]:
    """The signing key of accounts, read from its database as an attacker might."""
    settings = library.system.settings(Settings)
    client = patient_client(settings.mongo_url)
    database = client[f"{settings.database_prefix}_accounts"]
    found = await database.signing_keys.find_one({"published_until": None})
    client.close()
    assert found is not None
    assert found["private"] is None  # sealed: the attacker knows the services' secrets too
    secrets = library.system.settings(AccountsSettings).signing_secrets
    return found | {"private": private_half(from_document(SigningKey, dict(found)), secrets)}


@pytest.fixture
async def patron(library: Library) -> tuple[str, dict[str, Any]]:
    """A patron's token and its claims."""
    card = await library.patron(await library.branch())
    token = library.tokens[card]
    body = token.split(".")[1]
    return token, orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


async def refused(library: Library, token: str, path: str = "/v1/me") -> tuple[int, str]:
    library.tokens["forged"] = token
    status, answer = await library.try_("GET", path, by="forged")
    return status, answer["code"]


GATEWAY, OWNER = "/v1/me", "/v1/me/charges"


@pytest.mark.parametrize("path", [GATEWAY, OWNER], ids=["at the gateway", "at an owner"])
async def test_a_token_that_accounts_did_not_sign_is_rejected(
    library: Library, key: dict[str, Any], patron: tuple[str, dict[str, Any]], path: str
) -> None:
    token, claims = patron
    library.tokens["good"] = token
    assert (await library.try_("GET", path, by="good"))[0] == 200
    kid, public = key["kid"], key["public"]
    _, body, signature = token.split(".")
    own = OKPKey.generate_key("Ed25519")
    head = {"typ": TOKEN_TYPE, "kid": kid}
    without = head | {"alg": "none"}
    forged = {
        "no algorithm": unsigned(without, claims) + ".",
        "no algorithm, old signature": f"{part(without)}.{body}.{signature}",
        "another role": f"{token.split('.')[0]}.{part(claims | {'roles': ['ops']})}.{signature}",
        "no signature": f"{token.split('.')[0]}.{body}.",
        "a key of its own": encoded(head, claims, own),
        "a key in its header": encoded(head | {"jwk": own.as_dict(private=False)}, claims, own),
        "a key that nobody has": encoded(head | {"kid": "../../x"}, claims, own),
        "another type": encoded(head | {"typ": "JWT"}, claims, signing(key)),
    }
    for name, secret in {
        "x": public["x"].encode(),
        "bytes": base64.urlsafe_b64decode(public["x"] + "="),
        "JWK": orjson.dumps(public),
    }.items():
        text = unsigned(head | {"alg": "HS256"}, claims)
        mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        forged[f"the public key as a secret ({name})"] = f"{text}.{part(mac)}"
    library.tokens["alike"] = encoded(head, claims, signing(key))
    assert (await library.try_("GET", path, by="alike"))[0] == 200  # so only these faults count
    for name, one in forged.items():
        assert await refused(library, one, path) == (401, "unauthenticated"), name


@pytest.mark.parametrize("path", [GATEWAY, OWNER], ids=["at the gateway", "at an owner"])
@pytest.mark.parametrize(
    "change",
    [
        {"iss": "another"},
        {"aud": "another"},
        {"aud": None},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"sub": None},
        {"iat": int(time.time()) + 3600},
        {"roles": "ops"},
        {"roles": ["root"]},
    ],
    ids=[
        "another issuer",
        "another audience",
        "no audience",
        "expired",
        "no expiry",
        "no subject",
        "issued later",
        "roles that are no list",
        "an unknown role",
    ],
)
async def test_a_signed_token_with_wrong_claims_is_rejected(
    library: Library,
    key: dict[str, Any],
    patron: tuple[str, dict[str, Any]],
    change: dict[str, Any],
    path: str,
) -> None:
    _, claims = patron
    changed = {name: value for name, value in (claims | change).items() if value is not None}
    header = {"kid": key["kid"], "typ": TOKEN_TYPE}
    library.tokens["unchanged"] = encoded(header, claims, signing(key))
    assert (await library.try_("GET", path, by="unchanged"))[0] == 200
    status, code = await refused(library, encoded(header, changed, signing(key)), path)
    assert (status, code) in ((401, "unauthenticated"), (403, "forbidden"))
    assert (claims["iss"], claims["aud"]) == (ISSUER, AUDIENCE)


async def test_a_token_grants_only_its_own_role(library: Library) -> None:
    for role in ("staff", "station", "ops"):
        library.tokens["forged"] = await library.engage(role)
        assert await refused(library, library.tokens[role]) == (403, "forbidden")


async def test_a_service_token_grants_nothing_extra_through_the_gateway(
    library: Library, key: dict[str, Any]
) -> None:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "events", "roles": ["service"]}
    header = {"kid": key["kid"], "typ": TOKEN_TYPE}
    signed = encoded(header, claims | {"iat": now, "exp": now + 600}, signing(key))
    for path in (
        "/v1/snapshots/loans",
        "/v1/personal-data/x",
        "/v1/me/accruing",
        "/v1/effects",
        "/v1/effects/activities",
    ):
        assert await refused(library, signed, path) == (404, "not-found")
    assert await refused(library, signed) == (403, "forbidden")
