"""OpenID Connect: the checks of the basic profile, and attacks that are refused."""

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from services.accounts.app import SUBSCRIPTIONS
from services.accounts.openid.commands import log_out
from services.accounts.openid.commands.registration import ASSERTION, add_secret, new_secret
from services.accounts.openid.jobs import log_outs
from services.accounts.openid.routes import protocol
from services.accounts.openid.rules import PAUSES, secret_digest
from shared.clock import wall_clock
from shared.contracts.accounts import SessionEnded
from shared.unit_of_work import Origin, Run
from tests.accounts.people import MEI, STAFF, events, logged_in, registered
from tests.accounts.shop import (
    CALLBACK,
    EBOOKS,
    OTHER_SHOP,
    SECRET,
    Shop,
    query_of,
    registered_client,
)
from tests.circulation.desk import Desk
from tests.receiver import Receiver, receiving
from tests.support import OPS, Api, plans

ISSUER = "http://127.0.0.1:8080"


@pytest.fixture
async def shop(api: Api, other_replica: Api) -> Shop:
    """The shop with Mei's session, at the replica that accepts real tokens."""
    await registered(api)
    await registered_client(api)
    return Shop(other_replica, await logged_in(other_replica))


async def test_a_patron_logs_in_to_a_client(shop: Shop) -> None:
    answer = await shop.answered()
    assert answer.pop("code")
    assert answer == {"state": "state of the shop", "iss": ISSUER}
    tokens = await shop.log_in()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    assert "refresh_token" not in tokens  # nobody asked for access without the patron
    claims = await shop.claims(tokens["id_token"])
    found = (await shop.user_info(tokens["access_token"])).json()
    assert found == {
        "sub": claims["sub"],
        "name": "Chan Mei-ling",
        "locale": "zh-Hant",
        "email": "mei@example.org",
        "email_verified": False,
    }
    assert claims["iss"] == ISSUER
    assert claims["aud"] == "ebooks"
    assert claims["nonce"] == "n-0S6_WzA2Mj"
    assert claims["exp"] - claims["iat"] == 600
    assert abs(claims["auth_time"] - time.time()) < 60
    assert not {"name", "email"} & claims.keys()


async def test_discovery_names_only_what_works(shop: Shop) -> None:
    found = (await shop.api.get("/.well-known/openid-configuration")).json()
    assert found["issuer"] == ISSUER
    assert found["authorization_response_iss_parameter_supported"]
    assert found["subject_types_supported"] == ["pairwise"]
    keys = (await shop.api.get("/openid/keys")).json()["keys"]
    assert [(key["kty"], key["alg"], key["use"]) for key in keys] == [("RSA", "RS256", "sig")]
    assert not {"d", "p", "q"} & keys[0].keys()


# ---- requests -----------------------------------------------------------------------------------


async def test_an_answer_goes_to_no_address_that_is_not_registered(shop: Shop) -> None:
    for address in (
        "https://evil.example/callback",
        f"{CALLBACK}/",
        f"{CALLBACK}?app=2",
        f"{CALLBACK}#there",
        "https://ebooks.example/Callback",
        "https://ebooks.example@evil.example/callback",
        "",
    ):
        for wrong in ({}, {"prompt": "none"}, {"response_type": "token"}):
            answer = await shop.ask(redirect_uri=address, **wrong)
            assert (answer.status, answer.json()["code"]) == (409, "wrong-address"), address
    assert (await shop.ask(client_id="unknown")).json()["code"] == "no-such-client"
    query = await shop.answered(redirect_uri=f"{CALLBACK}?app=1")
    assert query.keys() == {"app", "code", "state", "iss"}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
        ({"request_uri": "https://ebooks.example/request"}, "request_uri_not_supported"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"prompt": "none"}, "consent_required"),
        ({"prompt": "none", "max_age": "0"}, "login_required"),
    ],
)
async def test_a_faulty_request_is_answered_with_an_error(
    shop: Shop, changed: dict[str, str], error: str
) -> None:
    answer = await shop.ask(decision=None, **changed)
    query = query_of(answer.json()["redirect_uri"])
    assert query.pop("error") == error
    query.pop("error_description", None)
    assert query == {"state": "state of the shop", "iss": ISSUER}


async def test_a_patron_who_refuses_gives_nothing(shop: Shop) -> None:
    answer = await shop.ask("deny")
    assert query_of(answer.json()["redirect_uri"])["error"] == "access_denied"
    assert (await shop.api.get("/v1/me/authorizations", as_=shop.session)).json()["items"] == []


