"""The second factor of accounts of staff: codes from an app, each once, and recovery codes."""

import asyncio
import itertools
from datetime import datetime, timedelta
from typing import Any

import pyotp
import pytest
import structlog
from structlog.testing import LogCapture

from services.accounts.app import create_app
from services.accounts.settings import Settings
from services.accounts.sign_in.commands import second_factors
from shared.clock import wall_clock
from shared.http import middleware, problems
from shared.http.client_address import HEADER, client_header
from tests.accounts.conftest import Clock
from tests.accounts.people import ADMIN, events, hired, pass_time, registered
from tests.support import OPS, Api, served

PIN = "27-18-28"
OLD, NEW = "the first secret of the tests", "the second secret of the tests"
WHO = {"card_number": "S-1", "pin": PIN}


def sealing(settings: Settings, secrets: str) -> Settings:
    return settings.model_copy(update={"signing_secrets": secrets})


async def log_in(
    api: Api, code: str = "", pin: str = PIN, address: str = "203.0.113.1", device: str = ""
) -> tuple[int, Any]:
    body = {**WHO, "pin": pin} | ({"factor_code": code} if code else {})
    body |= {"device_token": device} if device else {}
    headers = {HEADER: client_header(address, api.app.state.settings.service_secret, whole=True)}
    answer = await api.post("/v1/sessions", body, headers=headers)
    return answer.status, answer.json()


async def refusal(api: Api, code: str = "", **more: str) -> str:
    """Log in; return the code of the refusal, or an empty text."""
    return str((await log_in(api, code, **more))[1].get("code", ""))


def code_of(secret: str, steps: int = 0, at: datetime | None = None) -> str:
    """Return the code that an app shows now, or at a time, or some steps of 30 seconds later."""
    return pyotp.TOTP(secret).at(at or wall_clock(), counter_offset=steps)


async def made(api: Api) -> dict[str, Any]:
    answer = await api.post("/v1/second-factors", WHO)
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def confirmed(api: Api) -> tuple[str, list[str]]:
    """Set a second factor up with the code of now; return its secret and recovery codes."""
    factor = await made(api)
    body = {**WHO, "factor_id": factor["factor_id"], "factor_code": code_of(factor["secret"])}
    answer = await api.post("/v1/second-factors/confirmation", body)
    assert answer.status == 200, answer.body
    return factor["secret"], answer.json()["recovery_codes"]


async def test_a_confirmed_factor_is_asked_for_at_each_log_in(api: Api) -> None:
    account = await hired(api)
    factor = await made(api)
    assert pyotp.parse_uri(factor["uri"]).secret == factor["secret"]
    assert (await log_in(api))[0] == 200  # it is not confirmed yet
    secret, _ = await confirmed(api)
    assert secret != factor["secret"]  # set up anew before it was confirmed
    told = [body for topic, body in await events(api) if topic == "session.ended"]
    assert [body["account_id"] for body in told] == [account]

    for code, status, refusal in (
        ("", 401, "code-needed"),
        ("000000", 401, "wrong-code"),
        (code_of(factor["secret"], 1), 401, "wrong-code"),
        (code_of(secret, -9), 401, "wrong-code"),
    ):
        answered, problem = await log_in(api, code)
        assert (answered, problem["code"]) == (status, refusal)
    code = code_of(secret, 1)
    status, session = await log_in(api, f"{code[:3]} {code[3:]}")
    assert (status, session["roles"]) == (200, ["staff"])


async def test_each_code_is_accepted_once_by_all_replicas_together(
    api: Api, other_replica: Api
) -> None:
    await hired(api)
    secret, recovery = await confirmed(api)
    for code in (code_of(secret, 1), recovery[0]):
        replicas = (api, other_replica) * 2
        answers = await asyncio.gather(*(log_in(replica, code) for replica in replicas))
        assert [status for status, _ in answers].count(200) == 1
    # A code of an earlier step than the last one is refused too.
    assert (await log_in(api, code_of(secret)))[0] == 401


async def test_a_recovery_code_replaces_the_app_once(api: Api) -> None:
    await hired(api)
    _, codes = await confirmed(api)
    assert len({*codes}) == 10
    assert (await log_in(api, codes[3].upper().replace("-", " ")))[0] == 200
    assert (await log_in(api, codes[3]))[0] == 401
    assert (await log_in(api, codes[4]))[0] == 200


async def test_wrong_codes_lock_the_card_as_wrong_pins_do(api: Api) -> None:
    await hired(api)
    secret, recovery = await confirmed(api)
    assert [await refusal(api, "000000") for _ in range(5)] == ["wrong-code"] * 5
    for code in ("000000", code_of(secret, 1), recovery[0], ""):
        assert await refusal(api, code) == "locked"
    assert await refusal(api, code_of(secret, 1), address="203.0.113.2") == ""


