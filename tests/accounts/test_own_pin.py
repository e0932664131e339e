"""People of the staff change their own PIN; that of patrons is in test_own_data.py."""

import itertools

import pytest

from services.accounts.sign_in.rules import MOST_ATTEMPTS
from tests.accounts.people import SERVICE, STATION, hired, logged_in
from tests.support import OPS, Answer, Api, token

OLD, NEW = "27-18-28", "31-41-59"


async def change(api: Api, as_: str, pin: str = OLD, new_pin: str = NEW) -> Answer:
    return await api.put("/v1/me/pin", {"pin": pin, "new_pin": new_pin}, as_=as_)


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


@pytest.mark.parametrize("role", ["staff", "tracer", "admin", "ops"])
async def test_a_new_pin_counts_and_ends_the_other_sessions(
    api: Api, other_replica: Api, role: str
) -> None:
    account = await hired(api, role)
    here, there = [await logged_in(other_replica, "S-1", OLD) for _ in range(2)]
    answer = await change(other_replica, here)
    assert answer.status == 204, answer.body
    left = [one async for one in api.app.state.database.sessions.find({"account_id": account})]
    assert len(left) == 1
    # The session of the change goes on; that of another device does not.
    ended = await other_replica.delete("/v1/sessions/current", as_=here)
    assert ended.status == 204
    assert await api.app.state.database.sessions.count_documents({}) == 0
    assert there != here
    old = await api.post("/v1/sessions", {"card_number": "S-1", "pin": OLD})
    assert code_of(old) == (401, "bad-credentials")
    assert await logged_in(api, "S-1", NEW)


async def test_the_change_is_recorded_without_the_pin(api: Api) -> None:
    account = await hired(api)
    answer = await change(api, token(account, ["staff"]))
    database = api.app.state.database
    query = {"correlation_id": answer.headers["x-request-id"]}
    [entry] = [one async for one in database.audit_trail.find(query)]
    assert (entry["by"], entry["act"]) == (account, "PUT /v1/me/pin")
    for name in await database.list_collection_names():
        assert NEW not in str([one async for one in database[name].find()])


async def test_the_old_pin_is_asked_for_and_five_wrong_ones_lock_the_change_only(api: Api) -> None:
    as_ = token(await hired(api), ["staff"])
    for _ in range(MOST_ATTEMPTS):
        assert code_of(await change(api, as_, "guess-1")) == (403, "wrong-pin")
    assert code_of(await change(api, as_)) == (429, "locked")
    assert await logged_in(api, "S-1", OLD)


@pytest.mark.parametrize(
    ("pin", "code"), [("password", "common-pin"), ("123456", "sequential-pin")]
)
async def test_an_easy_pin_is_refused(api: Api, pin: str, code: str) -> None:
    as_ = token(await hired(api), ["staff"])
    assert code_of(await change(api, as_, new_pin=pin)) == (409, code)


async def test_a_station_and_a_service_choose_no_pin(api: Api) -> None:
    for as_ in (STATION, SERVICE):
        assert code_of(await change(api, as_)) == (403, "forbidden")


async def test_a_removed_account_has_no_pin(api: Api) -> None:
    as_ = token(await hired(api), ["staff"])
    await api.post("/v1/staff-removals", {"card_number": "S-1"}, as_=OPS)
    assert code_of(await change(api, as_)) == (404, "no-such-account")


async def test_codes_from_an_app_stay_and_are_not_asked_for(api: Api) -> None:
    account = await hired(api)
    await api.app.state.database.cardholders.update_one(
        {"_id": account},
        {
            "$set": {
                "second_factor": {
                    "id": "x",
                    "secret": "JBSWY3DP",
                    "sealed": None,
                    "confirmed": True,
                }
            }
        },
    )
    as_ = token(account, ["staff"])
    pins = [OLD, NEW] * 4
    answers = [await change(api, as_, pin, new) for pin, new in itertools.pairwise(pins)]
    assert [answer.status for answer in answers] == [204] * 7
    asked = await api.post("/v1/sessions", {"card_number": "S-1", "pin": pins[-1]})
    assert code_of(asked) == (401, "code-needed")