async def test_consent_is_asked_once_and_again_for_more(shop: Shop) -> None:
    assert (await shop.ask(None)).json()["needs"] == "consent"
    await shop.log_in(scope="openid profile")
    assert "code" in await shop.answered(decision=None, scope="openid", prompt="none")
    more = (await shop.ask(None, scope="openid email")).json()
    assert more["needs"] == "consent"
    assert more["scopes"] == ["openid", "email"]
    assert (await shop.ask(None, scope="openid", prompt="consent")).json()["needs"] == "consent"


async def test_scopes_that_a_client_may_not_have_are_left_out(api: Api, shop: Shop) -> None:
    few = replace(OTHER_SHOP, scopes=("openid", "may_borrow"))
    await registered_client(api, few)
    films = replace(shop, id="films")
    tokens = await films.log_in(scope="openid email may_borrow wonders offline_access")
    assert tokens["scope"] == "openid may_borrow"
    assert "refresh_token" not in tokens
    found = (await films.user_info(tokens["access_token"])).json()
    assert found == {"sub": found["sub"], "may_borrow": True}


async def test_a_patron_logs_in_again_if_the_client_asks_for_it(shop: Shop) -> None:
    assert (await shop.ask(None, prompt="login")).json()["needs"] == "log-in"
    now = int(time.time())
    assert (await shop.ask(prompt="login", since=str(now + 3600))).json()["needs"] == "log-in"
    assert "code" in await shop.answered(prompt="login", since=str(now - 3600))
    assert (await shop.ask(None, max_age="0")).json()["needs"] == "log-in"
    assert "code" in await shop.answered(max_age="3600")


async def test_another_patron_than_the_client_expects_logs_in_first(api: Api, shop: Shop) -> None:
    hint = (await shop.log_in())["id_token"]
    assert "code" in await shop.answered(id_token_hint=hint, prompt="none")
    await registered(api, card_number="HK0002B", contact={})
    other = replace(shop, session=await logged_in(shop.api, "HK0002B"))
    assert "code" in await other.answered()
    assert (await other.ask(id_token_hint=hint)).json()["needs"] == "log-in"
    answer = await other.answered(id_token_hint=hint, prompt="none")
    assert answer["error"] == "login_required"


async def test_before_log_in_only_the_request_is_checked(shop: Shop) -> None:
    guest = replace(shop, session="")
    assert (await guest.ask()).json() == {
        "client_name": "E-book shop",
        "scopes": ["openid", "profile", "email"],
        "needs": "log-in",
        "redirect_uri": None,
    }
    assert (await guest.answered(prompt="none"))["error"] == "login_required"


# ---- codes --------------------------------------------------------------------------------------


async def refused(answer: Any, error: str, status: int = 400) -> None:
    assert (answer.status, answer.json()["error"]) == (status, error), answer.body


async def test_a_code_of_another_request_or_client_is_refused(api: Api, shop: Shop) -> None:
    await registered_client(api, OTHER_SHOP)
    films = replace(shop, id="films", verifier=shop.verifier)
    code = (await shop.answered())["code"]
    await refused(await films.exchange(code), "invalid_grant")
    for changed in (
        {"code_verifier": secrets.token_urlsafe(32)},
        {"code_verifier": ""},
        {"redirect_uri": f"{CALLBACK}?app=1"},
        {"redirect_uri": ""},
    ):
        await refused(await shop.exchange(code, **changed), "invalid_grant")
    flipped = code[:-1] + ("1" if code.endswith("0") else "0")
    for forged in (flipped, code.replace(".", ".9", 1), "", "x", "é"):
        await refused(await shop.exchange(forged), "invalid_grant")
    assert (await shop.exchange(code)).status == 200  # nobody else has spoilt it


