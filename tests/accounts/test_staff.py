"""Accounts of staff and machines: two rights, and what each change does to sessions."""

import asyncio
from typing import Any

import pytest

from services.accounts.staff.rules import MANAGED
from shared.rights import RIGHTS, RIGHTS_OF_ROLES, rights_of
from tests.accounts.people import ADMIN, events, hired, registered
from tests.support import OPS, Api, token

PIN = "27-18-28"


async def log_in(api: Api, card: str = "S-1", pin: str = PIN) -> tuple[int, Any]:
    answer = await api.post("/v1/sessions", {"card_number": card, "pin": pin})
    return answer.status, answer.json()


async def ended(api: Api, account_id: str) -> int:
    """Return the number of sessions of an account whose end was published."""
    told = [body for topic, body in await events(api) if topic == "session.ended"]
    return sum(body["account_id"] == account_id for body in told)


def test_each_right_belongs_to_a_role_and_no_role_but_ops_covers_administrators() -> None:
    assert rights_of(RIGHTS_OF_ROLES) == RIGHTS
    assert not rights_of(["staff"]) & set(MANAGED)
    covering = {role for role, has in RIGHTS_OF_ROLES.items() if "manage-administrators" in has}
    assert covering == {"ops"}
    assert rights_of(["king"]) == frozenset()


# ---- rights -------------------------------------------------------------------------------------


async def test_an_administrator_lists_staff_and_an_operator_everyone_else_too(api: Api) -> None:
    roles = ("staff", "station", "tracer", "admin", "ops")
    ids = {role: await hired(api, role, f"S-{role}") for role in roles}
    await registered(api)
    seen = (await api.get("/v1/staff", as_=ADMIN)).json()
    assert [one["role"] for one in seen["items"]] == ["staff", "station", "tracer"]
    assert seen["items"][0] == {
        "id": ids["staff"],
        "card_number": "S-STAFF",
        "name": "A. staff",
        "role": "staff",
        "disabled_at": None,
        "second_factor": False,
        "email": "lee@example.org",
        "has_pin": True,
        "provider_login": None,
        "provider_used": False,
    }
    first = (await api.get("/v1/staff?limit=3", as_=OPS)).json()
    rest = (await api.get(f"/v1/staff?after={first['next']}", as_=OPS)).json()
    assert [one["role"] for one in first["items"] + rest["items"]] == list(roles)
    assert rest["next"] is None
    assert (await api.get(f"/v1/staff/{ids['tracer']}", as_=ADMIN)).json()["role"] == "tracer"


@pytest.mark.parametrize("role", ["admin", "ops"])
async def test_an_administrator_neither_sees_nor_changes_administrators_and_operators(
    api: Api, role: str
) -> None:
    account = await hired(api, role)
    path = f"/v1/staff/{account}"
    for method, at, body in (
        ("GET", path, None),
        ("POST", f"{path}/disable", None),
        ("POST", f"{path}/enable", None),
        ("DELETE", f"{path}/second-factor", None),
        ("PUT", f"{path}/role", {"role": "staff"}),
        ("PUT", f"{path}/pin", None),
        ("POST", "/v1/staff-removals", {"card_number": "S-1"}),
    ):
        answer = await api.call(method, at, body, as_=ADMIN)
        assert (answer.status, answer.json()["code"]) == (404, "no-such-account"), at
    assert (await log_in(api))[1]["roles"] == [role]


@pytest.mark.parametrize("role", ["admin", "ops"])
async def test_an_administrator_cannot_give_the_role_of_administrators_or_operators(
    api: Api, role: str
) -> None:
    body = {"card_number": "S-2", "name": "A", "role": role, "email": "lee@example.org"}
    answer = await api.post("/v1/staff", body, as_=ADMIN)
    assert (answer.status, answer.json()["code"]) == (403, "role-not-allowed")
    account = await hired(api)
    answer = await api.put(f"/v1/staff/{account}/role", {"role": role}, as_=ADMIN)
    assert (answer.status, answer.json()["code"]) == (403, "role-not-allowed")
    assert (await log_in(api))[1]["roles"] == ["staff"]


async def test_nobody_changes_their_own_account(api: Api) -> None:
    account = await hired(api, "ops")
    own = token(account, ["ops"])
    path = f"/v1/staff/{account}"
    for method, at, body in (
        ("POST", f"{path}/disable", None),
        ("PUT", f"{path}/role", {"role": "admin"}),
        ("PUT", f"{path}/pin", None),
        ("POST", "/v1/staff-removals", {"card_number": "S-1"}),
    ):
        answer = await api.call(method, at, body, as_=own)
        assert (answer.status, answer.json()["code"]) == (409, "own-account"), at
    assert (await log_in(api))[0] == 200


