"""Log-ins of staff at the library's identity provider: who is let in, as what, and who is not."""

import asyncio
import base64
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from joserfc import jwt
from pydantic import ValidationError

from services.accounts.app import create_app
from services.accounts.identity_provider import clients, routes
from services.accounts.identity_provider.clients import Provider
from services.accounts.identity_provider.rules import VALID_FOR, role_in_session
from services.accounts.openid.rules import subject_of
from services.accounts.settings import Settings
from tests.accounts.conftest import Clock
from tests.accounts.people import ADMIN, STAFF, hired, logged_in, registered
from tests.accounts.shop import EBOOKS, SECRET, query_of, registered_client
from tests.identity_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    EMAIL,
    KEY,
    LEE,
    OTHER_KEY,
    IdentityProvider,
    unsigned,
)
from tests.support import OPS, Answer, Api, served, token
from tests.warm import nobody, port_for

BAD = (401, "bad-provider-log-in")
NOT_LINKED = (403, "no-linked-account")
AWAY = (503, "provider-away")


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    with port_for("identity provider") as port:
        provider = IdentityProvider(port)
        async with provider.open():
            yield provider


@pytest.fixture
def settings(settings: Settings, provider: IdentityProvider) -> Settings:
    return settings.model_copy(
        update={
            "staff_issuer": provider.issuer,
            "staff_client_id": CLIENT_ID,
            "staff_client_secret": CLIENT_SECRET,
        }
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(routes, "wall_clock", clock)
    return clock


@dataclass
class Visit:
    """A browser that logs in at the provider."""

    api: Api
    provider: IdentityProvider
    browser: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    async def asked(self) -> dict[str, str]:
        """Return the request that the browser takes to the provider."""
        answer = await self.api.post("/v1/sessions/provider-request", {"browser": self.browser})
        assert answer.status == 200, answer.body
        address = answer.json()["address"]
        assert address.startswith(f"{self.provider.issuer}/authorize?")
        return query_of(address)

    async def come_back(
        self, brought: dict[str, str], api: Api | None = None, **changed: str
    ) -> Answer:
        """Bring an answer back to Carrel."""
        body = {
            "browser": self.browser,
            "state": brought["state"],
            "code": brought["code"],
            "issuer": brought.get("iss", ""),
            **changed,
        }
        return await (api or self.api).post("/v1/sessions/provider", body)

    async def log_in(self, api: Api | None = None, **changed: str) -> Answer:
        return await self.come_back(self.provider.answered(await self.asked()), api, **changed)


@pytest.fixture
def visit(api: Api, provider: IdentityProvider) -> Visit:
    return Visit(api, provider)


async def link(api: Api, account: str, login: str = EMAIL, as_: str = ADMIN) -> Answer:
    body = {"provider_login": login}
    return await api.put(f"/v1/staff/{account}/provider-login", body, as_=as_)


@pytest.fixture
async def lee(api: Api) -> str:
    """The account of a librarian that is linked with its e-mail address."""
    account = await hired(api)
    assert (await link(api, account)).status == 200
    return account


def configured(api: Api, **changed: Any) -> None:
    """Change settings of a replica that runs."""
    api.app.state.settings = api.app.state.settings.model_copy(update=changed)
    api.app.state.identity_provider = Provider(api.app.state.settings)


# ---- who is let in ------------------------------------------------------------------------------


async def test_a_librarian_begins_at_one_replica_and_is_logged_in_at_another(
    visit: Visit, lee: str, other_replica: Api
) -> None:
    answer = await visit.log_in(other_replica)
    assert answer.status == 200, answer.body
    opened = answer.json()
    assert (opened["roles"], opened["patron_id"]) == (["staff"], None)
    assert opened["renewal_token"]
    assert opened["device_token"]
    shown = (await visit.api.get(f"/v1/staff/{lee}", as_=ADMIN)).json()
    assert (shown["provider_login"], shown["provider_used"]) == (EMAIL, True)


async def test_nothing_is_stored_until_the_answer_comes_back(visit: Visit, lee: str) -> None:
    await visit.asked()
    assert await visit.api.app.state.database.assertions.count_documents({}) == 0


@pytest.mark.parametrize("login", ["lee.siu-LUNG", " Lee@Example.org ", LEE["sub"]])
async def test_a_new_link_names_the_user_the_address_or_the_sub(visit: Visit, login: str) -> None:
    account = await hired(visit.api, email="lee.siu-lung" if "LUNG" in login else EMAIL)
    by = {"act": "provider", "staff_id": account, "provider_login": login}
    one, other = [token(await hired(visit.api, "admin", f"A-{n}"), ["admin"]) for n in range(2)]
    asked = (await visit.api.post("/v1/staff-requests", by, as_=one)).json()
    agreed = await visit.api.post(f"/v1/staff-requests/{asked['id']}/approval", as_=other)
    assert agreed.json()["provider_login"] == login.strip().casefold()
    assert (await visit.log_in()).status == 200


async def test_a_used_link_is_bound_to_the_person_and_not_to_the_name(
    visit: Visit, lee: str, provider: IdentityProvider
) -> None:
    assert (await visit.log_in()).status == 200
    provider.person = LEE | {"sub": "somebody-else"}
    assert code_of(await visit.log_in()) == NOT_LINKED
    provider.person = LEE | {"email": "new@example.org", "preferred_username": "new"}
    assert (await visit.log_in()).status == 200


async def test_an_address_that_the_provider_has_not_verified_links_nobody(
    visit: Visit, lee: str, provider: IdentityProvider
) -> None:
    for verified in (None, False, "true"):
        provider.changed = {"email_verified": verified}
        assert code_of(await visit.log_in()) == NOT_LINKED


async def test_nobody_else_is_let_in(visit: Visit, api: Api, provider: IdentityProvider) -> None:
    assert code_of(await visit.log_in()) == NOT_LINKED
    await registered(api, contact={"email": EMAIL})
    assert code_of(await visit.log_in()) == NOT_LINKED
    account = await hired(api)
    await link(api, account)
    await api.put(f"/v1/staff/{account}/role", {"role": "station"}, as_=ADMIN)
    assert code_of(await visit.log_in()) == NOT_LINKED
    await api.put(f"/v1/staff/{account}/role", {"role": "staff"}, as_=ADMIN)
    assert (await visit.log_in()).status == 200
    assert (await api.delete(f"/v1/staff/{account}/provider-login", as_=ADMIN)).status == 200
    assert code_of(await visit.log_in()) == NOT_LINKED
    assert await api.app.state.database.sessions.count_documents({}) == 0
    assert await api.app.state.database.cardholders.count_documents({}) == 2


async def test_a_disabled_account_is_refused(visit: Visit, lee: str) -> None:
    await visit.api.post(f"/v1/staff/{lee}/disable", as_=ADMIN)
    assert code_of(await visit.log_in()) == (403, "account-disabled")
    await visit.api.post(f"/v1/staff/{lee}/enable", as_=ADMIN)
    assert (await visit.log_in()).status == 200


# ---- attacks ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": [CLIENT_ID, "another-client"]},
        {"azp": "another-client"},
        {"exp": -60},
        {"exp": None},
        {"exp": "never"},
        {"iat": 10_000},
        {"nbf": 10_000},
        {"nonce": "of another log-in"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 7},
    ],
    ids=str,
)
async def test_each_wrong_claim_gets_the_same_answer(
    visit: Visit, lee: str, provider: IdentityProvider, changed: dict[str, Any]
) -> None:
    now = int(time.time())  # instants are given as seconds from now
    instants = {"exp", "iat", "nbf"}
    provider.changed = {
        name: now + value if name in instants and isinstance(value, int) else value
        for name, value in changed.items()
    }
    answer = await visit.log_in()
    assert code_of(answer) == BAD
    assert "another" not in answer.body.decode()