async def test_a_code_that_is_used_twice_ends_what_it_gave(shop: Shop) -> None:
    code = (await shop.answered(scope="openid offline_access"))["code"]
    tokens = (await shop.exchange(code)).json()
    assert (await shop.user_info(tokens["access_token"])).status == 200
    await refused(await shop.exchange(code), "invalid_grant")
    await refused(await shop.user_info(tokens["access_token"]), "invalid_token", 401)
    await refused(await shop.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_two_replicas_that_exchange_a_code_at_once_give_tokens_once(
    api: Api, shop: Shop
) -> None:
    for _ in range(5):
        code = (await shop.answered())["code"]
        there = replace(shop, api=api, verifier=shop.verifier)
        answers = await asyncio.gather(*(one.exchange(code) for one in (shop, there) * 2))
        assert sorted(answer.status for answer in answers) == [200, 400, 400, 400]
        [given] = [answer.json() for answer in answers if answer.status == 200]
        await refused(await shop.user_info(given["access_token"]), "invalid_token", 401)


async def test_a_code_lasts_a_minute(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (await shop.answered())["code"]
    monkeypatch.setattr(protocol, "wall_clock", lambda: wall_clock() + timedelta(seconds=61))
    await refused(await shop.exchange(code), "invalid_grant")


# ---- refresh tokens -----------------------------------------------------------------------------


async def test_a_refresh_token_rotates_and_its_reuse_ends_the_family(shop: Shop) -> None:
    first = await shop.log_in(scope="openid profile", access_type="offline")
    second = (await shop.refresh(first["refresh_token"])).json()
    claims, again = await shop.claims(first["id_token"]), await shop.claims(second["id_token"])
    for name in ("sub", "aud", "auth_time", "sid"):
        assert claims[name] == again[name]
    assert "nonce" not in again
    assert second["refresh_token"] != first["refresh_token"]
    assert (await shop.introspect(second["access_token"]))["active"]
    await refused(await shop.refresh(first["refresh_token"]), "invalid_grant")
    await refused(await shop.refresh(second["refresh_token"]), "invalid_grant")
    assert await shop.introspect(second["access_token"]) == {"active": False}


async def test_two_replicas_that_refresh_at_once_give_tokens_once(api: Api, shop: Shop) -> None:
    token = (await shop.log_in(scope="openid offline_access"))["refresh_token"]
    there = replace(shop, api=api)
    answers = await asyncio.gather(*(one.refresh(token) for one in (shop, there)))
    assert sorted(answer.status for answer in answers) == [200, 400]


async def test_access_while_the_patron_is_logged_out_needs_its_scope(shop: Shop) -> None:
    here = await shop.log_in()
    offline = await shop.log_in(scope="openid offline_access")
    assert (await shop.api.delete("/v1/sessions", as_=shop.session)).status == 204
    await refused(await shop.user_info(here["access_token"]), "invalid_token", 401)
    assert (await shop.user_info(offline["access_token"])).status == 200
    assert (await shop.refresh(offline["refresh_token"])).status == 200


async def test_a_new_pin_ends_access_that_outlasts_its_session(shop: Shop) -> None:
    offline = await shop.log_in(scope="openid offline_access")
    body = {"pin": MEI["pin"], "new_pin": "31-41-59"}
    assert (await shop.api.put("/v1/me/pin", body, as_=shop.session)).status == 204
    await refused(await shop.refresh(offline["refresh_token"]), "invalid_grant")
    assert not (await shop.introspect(offline["access_token"]))["active"]


async def test_a_client_of_another_cannot_use_revoke_or_see_a_token(api: Api, shop: Shop) -> None:
    await registered_client(api, OTHER_SHOP)
    films = replace(shop, id="films")
    tokens = await shop.log_in(scope="openid offline_access")
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert await films.introspect(token) == {"active": False}
        assert (await films.call("/openid/revocation", token=token)).status == 200
    await refused(await films.refresh(tokens["refresh_token"]), "invalid_grant")
    found = await shop.introspect(tokens["access_token"])
    claims = await shop.claims(tokens["id_token"])
    assert found.pop("exp") - time.time() < 601
    assert found == {
        "active": True,
        "iss": ISSUER,
        "client_id": "ebooks",
        "sub": claims["sub"],
        "scope": "openid offline_access",
        "token_type": "Bearer",
    }
    assert (await shop.call("/openid/revocation", token=tokens["access_token"])).status == 200
    assert await shop.introspect(tokens["access_token"]) == {"active": False}
    await refused(await shop.refresh(tokens["refresh_token"]), "invalid_grant")


async def test_a_token_of_a_client_opens_nothing_of_the_api(shop: Shop) -> None:
    tokens = await shop.log_in()
    for token in (tokens["access_token"], tokens["id_token"]):
        assert (await shop.api.get("/v1/me/preferences", as_=token)).status == 401
    await refused(await shop.user_info(shop.session), "invalid_token", 401)
    await refused(await shop.user_info(tokens["id_token"]), "invalid_token", 401)
    await refused(await shop.user_info(""), "invalid_token", 401)


# ---- what clients learn -------------------------------------------------------------------------


async def test_two_clients_know_a_patron_by_different_ids_and_one_sector_by_the_same(
    api: Api, shop: Shop
) -> None:
    await registered_client(api, OTHER_SHOP)
    await registered_client(api, replace(EBOOKS, id="audio", salt="replaced by the sector's"))
    subjects, sids = [], []
    for client_id in ("ebooks", "films", "audio"):
        tokens = await replace(shop, id=client_id).log_in()
        claims = await shop.claims(tokens["id_token"])
        subjects.append(claims["sub"])
        sids.append(claims["sid"])
    assert subjects[0] != subjects[1]
    assert subjects[0] == subjects[2]
    assert len(set(sids)) == 3


async def test_claims_follow_the_patron(api: Api, shop: Shop) -> None:
    scope = "openid library may_borrow age_band"
    token = (await shop.log_in(scope=scope))["access_token"]

    async def learnt() -> dict[str, Any]:
        found = (await shop.user_info(token)).json()
        return {name: one for name, one in found.items() if name != "sub"}

    assert await learnt() == {"library": "KPL", "may_borrow": True, "age_band": "adult"}
    [mei] = (await api.get("/v1/patrons?card=HK0001A", as_=STAFF)).json()["items"]
    reason = {"reason": "The card was found in the street"}
    assert (await api.post(f"/v1/patrons/{mei['id']}/block", reason, as_=STAFF)).status == 200
    # A block ends the sessions.
    await refused(await shop.user_info(token), "invalid_token", 401)
    shop.session = await logged_in(shop.api)
    token = (await shop.log_in(scope=scope))["access_token"]
    assert (await learnt())["may_borrow"] is False


async def test_a_patron_sees_who_knows_them_and_takes_it_away(shop: Shop) -> None:
    tokens = await shop.log_in(scope="openid offline_access")
    listed = (await shop.api.get("/v1/me/authorizations", as_=shop.session)).json()["items"]
    assert [(one["client_name"], one["scopes"]) for one in listed] == [
        ("E-book shop", ["openid", "offline_access"])
    ]
    path = "/v1/me/authorizations/ebooks"
    assert (await shop.api.delete(path, as_=shop.session)).status == 204
    await refused(await shop.user_info(tokens["access_token"]), "invalid_token", 401)
    await refused(await shop.refresh(tokens["refresh_token"]), "invalid_grant")
    assert (await shop.ask(None)).json()["needs"] == "consent"
    assert (await shop.api.delete(path, as_=shop.session)).status == 404


async def test_nothing_of_an_erased_patron_is_left(api: Api, lending: Desk, shop: Shop) -> None:
    tokens = await shop.log_in(scope="openid offline_access")
    [mei] = (await api.get("/v1/patrons?card=HK0001A", as_=STAFF)).json()["items"]
    assert (await api.delete(f"/v1/patrons/{mei['id']}", as_=STAFF)).status == 200
    await refused(await shop.user_info(tokens["access_token"]), "invalid_token", 401)
    for collection in ("openid_grants", "openid_consents"):
        assert await api.app.state.database[collection].count_documents({}) == 0


# ---- credentials of clients ---------------------------------------------------------------------


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "form", "status", "error"),
    [
        ("", {"client_secret": "wrong"}, 401, "invalid_client"),
        ("", {"client_secret": ""}, 401, "invalid_client"),
        ("", {"client_id": "unknown"}, 401, "invalid_client"),
        (basic("ebooks", "wrong"), {}, 401, "invalid_client"),
        (basic("films", SECRET), {}, 401, "invalid_client"),
        ("Basic !!!", {}, 401, "invalid_client"),
        ("Bearer x", {}, 401, "invalid_client"),
        (basic("ebooks", SECRET), {"client_secret": SECRET}, 401, "invalid_request"),
        ("", {"grant_type": "password"}, 400, "unsupported_grant_type"),
        ("", {"grant_type": ""}, 400, "invalid_request"),
        (basic("ebooks", SECRET), {"grant_type": "refresh_token"}, 400, "invalid_grant"),
    ],
)
async def test_faulty_credentials_and_grants_are_refused(
    shop: Shop, authorization: str, form: dict[str, str], status: int, error: str
) -> None:
    sent = {"grant_type": "authorization_code", "code": "x"} | form
    answer = await shop.call("/openid/token", authorization=authorization, **sent)
    await refused(answer, error, status)
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