async def test_accounts_of_patrons_cannot_be_managed_as_staff(api: Api) -> None:
    patron = (await registered(api))["id"]
    for method, end, body in (
        ("GET", "", None),
        ("POST", "/disable", None),
        ("PUT", "/role", {"role": "staff"}),
        ("PUT", "/pin", None),
    ):
        answer = await api.call(method, f"/v1/staff/{patron}{end}", body, as_=OPS)
        assert (answer.status, answer.json()["code"]) == (404, "no-such-account"), end
    account = await hired(api)
    assert (await api.put(f"/v1/staff/{account}/role", {"role": "patron"}, as_=OPS)).status == 422


# ---- the lifecycle ------------------------------------------------------------------------------


async def test_disabling_ends_all_sessions_and_lets_nobody_log_in_until_enabled(api: Api) -> None:
    account = await hired(api)
    sessions = [(await log_in(api))[1] for _ in range(2)]
    answer = await api.post(f"/v1/staff/{account}/disable", as_=ADMIN)
    assert answer.status == 200
    assert answer.json()["disabled_at"] is not None
    assert await ended(api, account) == 2
    renewal = {"renewal_token": sessions[0]["renewal_token"]}
    assert (await api.post("/v1/sessions/renewal", renewal)).status == 401
    status, refused = await log_in(api)
    assert (status, refused["code"]) == (403, "account-disabled")
    # Only somebody with the PIN learns that the account is disabled.
    assert (await log_in(api, pin="guess-1"))[0] == 401
    assert await api.app.state.database.sessions.count_documents({}) == 0

    seen = (await api.get(f"/v1/staff/{account}", as_=ADMIN)).json()
    again = await api.post(f"/v1/staff/{account}/disable", as_=ADMIN)
    assert again.json() == seen
    enabled = await api.post(f"/v1/staff/{account}/enable", as_=ADMIN)
    assert enabled.json()["disabled_at"] is None
    assert (await log_in(api))[0] == 200


async def test_another_role_ends_the_sessions_whose_tokens_have_the_former_one(api: Api) -> None:
    account = await hired(api)
    await log_in(api)
    answer = await api.put(f"/v1/staff/{account}/role", {"role": "station"}, as_=ADMIN)
    assert (answer.status, answer.json()["role"]) == (200, "station")
    assert await ended(api, account) == 1
    assert (await log_in(api))[1]["roles"] == ["station"]
    await api.put(f"/v1/staff/{account}/role", {"role": "station"}, as_=ADMIN)
    assert await ended(api, account) == 1  # the same role changes nothing


async def test_another_pin_ends_all_sessions_and_unlocks_the_card(api: Api) -> None:
    account = await hired(api)
    await log_in(api)
    for _ in range(5):
        await log_in(api, pin="guess-1")
    assert (await log_in(api))[0] == 429
    answer = await api.put(f"/v1/staff/{account}/pin", as_=ADMIN)
    assert answer.status == 200
    assert await ended(api, account) == 1
    assert (await log_in(api))[0] == 401


async def test_a_stored_response_has_neither_a_pin_nor_its_hash(api: Api) -> None:
    account = await hired(api)
    answer = await api.put(f"/v1/staff/{account}/role", {"role": "station"}, as_=ADMIN)
    assert answer.status == 200
    await api.post(f"/v1/staff/{account}/disable", as_=ADMIN, key="once")
    stored = await api.app.state.database.answers.find_one({"_id": {"$regex": "once"}})
    holder = await api.app.state.database.cardholders.find_one({"_id": account})
    assert holder["pin_hash"].encode() not in stored["result"]
    assert holder["card_digest"].encode() not in stored["result"]
    assert PIN not in str(stored)


async def test_disabling_an_account_leaves_no_session_of_log_ins_at_the_same_time(api: Api) -> None:
    account = await hired(api)
    disabling = asyncio.create_task(api.post(f"/v1/staff/{account}/disable", as_=ADMIN))
    answers = await asyncio.gather(*(log_in(api) for _ in range(4)))
    opened = sum(status == 200 for status, _ in answers)
    assert (await disabling).status == 200
    assert await ended(api, account) == opened
    assert await api.app.state.database.sessions.count_documents({}) == 0