async def test_an_audience_of_several_needs_the_party_to_be_carrel(
    visit: Visit, lee: str, provider: IdentityProvider
) -> None:
    provider.changed = {"aud": ["another-client", CLIENT_ID], "azp": CLIENT_ID}
    assert (await visit.log_in()).status == 200


async def test_a_token_with_another_signature_is_refused(
    visit: Visit, lee: str, provider: IdentityProvider
) -> None:
    for made in ("none", "HS256", "another key", "no kid", "no token"):
        asked = await visit.asked()
        claims, header = provider.claims(asked), {"alg": "RS256", "kid": KEY.kid}
        provider.id_token = {
            "none": unsigned(claims),
            "HS256": signed_with_the_public_key(claims),
            "another key": jwt.encode(header, claims, OTHER_KEY),
            "no kid": jwt.encode({"alg": "RS256"}, claims, KEY),
            "no token": "x.y",
        }[made]
        assert code_of(await visit.come_back(provider.answered(asked))) == BAD, made
    provider.id_token = None
    assert (await visit.log_in()).status == 200


def signed_with_the_public_key(claims: dict[str, Any]) -> str:
    """Return an ID token whose shared secret is the public key, which everybody has."""
    parts = [{"alg": "HS256", "kid": KEY.kid}, claims]
    text = b".".join(_encoded(json.dumps(one).encode()) for one in parts)
    digest = hmac.digest(KEY.as_pem(private=False), text, "sha256")
    return b".".join([text, _encoded(digest)]).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