async def test_a_body_that_is_no_form_or_names_a_field_twice_is_refused(shop: Shop) -> None:
    form = f"client_id=ebooks&client_secret={SECRET}&grant_type=x&grant_type=y".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    twice = await shop.api.call("POST", "/openid/token", data=form, headers=kind)
    await refused(twice, "invalid_request")
    await refused(await shop.api.post("/openid/token", {"client_id": "x"}), "invalid_request")


async def test_a_client_has_two_secrets_while_one_replaces_the_other(api: Api, shop: Shop) -> None:
    run, second = Run(api.app.state.unit_of_work, Origin(wall_clock())), new_secret()
    for secret in (second, new_secret()):
        await run(add_secret, "ebooks", secret)
        answer = await shop.call("/openid/introspection", token="x", client_secret=second)
        assert answer.status == 200
    await refused(await shop.call("/openid/introspection", token="x"), "invalid_client", 401)
    stored = await api.app.state.database.openid_clients.find_one({"_id": "ebooks"})
    assert stored["secrets"][1] == secret_digest(second)
    assert second not in str(stored)


async def test_an_assertion_is_accepted_once(api: Api, shop: Shop) -> None:
    key, other = (ECKey.generate_key("P-256", auto_kid=True) for _ in range(2))
    own = replace(OTHER_SHOP, secrets=(), keys=(dict(key.as_dict(private=False)),))
    await registered_client(api, own)
    films, now = replace(shop, id="films"), int(time.time())

    async def sent(by: ECKey = key, path: str = "/openid/introspection", **changed: Any) -> Any:
        claims = {
            "iss": "films",
            "sub": "films",
            "aud": ISSUER,
            "jti": secrets.token_hex(8),
            "exp": now + 60,
            **changed,
        }
        claims = {name: one for name, one in claims.items() if one is not None}
        text = jwt.encode({"alg": "ES256", "kid": by.kid}, claims, by, algorithms=["ES256"])
        kind = {"client_assertion": text, "client_assertion_type": ASSERTION}
        return await films.call(path, token="x", **kind)

    assert (await sent(jti="the first")).status == 200
    for changed in (
        {"jti": "the first"},
        {"jti": None},
        {"exp": now - 60},
        {"exp": now + 3600},
        {"exp": None},
        {"aud": "https://other.example"},
        {"sub": "ebooks"},
        {"iss": "ebooks", "sub": "ebooks"},
        {"nbf": now + 300},
        {"by": other},
    ):
        await refused(await sent(**changed), "invalid_client", 401)
    assert (await sent(aud=[f"{ISSUER}/openid/token"])).status == 200
    await refused(await films.call("/openid/introspection", token="x"), "invalid_client", 401)


