"""Self-registration: an application, a code by e-mail, a provisional card, a full one."""

import asyncio
from typing import Any

import pytest

from services.accounts.patrons.rules import APPLICATION
from services.accounts.pins.rules import derived_code
from tests.accounts.people import SERVICE, STAFF, events, logged_in
from tests.support import Answer, Api, token

GUEST = {
    "name": "Lee Ka-yan",
    "born_on": "1990-05-17",
    "email": "ka-yan@example.org",
    "pin": "27-18-28",
    "home_branch": "KPL",
    "language": "zh-Hans",
}
DAY = "2021-03-01T12:00:00+08:00"
NOTICES = token("notices", ["service"])


@pytest.fixture
async def open_api(api: Api) -> Api:
    """Accounts of a library that lets guests register themselves."""
    for category, terms in (
        ("provisional", {"valid_months": 1, "renewable_online": False}),
        ("adult", {"valid_months": 24}),
    ):
        await api.put(f"/v1/card-terms/{category}", terms, as_=STAFF)
    return api


async def applied(api: Api, **other: Any) -> str:
    answer = await api.post("/v1/card-applications", {**GUEST, **other})
    assert answer.status == 202, answer.body
    return str(answer.json()["id"])


def code_of(api: Api, application_id: str) -> str:
    return str(derived_code(APPLICATION, application_id, api.app.state.settings.reset_keys))


async def confirm(api: Api, application_id: str, code: str = "") -> Answer:
    body = {"application_code": code or code_of(api, application_id)}
    return await api.put(f"/v1/card-applications/{application_id}", body, at=DAY)


async def with_card(api: Api, **other: Any) -> tuple[str, str]:
    """Register a guest; return the id and the card number."""
    application_id = await applied(api, **other)
    answer = await confirm(api, application_id)
    assert answer.status == 200, answer.body
    return application_id, answer.json()["card_number"]


async def test_a_guest_gets_a_provisional_card_by_a_code_and_logs_in(open_api: Api) -> None:
    application_id = await applied(open_api)
    told = await open_api.get(f"/v1/applicant-codes/{application_id}", as_=NOTICES)
    code = code_of(open_api, application_id)
    assert told.json() == {"address": GUEST["email"], "code": code, "language": "zh-Hans"}
    answer = await confirm(open_api, application_id)
    card = answer.json()
    assert card["card_expires_on"] == "2021-04-01"
    assert (await confirm(open_api, application_id)).json() == card, "the same code, the same card"
    assert await logged_in(open_api, card["card_number"])

    found = await open_api.get(f"/v1/patrons/{application_id}", as_=STAFF)
    patron = found.json()
    assert (patron["name"], patron["born_on"]) == (GUEST["name"], GUEST["born_on"])
    assert (patron["category"], patron["home_branch"]) == ("provisional", "KPL")
    published = [(topic, body) for topic, body in await events(open_api) if "patron" in topic]
    assert [topic for topic, _ in published] == ["patron.applied", "patron.registered"]
    assert GUEST["name"] not in str(published)
    assert GUEST["email"] not in str(published)
    stored = await open_api.app.state.database.applications.find_one({"_id": application_id})
    assert not {GUEST["name"], GUEST["email"], GUEST["born_on"]} & {*map(str, stored.values())}
    gone = await open_api.get(f"/v1/applicant-codes/{application_id}", as_=NOTICES)
    assert gone.json()["address"] is None


async def test_wrong_codes_are_refused_and_five_of_them_end_the_right_one(open_api: Api) -> None:
    application_id = await applied(open_api)
    right = code_of(open_api, application_id)
    wrong = f"{(int(right) + 1) % 10**8:08}"
    for _ in range(5):
        refused = await confirm(open_api, application_id, wrong)
        assert (refused.status, refused.json()["code"]) == (409, "wrong-application-code")
    for id_, code in ((application_id, right), ("nobody", right)):
        assert (await confirm(open_api, id_, code)).json()["code"] == "wrong-application-code"