async def test_a_new_key_of_the_provider_is_read_once_and_a_former_one_ends(
    visit: Visit, lee: str, provider: IdentityProvider
) -> None:
    assert (await visit.log_in()).status == 200
    assert (await visit.log_in()).status == 200
    assert provider.calls.count("/keys") == 1
    provider.key, provider.keys = OTHER_KEY, [OTHER_KEY]
    assert (await visit.log_in()).status == 200
    assert provider.calls.count("/keys") == 2
    provider.key = KEY
    assert code_of(await visit.log_in()) == BAD
    assert provider.calls.count("/keys") == 3


async def test_an_answer_is_accepted_once(visit: Visit, lee: str, other_replica: Api) -> None:
    asked = await visit.asked()
    assert (await visit.come_back(visit.provider.answered(asked))).status == 200
    # The same `state` with a new code, as somebody has it who can log in there again.
    for api in (visit.api, other_replica):
        assert code_of(await visit.come_back(visit.provider.answered(asked), api)) == BAD
    brought = visit.provider.answered(await visit.asked())
    replicas = [visit.api, other_replica] * 3
    answers = await asyncio.gather(*(visit.come_back(brought, one) for one in replicas))
    assert sorted(one.status for one in answers) == [200, *[401] * 5]
    assert await visit.api.app.state.database.sessions.count_documents({}) == 2


async def test_an_answer_counts_in_its_own_browser_alone(
    visit: Visit, lee: str, provider: IdentityProvider
) -> None:
    brought = provider.answered(await visit.asked())
    other = replace(visit, browser=visit.browser[::-1])
    assert code_of(await other.come_back(brought)) == BAD
    # Their own request with a stolen code: PKCE and nonce are of the first one.
    theirs = provider.answered(await other.asked()) | {"code": brought["code"]}
    assert code_of(await other.come_back(theirs)) == BAD
    altered = brought | {"state": brought["state"][:-1] + "x"}
    assert code_of(await visit.come_back(altered)) == BAD


async def test_a_challenge_of_a_passkey_is_no_state(visit: Visit, lee: str) -> None:
    body = {"browser": visit.browser}
    options = (await visit.api.post("/v1/sessions/passkey-challenge", body)).json()["options"]
    padded = options["challenge"] + "=" * (-len(options["challenge"]) % 4)
    state = base64.urlsafe_b64decode(padded).decode()
    assert code_of(await visit.come_back({"state": state, "code": "c"})) == BAD


async def test_a_log_in_ends_after_ten_minutes(visit: Visit, lee: str, clock: Clock) -> None:
    brought = visit.provider.answered(await visit.asked())
    clock.now += VALID_FOR + timedelta(seconds=1)
    assert code_of(await visit.come_back(brought)) == BAD
    clock.now -= timedelta(minutes=1)


async def test_the_code_of_another_provider_is_sent_nowhere(
    visit: Visit, lee: str, provider: IdentityProvider
) -> None:
    for issuer in ("https://evil.example", "", f"{provider.issuer}/"):
        assert code_of(await visit.log_in(issuer=issuer)) == BAD
    assert "/token" not in provider.calls
    provider.document = {"authorization_response_iss_parameter_supported": False}
    configured(visit.api)
    assert code_of(await visit.log_in(issuer="https://evil.example")) == BAD
    assert (await visit.log_in(issuer="")).status == 200