async def test_a_right_pin_without_a_code_forgets_no_wrong_code(api: Api) -> None:
    await hired(api)
    secret, _ = await confirmed(api)
    for _ in range(2):
        assert await refusal(api, "000000") == "wrong-code"
        assert await refusal(api) == "code-needed"
    there = {
        HEADER: client_header("203.0.113.1", api.app.state.settings.service_secret, whole=True)
    }
    answer = await api.post("/v1/second-factors", WHO, headers=there)
    assert answer.json()["code"] == "factor-exists"
    assert await refusal(api, code_of(secret, 1)) == "locked"


async def test_strangers_with_the_pin_try_twenty_codes_a_day_and_the_owner_goes_on(
    api: Api, other_replica: Api, clock: Clock
) -> None:
    await hired(api)
    secret, _ = await confirmed(api)
    clock.now = wall_clock()
    _, session = await log_in(api, code_of(secret, 1, clock.now))
    clock.now += timedelta(minutes=2)
    both = itertools.cycle((api, other_replica))
    tried = [
        await refusal(next(both), "000000", address=f"198.51.100.{number // 4}")
        for number in range(24)
    ]
    assert tried == ["wrong-code"] * 20 + ["strangers-wait"] * 4
    later = code_of(secret, at=clock.now)
    assert await refusal(api, later, address="192.0.2.1") == "strangers-wait"
    assert await refusal(api, later, device=session["device_token"]) == ""
    await pass_time(api, timedelta(days=1, hours=3))
    assert await refusal(api, "000000", address="192.0.2.1") == "wrong-code"


async def test_the_steps_are_recorded_and_so_are_their_refusals(api: Api) -> None:
    account = await hired(api)
    _, codes = await confirmed(api)
    await api.post("/v1/second-factors", WHO)
    await api.post("/v1/second-factors/removal", {**WHO, "factor_code": codes[0]})
    await api.post("/v1/second-factors", {**WHO, "pin": "guess-1"})
    trail = api.app.state.database.audit_trail.find({"by": account}).sort("_id", 1)
    assert [entry["act"] async for entry in trail] == [
        "POST /v1/second-factors",
        "POST /v1/second-factors/confirmation",
        "POST /v1/second-factors (factor-exists)",
        "POST /v1/second-factors/removal",
        "POST /v1/second-factors (bad-credentials)",
    ]


async def everything_in(api: Api) -> str:
    """Return all documents of the database as a text, with the bodies of events."""
    database = api.app.state.database
    found = []
    for name in await database.list_collection_names():
        found += [str(document) async for document in database[name].find()]
    return "\n".join(found)