# ---- log-out ------------------------------------------------------------------------------------


@pytest.fixture
async def notified(api: Api, other_replica: Api) -> AsyncIterator[tuple[Shop, Receiver]]:
    """A shop with Mei's session, which is told of the end of sessions."""
    await registered(api)
    async with receiving(Receiver()) as receiver:
        await registered_client(api, replace(EBOOKS, log_out_uri=receiver.url))
        yield Shop(other_replica, await logged_in(other_replica)), receiver


async def tell(api: Api, *, after: float = 0) -> int:
    """Run the job that tells clients, some seconds from now."""
    run = Run(api.app.state.unit_of_work, Origin(wall_clock()))
    if after:
        due = {"log_out_at": {"$ne": None}}
        change = [{"$set": {"log_out_at": {"$subtract": ["$log_out_at", 1000 * after]}}}]
        await api.app.state.database.openid_grants.update_many(due, change)
    return await log_outs(run)


async def hear_of_ends(api: Api) -> None:
    """Deliver each end of a session twice, as the listener may do."""
    handler = SUBSCRIPTIONS.by_topic["session.ended"].handler
    for at, (topic, body) in enumerate(await events(api)):
        for _ in range(2 if topic == "session.ended" else 0):
            event = SessionEnded.model_validate(body)
            run = Run(api.app.state.unit_of_work, Origin(wall_clock()), inbox=f"end-{at}")
            await handler(event, run)