async def test_refused_answers_are_limited_and_others_count_apart(visit: Visit, lee: str) -> None:
    configured(visit.api, wrong_pins_per_network=3)
    for _ in range(3):
        assert code_of(await visit.come_back({"state": "x", "code": "c"})) == BAD
    assert code_of(await visit.log_in()) == (429, "strangers-wait")
    assert await logged_in(visit.api, "S-1")


async def test_the_audit_trail_has_who_came_and_who_was_refused(visit: Visit, lee: str) -> None:
    await visit.come_back({"state": "x", "code": "c"})
    await visit.log_in()
    acts = visit.api.app.state.database.audit_trail.find({"act": {"$regex": "sessions/provider"}})
    found = [(one["act"], one["by"]) async for one in acts.sort("_id", 1)]
    path = "POST /v1/sessions/provider"
    assert (f"{path} (bad-provider-log-in)", "") in found
    assert (path, lee) in found


# ---- roles and second factors -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "groups", "given"),
    [
        (("staff", "supervisor"), ["a", "b"], "supervisor"),
        (("staff", "supervisor"), ["a"], "staff"),
        (("staff",), ["b"], "staff"),
        (("staff",), ["c"], None),
        (("staff",), [], None),
        (("admin",), ["a", "b"], None),
        (("admin",), ["a", "c"], "admin"),
    ],
)
def test_groups_give_a_part_of_the_account_and_nothing_more(
    roles: tuple[str, ...], groups: list[str], given: str | None
) -> None:
    table = [("a", ["staff"]), ("b", ["staff", "supervisor"]), ("c", ["admin"])]
    assert role_in_session(roles, groups, table) == given
    assert role_in_session(roles, groups, []) == roles[-1]


async def test_the_groups_of_each_log_in_decide_the_roles_of_its_session(
    visit: Visit, provider: IdentityProvider
) -> None:
    account = await hired(visit.api, "supervisor")
    await link(visit.api, account)
    table = ("/librarians=staff", "CN=Desk,OU=heads=supervisor", "/all=admin")
    configured(visit.api, staff_groups=table)
    answer = await visit.log_in()
    assert answer.status == 200, answer.body
    opened = answer.json()
    assert opened["roles"] == ["staff"]
    renewal = {"renewal_token": opened["renewal_token"]}
    renewed = await visit.api.post("/v1/sessions/renewal", renewal)
    assert renewed.json()["roles"] == ["staff"]
    for groups in (["/all"], [], None, "/librarians", {"a": 1}):
        provider.person["groups"] = groups
        answer = await visit.log_in()
        if groups == "/librarians":  # some providers send a single one as a text
            assert answer.json()["roles"] == ["staff"]
        else:
            assert code_of(answer) == (403, "no-role-given")
    provider.person["roles"] = ["CN=Desk,OU=heads"]
    configured(visit.api, staff_groups_claim="roles", staff_groups=table)
    assert (await visit.log_in()).json()["roles"] == ["staff", "supervisor"]


async def test_a_second_factor_counts_only_as_the_settings_say(
    visit: Visit, lee: str, provider: IdentityProvider
) -> None:
    needed = (403, "provider-factor-needed")
    provider.changed = {"amr": ["pwd", "mfa"], "acr": "2"}
    configured(visit.api, second_factor_roles=("staff",))
    assert code_of(await visit.log_in()) == needed
    configured(visit.api, staff_factors=("otp", "3"))
    assert code_of(await visit.log_in()) == needed
    for values in (("mfa",), ("2",)):
        configured(visit.api, staff_factors=values)
        assert (await visit.log_in()).status == 200
    provider.changed = {}
    assert code_of(await visit.log_in()) == needed


async def test_an_account_with_codes_is_not_opened_without_a_second_factor(
    visit: Visit, lee: str
) -> None:
    cardholders = visit.api.app.state.database.cardholders
    factor: dict[str, Any] = {
        "id": "f",
        "secret": "JBSWY3DPEHPK3PXP",
        "sealed": None,
        "confirmed": True,
    }
    factor |= {"last_step": 0, "recovery": []}
    await cardholders.update_one({"_id": lee}, {"$set": {"second_factor": factor}})
    assert code_of(await visit.log_in()) == (403, "provider-factor-needed")


# ---- the provider -------------------------------------------------------------------------------


