"""Access to accounts of staff: their holders alone know the PIN, and some need two persons."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.accounts.pins.rules import code_of
from services.accounts.staff.rules import LASTS
from tests.accounts.people import ADMIN, STAFF, events, hired, registered
from tests.support import OPS, Answer, Api, token

NOTICES = token("notices", ["service"])
REQUESTS = "/v1/staff-requests"
PIN, NEW_PIN = "27-18-28", "31-41-59"
NEW = {"card_number": "S-1", "name": "Lee Siu-lung", "email": "lee@example.org"}
CHANGES: dict[str, dict[str, Any]] = {
    "enable": {},
    "pin": {},
    "second-factor": {},
    "role": {"role": "staff"},
    "email": {"email": "other@example.org"},
}


async def managers(api: Api, role: str = "admin") -> tuple[str, str]:
    """Return the tokens of two managers with accounts."""
    first, second = [await hired(api, role, f"{role}-{place}") for place in range(2)]
    return token(first, [role]), token(second, [role])


async def ask(api: Api, as_: str, act: str, **fields: Any) -> Answer:
    return await api.post(REQUESTS, {"act": act, **fields}, as_=as_)


async def agree(api: Api, as_: str, request: str) -> Answer:
    return await api.post(f"{REQUESTS}/{request}/approval", as_=as_)


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


async def log_in(api: Api, pin: str, card: str = "S-1") -> int:
    return (await api.post("/v1/sessions", {"card_number": card, "pin": pin})).status


async def issued(api: Api) -> list[str]:
    """Return the ids of the codes that were issued, the oldest first."""
    return [body["reset_id"] for topic, body in await events(api) if topic == "pin.issued"]


async def sent(api: Api, code_id: str) -> dict[str, Any]:
    """Return what notices get to send a code."""
    found: dict[str, Any] = (await api.get(f"/v1/staff-codes/{code_id}", as_=NOTICES)).json()
    return found


async def choose(api: Api, code_id: str, code: str | None, pin: str = NEW_PIN) -> int:
    body = {"reset_code": code, "new_pin": pin}
    return (await api.put(f"/v1/pin-resets/{code_id}", body)).status


# ---- PINs ---------------------------------------------------------------------------------------


async def test_only_the_holder_of_a_new_account_chooses_and_learns_its_pin(api: Api) -> None:
    with_pin = {**NEW, "role": "staff", "pin": PIN}
    assert refused(await api.post("/v1/staff", with_pin, as_=ADMIN)) == (409, "pin-not-accepted")
    made = await api.post("/v1/staff", {**NEW, "role": "staff"}, as_=ADMIN, key="k")
    again = await api.post("/v1/staff", {**NEW, "role": "staff"}, as_=ADMIN, key="k")
    assert (made.status, made.json()) == (201, again.json())
    assert (made.json()["has_pin"], made.json()["email"]) == (False, NEW["email"])
    for pin in (PIN, "000000", "x"):
        assert await log_in(api, pin) == 401

    [code_id] = await issued(api)
    found = await sent(api, code_id)
    assert found["address"] == NEW["email"]
    shown = await api.get(f"/v1/staff/{made.json()['id']}", as_=ADMIN)
    for answer in (made, shown):
        assert found["code"] not in str(answer.json())
    assert await choose(api, code_id, "00000000") == 409
    assert await log_in(api, found["code"]) == 401  # the code opens no session
    assert await choose(api, code_id, found["code"]) == 204
    assert await log_in(api, NEW_PIN) == 200
    assert (await sent(api, code_id))["code"] is None
    assert "pin.reset" not in [topic for topic, _ in await events(api)]  # which is for patrons


async def test_another_pin_ends_the_former_one_and_its_codes_at_once(api: Api) -> None:
    account = await hired(api)
    path = f"/v1/staff/{account}/pin"
    answer = await api.put(path, {"pin": NEW_PIN}, as_=ADMIN)
    assert refused(answer) == (409, "pin-not-accepted")
    assert await log_in(api, PIN) == 200
    for _ in range(2):
        answer = await api.put(path, as_=ADMIN)
        assert (answer.status, answer.json()["has_pin"]) == (200, False)
    assert await log_in(api, PIN) == 401
    first, second = await issued(api)
    assert (await sent(api, first))["code"] is None
    found = await sent(api, second)
    assert await choose(api, first, code_of(first, api.app.state.settings.reset_keys)) == 409
    assert await choose(api, second, found["code"]) == 204
    assert await log_in(api, NEW_PIN) == 200


async def test_a_code_for_staff_is_valid_for_a_day(api: Api) -> None:
    await api.post("/v1/staff", {**NEW, "role": "staff"}, as_=ADMIN)
    [code_id] = await issued(api)
    stored = await api.app.state.database.pin_resets.find_one({"_id": code_id})
    found = await sent(api, code_id)
    late = {"expires_at": stored["expires_at"] - timedelta(hours=24)}
    await api.app.state.database.pin_resets.update_one({"_id": code_id}, {"$set": late})
    assert (await sent(api, code_id)) == {"address": None, "code": None}
    assert await choose(api, code_id, found["code"]) == 409


async def test_without_an_address_no_code_is_issued_and_the_pin_stays(api: Api) -> None:
    account = await hired(api, email=None)
    answer = await api.put(f"/v1/staff/{account}/pin", as_=ADMIN)
    assert refused(answer) == (409, "no-staff-address")
    assert await log_in(api, PIN) == 200
    assert (await api.post("/v1/staff", {"card_number": "S-2"}, as_=ADMIN)).status == 422


async def test_only_notices_get_a_code_for_staff_and_none_for_patrons(api: Api) -> None:
    account = await hired(api)
    await api.put(f"/v1/staff/{account}/pin", as_=ADMIN)
    [code_id] = await issued(api)
    for as_ in (STAFF, ADMIN, OPS, token(account, ["staff"]), token("events", ["service"])):
        assert (await api.get(f"/v1/staff-codes/{code_id}", as_=as_)).status == 403
    await registered(api)
    reset = (await api.post("/v1/pin-resets", {"card_number": "HK0001A"})).json()["id"]
    await api.job("accounts/pin-resets")
    assert (await sent(api, reset)) == {"address": None, "code": None}
    assert (await sent(api, "no-such-code")) == {"address": None, "code": None}
    path = f"/v1/email-addresses/{account}?pin_reset={code_id}"
    assert (await api.get(path, as_=NOTICES)).status == 404


# ---- two persons --------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "by"), [("tracer", "admin"), ("admin", "ops"), ("ops", "ops")])
async def test_one_person_alone_gives_nobody_a_role_that_needs_two(
    api: Api, role: str, by: str
) -> None:
    one, other = await managers(api, by)
    wanted = {**NEW, "role": role}
    answer = await api.post("/v1/staff", wanted, as_=one)
    assert refused(answer) == (409, "second-person-needed")
    librarian = await hired(api, "staff", "S-2")
    answer = await api.put(f"/v1/staff/{librarian}/role", {"role": role}, as_=one)
    assert refused(answer) == (409, "second-person-needed")

    adding = (await ask(api, one, "add", **wanted)).json()
    rising = (await ask(api, one, "role", staff_id=librarian, role=role)).json()
    assert await log_in(api, PIN) == 401
    for asked in (adding, rising):
        assert refused(await agree(api, one, asked["id"])) == (409, "own-request")
        assert (await agree(api, other, asked["id"])).json()["role"] == role
        assert refused(await agree(api, other, asked["id"])) == (404, "no-such-request")
    found = await sent(api, (await issued(api))[0])
    assert found["address"] == NEW["email"]
    assert (await api.get(f"/v1/staff/{librarian}", as_=one)).json()["role"] == role
    assert (await api.get(REQUESTS, as_=one)).json() == {"items": []}


@pytest.mark.parametrize(("role", "by"), [("tracer", "admin"), ("admin", "ops"), ("ops", "ops")])
@pytest.mark.parametrize("act", CHANGES)
async def test_one_person_alone_gets_no_access_to_an_account_that_needs_two(
    api: Api, role: str, by: str, act: str
) -> None:
    one, other = await managers(api, by)
    account = await hired(api, role)
    path = f"/v1/staff/{account}"
    if act == "enable":
        assert (await api.post(f"{path}/disable", as_=one)).status == 200
    alone = {
        "enable": ("POST", f"{path}/enable"),
        "pin": ("PUT", f"{path}/pin"),
        "second-factor": ("DELETE", f"{path}/second-factor"),
    }
    if act in alone:
        answer = await api.call(*alone[act], as_=one)
        assert refused(answer) == (409, "second-person-needed")
        assert await log_in(api, PIN) == (403 if act == "enable" else 200)
    request = (await ask(api, one, act, staff_id=account, **CHANGES[act])).json()["id"]
    assert refused(await agree(api, one, request)) == (409, "own-request")
    assert refused(await agree(api, token(account, [role]), request))[0] in (403, 404, 409)
    assert (await agree(api, other, request)).status == 200
    after = (await api.get(path, as_=one)).json()
    told: dict[str, dict[str, Any]] = {
        "enable": {"disabled_at": None},
        "pin": {"has_pin": False},
    }
    changed = told.get(act, CHANGES[act])
    assert {name: after[name] for name in changed} == changed


async def test_another_address_of_any_account_needs_two_and_ends_its_codes(api: Api) -> None:
    one, other = await managers(api)
    account = await hired(api)
    await api.put(f"/v1/staff/{account}/pin", as_=one)
    [code_id] = await issued(api)
    assert (await api.put(f"/v1/staff/{account}/email", CHANGES["email"], as_=one)).status == 404
    request = (await ask(api, one, "email", staff_id=account, **CHANGES["email"])).json()
    assert (request["email"], request["requested_by_name"]) == ("other@example.org", "Test")
    assert refused(await agree(api, one, request["id"])) == (409, "own-request")
    assert (await agree(api, other, request["id"])).json()["email"] == "other@example.org"
    assert (await sent(api, code_id))["address"] is None


async def test_an_administrator_neither_asks_for_nor_agrees_to_what_only_operators_manage(
    api: Api,
) -> None:
    one, _ = await managers(api)
    first, second = await managers(api, "ops")
    assert refused(await ask(api, one, "add", **NEW, role="ops")) == (403, "role-not-allowed")
    operator = await hired(api, "ops", "OPS-9")
    answer = await ask(api, one, "pin", staff_id=operator)
    assert refused(answer) == (404, "no-such-account")
    for fields in ({"act": "add", **NEW, "role": "admin"}, {"act": "pin", "staff_id": operator}):
        request = (await ask(api, first, **fields)).json()["id"]
        assert refused(await agree(api, one, request)) == (404, "no-such-request")
        answer = await api.delete(f"{REQUESTS}/{request}", as_=one)
        assert refused(answer) == (404, "no-such-request")
        assert (await api.get(REQUESTS, as_=one)).json() == {"items": []}
        assert (await agree(api, second, request)).status == 200


async def test_a_request_ends_when_it_is_withdrawn_refused_or_old(api: Api) -> None:
    one, other = await managers(api)
    wanted = {**NEW, "role": "tracer"}
    for as_ in (one, other):
        request = (await ask(api, one, "add", **wanted)).json()["id"]
        assert (await api.delete(f"{REQUESTS}/{request}", as_=as_)).status == 204
        assert refused(await agree(api, other, request)) == (404, "no-such-request")
    request = (await ask(api, one, "add", **wanted)).json()["id"]
    requests = api.app.state.database.staff_requests
    stored = await requests.find_one({"_id": request})
    old = {"expires_at": stored["expires_at"] - LASTS}
    await requests.update_one({"_id": request}, {"$set": old})
    assert (await api.get(REQUESTS, as_=other)).json() == {"items": []}
    assert refused(await agree(api, other, request)) == (404, "no-such-request")


@pytest.mark.parametrize("end", ["disable", "remove", "role"])
async def test_nobody_agrees_to_what_a_former_manager_has_asked_for(api: Api, end: str) -> None:
    first = await hired(api, "admin", "A-1")
    one, other = token(first, ["admin"]), token(await hired(api, "admin", "A-2"), ["admin"])
    request = (await ask(api, one, "add", **NEW, role="tracer")).json()["id"]
    by = token(await hired(api, "ops", "O-1"), ["ops"])
    if end == "disable":
        ended = await api.post(f"/v1/staff/{first}/disable", as_=by)
    elif end == "remove":
        ended = await api.post("/v1/staff-removals", {"card_number": "A-1"}, as_=by)
    else:
        ended = await api.put(f"/v1/staff/{first}/role", {"role": "staff"}, as_=by)
    assert ended.status in (200, 204)
    assert refused(await agree(api, other, request)) == (404, "no-such-request")


async def test_two_agreements_at_once_make_the_change_once(api: Api, other_replica: Api) -> None:
    one, other = await managers(api)
    third = token(await hired(api, "admin", "admin-3"), ["admin"])
    other_replica.app.state.verifier = api.app.state.verifier
    request = (await ask(api, one, "add", **NEW, role="tracer")).json()["id"]
    answers = await asyncio.gather(agree(api, other, request), agree(other_replica, third, request))
    assert sorted(answer.status for answer in answers) == [200, 404]
    assert len(await issued(api)) == 1


async def test_the_audit_trail_names_both_persons(api: Api) -> None:
    first, second = [await hired(api, "admin", f"A-{place}") for place in range(2)]
    request = (await ask(api, token(first, ["admin"]), "add", **NEW, role="tracer")).json()["id"]
    made = (await agree(api, token(second, ["admin"]), request)).json()["id"]
    trail = api.app.state.database.audit_trail.find({"by": {"$in": [first, second]}})
    asked, agreed = [one async for one in trail.sort("_id", 1)]
    assert (asked["by"], asked["act"]) == (first, f"POST {REQUESTS}")
    assert asked["objects"] == [request]
    assert (agreed["by"], agreed["act"]) == (second, f"POST {REQUESTS}/{{request_id}}/approval")
    assert {request, made} < set(agreed["objects"])


@pytest.mark.parametrize(
    "body",
    [
        {"act": "add", **NEW},
        {"act": "add", **NEW, "role": "tracer", "staff_id": "x"},
        {"act": "pin"},
        {"act": "pin", "staff_id": "x", "role": "staff"},
        {"act": "role", "staff_id": "x"},
        {"act": "email", "staff_id": "x", "email": "nobody"},
        {"act": "disable", "staff_id": "x"},
    ],
)
async def test_a_request_has_the_fields_of_its_act(api: Api, body: dict[str, Any]) -> None:
    assert (await api.post(REQUESTS, body, as_=ADMIN)).status == 422