async def test_neither_the_database_nor_a_log_has_the_secret_or_a_code(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = LogCapture()
    for module in (middleware, problems, second_factors):
        monkeypatch.setattr(module, "log", structlog.wrap_logger(None, processors=[capture]))
    async with served(create_app, sealing(settings, OLD)) as api:
        await hired(api)
        secret, codes = await confirmed(api)
        used = [code_of(secret, 1), codes[0]]
        assert [await refusal(api, code) for code in used] == ["", ""]
        assert await refusal(api, codes[0]) == "wrong-code"
        stored = await everything_in(api)
    assert {entry["event"] for entry in capture.entries} == {"answered", "refused"}
    logs = str(capture.entries)
    for text in (secret, *codes, *(code.replace("-", "") for code in codes)):
        assert text not in stored
        assert text not in logs
    assert used[0] not in logs


async def test_the_secret_that_seals_is_replaced_without_new_codes(settings: Settings) -> None:
    async with served(create_app, settings) as api:  # there was none at first
        await hired(api)
        secret, _ = await confirmed(api)
        assert secret in await everything_in(api)
    for secrets in (OLD, f"{NEW},{OLD}"):
        async with served(create_app, sealing(settings, secrets)) as api:
            await api.post("/v1/ops/keys/rotate", as_=OPS)
            assert secret not in await everything_in(api)
    async with served(create_app, sealing(settings, NEW)) as api:
        assert await refusal(api, code_of(secret, 1)) == ""


async def test_recovery_codes_work_when_the_secret_that_seals_is_lost(settings: Settings) -> None:
    async with served(create_app, sealing(settings, OLD)) as api:
        await hired(api)
        secret, codes = await confirmed(api)
    async with served(create_app, sealing(settings, NEW)) as api:
        await api.post("/v1/ops/keys/revoke", as_=OPS)
        assert await refusal(api, code_of(secret, 1)) == "wrong-code"
        assert await refusal(api, codes[0]) == ""
        assert (await api.post("/v1/ops/keys/rotate", as_=OPS)).status == 201


async def test_nobody_with_the_pin_alone_replaces_or_removes_a_factor(api: Api) -> None:
    await hired(api)
    secret, _ = await confirmed(api)
    answer = await api.post("/v1/second-factors", WHO)
    assert (answer.status, answer.json()["code"]) == (409, "factor-exists")
    removal = {**WHO, "factor_code": "000000"}
    answer = await api.post("/v1/second-factors/removal", removal)
    assert (answer.status, answer.json()["code"]) == (401, "wrong-code")
    assert (await log_in(api, code_of(secret, 1)))[0] == 200


async def test_a_factor_is_removed_with_a_code_and_sessions_end(api: Api) -> None:
    await hired(api)
    secret, codes = await confirmed(api)
    await log_in(api, code_of(secret, 1))
    removal = {**WHO, "factor_code": codes[0]}
    assert (await api.post("/v1/second-factors/removal", removal)).status == 204
    assert await api.app.state.database.sessions.count_documents({}) == 0
    assert (await log_in(api))[0] == 200
    answer = await api.post("/v1/second-factors/removal", removal)
    assert (answer.status, answer.json()["code"]) == (409, "no-factor")


async def test_an_administrator_removes_the_factor_of_somebody_who_lost_the_app(api: Api) -> None:
    account = await hired(api)
    secret, _ = await confirmed(api)
    await log_in(api, code_of(secret, 1))
    assert (await api.get(f"/v1/staff/{account}", as_=ADMIN)).json()["second_factor"] is True
    answer = await api.delete(f"/v1/staff/{account}/second-factor", as_=ADMIN)
    assert (answer.status, answer.json()["second_factor"]) == (200, False)
    assert await api.app.state.database.sessions.count_documents({}) == 0
    assert (await log_in(api))[0] == 200


async def test_a_role_that_must_have_a_factor_gets_no_session_without(settings: Settings) -> None:
    strict = settings.model_copy(update={"second_factor_roles": ("admin", "ops")})
    async with served(create_app, strict) as api:
        await hired(api, "ops")
        status, problem = await log_in(api)
        assert (status, problem["code"]) == (403, "factor-required")
        assert (await log_in(api, pin="guess-1"))[1]["code"] == "bad-credentials"
        secret, _ = await confirmed(api)
        assert (await log_in(api, code_of(secret, 1)))[0] == 200


@pytest.mark.parametrize("role", ["patron", "station"])
@pytest.mark.parametrize("path", ["", "/confirmation", "/removal"])
async def test_a_wrong_pin_counts_and_only_people_of_the_staff_have_codes(
    api: Api, path: str, role: str
) -> None:
    await (registered(api, card_number="S-1") if role == "patron" else hired(api, role))
    more = {"factor_code": "000000"} if path else {}
    more |= {"factor_id": "x"} if path == "/confirmation" else {}
    answer = await api.post(f"/v1/second-factors{path}", {**WHO, **more})
    assert (answer.status, answer.json()["code"]) == (404, "no-such-account")
    wrong = {**WHO, **more, "pin": "guess-1"}
    answers = [(await api.post(f"/v1/second-factors{path}", wrong)).status for _ in range(6)]
    assert answers == [401, 401, 401, 401, 401, 429]


async def test_a_disabled_account_sets_up_nothing(api: Api) -> None:
    account = await hired(api)
    await api.post(f"/v1/staff/{account}/disable", as_=ADMIN)
    answer = await api.post("/v1/second-factors", WHO)
    assert (answer.status, answer.json()["code"]) == (403, "account-disabled")


def test_roles_with_a_factor_are_a_comma_list_of_roles_of_people() -> None:
    given = {"second_factor_roles": "admin, ops"}
    assert Settings.model_validate(given).second_factor_roles == ("admin", "ops")
    for wrong in ("patron", "king", "station"):
        with pytest.raises(ValueError, match="second_factor_roles"):
            Settings.model_validate({"second_factor_roles": wrong})


@pytest.mark.parametrize("code", ["é", "0" * 32, "12345", "-", "１２３４５６"])
async def test_an_odd_code_is_a_wrong_one(api: Api, code: str) -> None:
    await hired(api)
    await confirmed(api)
    assert await refusal(api, code) == "wrong-code"


async def test_a_code_is_accepted_for_a_step_before_and_after(api: Api, clock: Clock) -> None:
    await hired(api)
    secret, _ = await confirmed(api)
    clock.now += timedelta(minutes=5)
    app = pyotp.TOTP(secret)
    codes = {steps: app.at(clock.now, counter_offset=steps) for steps in (-2, -1, 0, 1, 2)}
    assert len(set(codes.values())) == 5
    assert [await refusal(api, codes[steps]) for steps in (-2, 2)] == ["wrong-code"] * 2
    # In this order each is newer than the one before.
    assert [await refusal(api, codes[steps]) for steps in (-1, 0, 1)] == [""] * 3
    assert await refusal(api, codes[0]) == "wrong-code"