async def test_without_a_provider_there_is_no_such_log_in(visit: Visit) -> None:
    configured(visit.api, staff_issuer="")
    body = {"browser": visit.browser}
    answer = await visit.api.post("/v1/sessions/provider-request", body)
    assert code_of(answer) == (404, "no-provider")
    assert code_of(await visit.api.get("/v1/sessions/provider-log-out")) == (404, "no-provider")


async def test_while_the_provider_is_away_the_card_still_logs_in_and_nothing_is_counted(
    visit: Visit, lee: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "REST_SECONDS", 0)
    configured(visit.api, wrong_pins_per_network=2)
    brought = visit.provider.answered(await visit.asked())
    visit.api.app.state.settings = visit.api.app.state.settings.model_copy(
        update={"staff_issuer": nobody()}
    )
    visit.api.app.state.identity_provider = Provider(visit.api.app.state.settings)
    for _ in range(3):
        assert code_of(await visit.come_back(brought)) == AWAY
    body = {"browser": visit.browser}
    assert code_of(await visit.api.post("/v1/sessions/provider-request", body)) == AWAY
    assert (await visit.api.get("/v1/sessions/provider-log-out")).json() == {"address": None}
    assert await logged_in(visit.api, "S-1")
    configured(visit.api, staff_issuer=visit.provider.issuer)
    assert (await visit.come_back(brought)).status == 200


async def test_after_a_failure_the_provider_rests(visit: Visit, lee: str) -> None:
    visit.provider.answer = web.json_response({}, status=500)
    body = {"browser": visit.browser}
    for _ in range(3):
        answer = await visit.api.post("/v1/sessions/provider-request", body)
        assert code_of(answer) == AWAY
    assert len(visit.provider.calls) == 1


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "https://user:pass@login.example/keys"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
        {"end_session_endpoint": "//evil.example"},
        {"padding": "x" * clients.MOST_BYTES},
    ],
    ids=lambda one: next(iter(one)),
)
async def test_a_document_that_is_not_as_it_should_be_is_not_used(
    visit: Visit, provider: IdentityProvider, document: dict[str, Any]
) -> None:
    provider.document = document
    body = {"browser": visit.browser}
    assert code_of(await visit.api.post("/v1/sessions/provider-request", body)) == AWAY


async def test_odd_answers_of_the_provider_are_refused(visit: Visit, lee: str) -> None:
    brought = visit.provider.answered(await visit.asked())
    moved = {"Location": "https://evil.example"}
    for odd in (
        web.Response(status=302, headers=moved),
        web.json_response([]),
        web.json_response({"id_token": 7}),
        web.json_response({"error": "invalid_client"}, status=401),
        web.Response(text="<html>"),
    ):
        visit.provider.answer = odd
        assert code_of(await visit.come_back(brought)) == AWAY


async def test_the_secret_is_sent_as_the_provider_takes_it(visit: Visit, lee: str) -> None:
    assert (await visit.log_in()).status == 200
    visit.provider.secret_in_form = True
    configured(visit.api)
    assert (await visit.log_in()).status == 200
    configured(visit.api, staff_client_secret="former")
    assert code_of(await visit.log_in()) == AWAY


async def test_the_way_out_is_the_providers_own(visit: Visit, settings: Settings) -> None:
    address = (await visit.api.get("/v1/sessions/provider-log-out")).json()["address"]
    assert address.startswith(f"{visit.provider.issuer}/log-out?")
    back = {"client_id": CLIENT_ID, "post_logout_redirect_uri": f"{settings.openid_issuer}/log-in"}
    assert query_of(address) == back
    visit.provider.document = {"end_session_endpoint": ""}
    configured(visit.api)
    assert (await visit.api.get("/v1/sessions/provider-log-out")).json() == {"address": None}