async def test_clients_are_told_of_the_end_of_a_session_once(
    api: Api, notified: tuple[Shop, Receiver]
) -> None:
    shop, receiver = notified
    here, offline = await shop.log_in(), await shop.log_in(scope="openid offline_access")
    await shop.answered()  # a code that nobody uses: the client knows nothing of it
    assert (await shop.api.delete("/v1/sessions/current", as_=shop.session)).status == 204
    await hear_of_ends(api)
    async with plans(api.app.state.database, "log_out_at") as used:
        assert await tell(api) == 2
    assert used == {"IXSCAN { log_out_at: 1 }"}
    assert await tell(api, after=86_400) == 0
    notices = [parse_qs(one.content.decode())["logout_token"][0] for one in receiver.requests]
    found = [await shop.claims(notice) for notice in notices]
    claims = [await shop.claims(one["id_token"]) for one in (here, offline)]
    assert {one["sid"] for one in found} == {one["sid"] for one in claims}
    for notice in found:
        assert notice["sub"] == claims[0]["sub"]
        assert notice["aud"] == "ebooks"
        assert notice["iss"] == ISSUER
        assert notice["exp"] - notice["iat"] == 120
        assert notice["events"] == {log_out.EVENT: {}}
        assert notice["jti"]
        assert "nonce" not in notice
    assert len({one["jti"] for one in found}) == 2
    assert (await shop.refresh(offline["refresh_token"])).status == 200


async def test_a_client_that_does_not_answer_is_told_again_with_an_end(
    api: Api, notified: tuple[Shop, Receiver]
) -> None:
    shop, receiver = notified
    await shop.log_in()
    receiver.answers.extend([500, 302])
    await shop.api.delete("/v1/me/authorizations/ebooks", as_=shop.session)
    assert await tell(api) == 0
    assert await tell(api) == 0  # not due again yet
    assert len(receiver.requests) == 1
    assert await tell(api, after=60) == 0
    assert await tell(api, after=600) == 1
    assert len(receiver.requests) == 3

    await shop.log_in()
    receiver.answers.extend([503] * 20)
    await shop.api.delete("/v1/me/authorizations/ebooks", as_=shop.session)
    for _ in range(10):
        assert await tell(api, after=86_400) == 0
    assert len(receiver.requests) == 3 + len(PAUSES)
    assert await api.app.state.database.openid_grants.count_documents({}) == 0


async def test_two_replicas_tell_a_client_once(api: Api, notified: tuple[Shop, Receiver]) -> None:
    shop, receiver = notified
    for _ in range(3):
        await shop.log_in()
    await shop.api.delete("/v1/me/authorizations/ebooks", as_=shop.session)
    told = await asyncio.gather(tell(api), tell(shop.api), tell(api))
    assert sum(told) == 3
    assert len(receiver.requests) == 3


async def test_after_log_out_a_patron_goes_to_registered_addresses_alone(shop: Shop) -> None:
    hint = (await shop.log_in())["id_token"]
    bye = "https://ebooks.example/bye"

    async def found(**asked: str) -> tuple[str | None, str | None]:
        answer = (await shop.api.post("/v1/log-out-checks", {"parameters": asked})).json()
        return answer["client_name"], answer["redirect_uri"]

    uri = {"post_logout_redirect_uri": bye}
    assert await found(id_token_hint=hint, **uri, state="a b") == (
        "E-book shop",
        f"{bye}?state=a+b",
    )
    assert await found(client_id="ebooks", **uri) == ("E-book shop", bye)
    assert await found(**uri) == (None, None)
    assert await found(id_token_hint=hint, client_id="films", **uri) == (None, None)
    assert await found(id_token_hint=hint[:-3] + "abc", **uri) == (None, None)
    assert await found(id_token_hint=shop.session, **uri) == (None, None)
    evil = {"post_logout_redirect_uri": "https://evil.example/"}
    assert await found(id_token_hint=hint, **evil) == ("E-book shop", None)


async def test_replaced_keys_verify_on_and_revoked_ones_do_not(api: Api, shop: Shop) -> None:
    former = (await shop.log_in())["id_token"]
    assert (await api.post("/v1/ops/keys/rotate", as_=OPS)).status == 201
    now = (await shop.log_in())["id_token"]
    assert (await shop.claims(former))["sub"] == (await shop.claims(now))["sub"]
    keys = (await shop.api.get("/openid/keys")).json()["keys"]
    assert len({key["kid"] for key in keys}) == 2
    assert (await api.post("/v1/ops/keys/revoke", as_=OPS)).status == 201
    with pytest.raises(JoseError, match="kid"):
        await shop.claims(now)