async def test_without_terms_of_provisional_cards_guests_register_at_the_desk(api: Api) -> None:
    refused = await api.post("/v1/card-applications", GUEST)
    assert (refused.status, refused.json()["code"]) == (409, "self-registration-off")
    assert await events(api) == []


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"pin": "123456"}, 409, "sequential-pin"),
        ({"pin": "17051990"}, 409, "date-as-pin"),
        ({"home_branch": "NOWHERE"}, 404, "no-such-branch"),
        ({"born_on": "2999-01-01"}, 422, "malformed"),
        ({"email": "nobody"}, 422, "malformed"),
    ],
)
async def test_an_unfit_application_is_refused(
    open_api: Api, change: dict[str, str], status: int, code: str
) -> None:
    open_api.app.state.owners.get = _no_branch
    open_api.app.state.unit_of_work.owners.get = _no_branch
    refused = await open_api.post("/v1/card-applications", {**GUEST, **change})
    assert (refused.status, refused.json()["code"]) == (status, code)


async def _no_branch(*_: Any, **__: Any) -> None:
    return None


async def test_an_address_gets_five_codes_a_day_and_one_card_at_a_time(open_api: Api) -> None:
    ids = [await applied(open_api, email=email) for email in ("a@x.org", "A@x.org") for _ in "12"]
    answers = await asyncio.gather(*(confirm(open_api, one) for one in ids))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status == 409)
    assert refused.json()["code"] == "one-card-for-address"
    await applied(open_api, email="a@x.org")
    spent = await open_api.post("/v1/card-applications", {**GUEST, "email": "a@x.org"})
    assert (spent.status, spent.json()["code"]) == (429, "too-many-applications")
    registered = [topic for topic, _ in await events(open_api) if topic == "patron.registered"]
    assert len(registered) == 1


async def test_the_desk_turns_a_provisional_card_into_one_of_the_category_by_age(
    open_api: Api,
) -> None:
    adult, card = await with_card(open_api)
    child, _ = await with_card(open_api, born_on="2012-01-01", email="child@example.org")
    path = "/v1/patrons/{}/verification"
    assert (await open_api.post(path.format(adult), {}, as_=token(adult))).status == 403
    answers = [
        await open_api.post(path.format(adult), {}, as_=STAFF, at=DAY),
        await open_api.post(path.format(child), {"card_number": "HK-9"}, as_=STAFF, at=DAY),
    ]
    found = [
        (one.json()["category"], one.json()["card_number"], one.json()["card_expires_on"])
        for one in answers
    ]
    assert found == [("adult", card, "2023-03-01"), ("junior", "HK-9", None)]
    again = await open_api.post(path.format(adult), {}, as_=STAFF)
    assert (again.status, again.json()["code"]) == (409, "not-provisional")
    assert not await open_api.app.state.database.applications.count_documents({})
    await with_card(open_api)  # the address is free for another applicant
    trail = open_api.app.state.database.audit_trail.find({"act": {"$regex": "verification"}})
    assert {adult, child} <= {one for entry in await trail.to_list() for one in entry["objects"]}


async def test_verifications_at_once_are_done_once(open_api: Api) -> None:
    patron_id, _ = await with_card(open_api)
    path = f"/v1/patrons/{patron_id}/verification"
    answers = await asyncio.gather(*(open_api.post(path, {}, as_=STAFF, at=DAY) for _ in range(6)))
    assert sorted(one.status for one in answers) == [200, 409, 409, 409, 409, 409]


async def test_an_erasure_deletes_the_application(open_api: Api, lending: Any) -> None:
    patron_id, _ = await with_card(open_api)
    assert (await open_api.delete(f"/v1/patrons/{patron_id}", as_=STAFF)).status == 200
    assert not await open_api.app.state.database.applications.count_documents({})


async def test_only_notices_gets_codes_of_applicants(open_api: Api) -> None:
    application_id = await applied(open_api)
    for caller in (SERVICE, STAFF, None):
        answer = await open_api.get(f"/v1/applicant-codes/{application_id}", as_=caller)
        assert answer.status in (401, 403)