async def test_carrels_own_provider_logs_a_librarian_in(api: Api, settings: Settings) -> None:
    """Two systems on one database: one is the identity provider of the other."""
    async with served(create_app, settings, trust_test_keys=False) as issuer:
        issuer.app.state.settings = settings.model_copy(update={"public_url": issuer.url})
        client = replace(EBOOKS, redirect_uris=(settings.provider_callback,))
        await registered_client(issuer, client)
        configured(
            api,
            staff_issuer=issuer.url,
            staff_client_id=EBOOKS.id,
            staff_client_secret=SECRET,
        )
        patron = (await registered(api))["id"]
        account = await hired(api)
        asked_by = {"act": "provider", "staff_id": account}
        login = subject_of(client, patron)
        one, other = [token(await hired(api, "admin", f"A-{n}"), ["admin"]) for n in range(2)]
        asked = await api.post("/v1/staff-requests", asked_by | {"provider_login": login}, as_=one)
        path = f"/v1/staff-requests/{asked.json()['id']}/approval"
        assert (await api.post(path, as_=other)).status == 200

        browser = secrets.token_urlsafe(24)
        body = {"browser": browser}
        address = (await api.post("/v1/sessions/provider-request", body)).json()["address"]
        assert urlsplit(address).path == "/openid/authorize"
        decided = {"parameters": query_of(address), "decision": "allow"}
        session = await logged_in(issuer)
        answered = await issuer.post("/v1/me/authorizations", decided, as_=session)
        brought = query_of(answered.json()["redirect_uri"])
        body = {"browser": browser, "state": brought["state"], "code": brought["code"]}
        answer = await api.post("/v1/sessions/provider", body | {"issuer": brought["iss"]})
        assert (answer.status, answer.json()["roles"]) == (200, ["staff"])


# ---- links --------------------------------------------------------------------------------------


async def test_one_person_links_a_librarian_with_the_address_of_the_account_alone(
    api: Api,
) -> None:
    librarian, admin = await hired(api), await hired(api, "admin", "A-1", email="a@example.org")
    needed = (409, "second-person-needed")
    assert code_of(await link(api, librarian, "other@example.org")) == needed
    assert code_of(await link(api, admin, "a@example.org", as_=OPS)) == needed
    without = await hired(api, card_number="S-2", email=None)
    assert code_of(await link(api, without)) == needed
    assert (await link(api, librarian, EMAIL.upper())).status == 200
    assert code_of(await link(api, admin, as_=ADMIN)) == (404, "no-such-account")
    assert (await link(api, librarian, as_=STAFF)).status == 403
    own = token(librarian, ["admin"])
    assert code_of(await link(api, librarian, as_=own)) == (409, "own-account")
    for odd in ("", "x" * 256):
        assert (await link(api, librarian, odd)).status == 422


async def test_a_log_in_is_linked_with_one_account(api: Api, lee: str) -> None:
    second = await hired(api, card_number="S-2")
    assert code_of(await link(api, second)) == (409, "login-taken")
    await api.delete(f"/v1/staff/{lee}/provider-login", as_=ADMIN)
    assert (await link(api, second)).status == 200


async def test_linking_and_unlinking_end_the_sessions(visit: Visit, lee: str) -> None:
    sessions = visit.api.app.state.database.sessions
    for _ in range(2):
        assert (await visit.log_in()).status == 200
        assert await sessions.count_documents({}) == 1
        await link(visit.api, lee)
        assert await sessions.count_documents({}) == 0


# ---- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"staff_issuer": "http://login.example"}, "https"),
        ({"staff_issuer": "http://127.0.0.1", "simulation": False}, "https"),
        ({"staff_client_id": ""}, "CARREL_STAFF_CLIENT_ID"),
        ({"staff_client_secret": ""}, "CARREL_STAFF_CLIENT_SECRET"),
        ({"public_url": ""}, "CARREL_PUBLIC_URL"),
        ({"staff_groups": "librarians"}, "staff_groups"),
        ({"staff_groups": "everybody=patron"}, "staff_groups"),
        ({"staff_groups": "=staff"}, "staff_groups"),
    ],
)
def test_settings_that_would_not_work_are_refused(changed: dict[str, Any], named: str) -> None:
    whole: dict[str, Any] = {
        "staff_issuer": "https://login.example/realms/staff",
        "staff_client_id": CLIENT_ID,
        "staff_client_secret": CLIENT_SECRET,
        "public_url": "https://library.example",
        "staff_groups": "a=staff, b=admin",
    }
    assert Settings(**whole).roles_of_groups == (("a", ("staff",)), ("b", ("admin",)))
    with pytest.raises(ValidationError) as refused:
        Settings(**(whole | changed))
    assert named in str(refused.value)
    assert CLIENT_SECRET not in str(refused.value) + json.dumps(repr(Settings(**whole)))
