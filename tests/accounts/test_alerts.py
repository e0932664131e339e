"""Holders are told of changes at the address from before, and new addresses wait for a code."""

import asyncio
from typing import Any

import pytest

from services.accounts.pins.rules import code_of
from services.accounts.preferences.rules import MOST_NEW, MOST_TRIES, code_for
from services.accounts.sign_in.rules import MOST_NEW_DEVICES
from tests.accounts.people import MEI, STAFF, events, registered
from tests.accounts.test_email import CHANNELS, NOTICES
from tests.support import Answer, Api, token

A, B, PHONE = "mei@example.org", "ling@example.org", "2921 0388"
CARD = {"card_number": "HK0001A", "pin": str(MEI["pin"])}
PIN = "31-41-59"


async def alerts(api: Api) -> list[tuple[str, dict[str, Any]]]:
    """Return the last word of the topic of each alert, with what it says."""
    return [
        (topic.partition(".")[2], event)
        for topic, event in await events(api)
        if topic.startswith("alert.")
    ]


async def told_at(api: Api, event: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the address for an alert, and the code of its message."""
    path = f"/v1/email-addresses/{event['patron_id']}?alert={event['alert_id']}"
    answer = await api.get(path, as_=NOTICES)
    assert answer.status == 200, answer.body
    found = answer.json()
    return found["address"], found["code"]


async def told(api: Api) -> list[tuple[str, str, str | None]]:
    """Return each alert with who made the change, and the address that is told."""
    return [
        (kind, event["by"], (await told_at(api, event))[0]) for kind, event in await alerts(api)
    ]


async def put_contact(api: Api, patron: str, email: str | None, **more: Any) -> Answer:
    body = {"email": email, "phone": PHONE, "pin": MEI["pin"]}
    return await api.put("/v1/me/contact", body | more, as_=token(patron))


async def patch(api: Api, patron: str, **body: Any) -> Answer:
    answer = await api.patch(f"/v1/patrons/{patron}", body, as_=STAFF)
    assert answer.status == 200, answer.body
    return answer


async def confirm(api: Api, patron: str, code: str | None) -> Answer:
    path = "/v1/me/contact/confirmation"
    return await api.put(path, {"address_code": code}, as_=token(patron))


async def test_a_new_address_waits_for_its_code_and_the_former_one_is_told(api: Api) -> None:
    mei = (await registered(api))["id"]
    await api.patch(CHANNELS, {"channels": ["email"]}, as_=token(mei))
    waits = await put_contact(api, mei, B)
    assert waits.json() == {"email": A, "phone": PHONE, "new_email": B, "postal_address": None}
    assert await told(api) == [
        ("address-to-confirm", "patron", B),
        ("contact-changed", "patron", A),
    ]
    [(_, asked), (_, change)] = await alerts(api)
    assert (change["asked"], change["changed"]) == (True, False)
    usual = f"/v1/email-addresses/{mei}"
    assert (await api.get(usual, as_=NOTICES)).json()["address"] == A

    code = (await told_at(api, asked))[1]
    assert code == code_for(asked["alert_id"], api.app.state.settings.reset_keys)
    for _ in range(2):  # the answer may be lost
        done = await confirm(api, mei, code)
        assert (done.status, done.json()["email"], done.json()["new_email"]) == (200, B, None)
    assert (await told(api))[2:] == [("contact-changed", "patron", A)]
    assert (await alerts(api))[2][1]["changed"] is True
    assert (await api.get(usual, as_=NOTICES)).json()["address"] == B
    assert (await told_at(api, asked)) == (None, None)
    stored = str(await events(api))
    assert [one for one in (A, B, str(code)) if one in stored] == []


async def test_a_repeat_sends_no_second_code_and_the_former_address_ends_the_wait(
    api: Api,
) -> None:
    mei = (await registered(api))["id"]
    for _ in range(3):
        assert (await put_contact(api, mei, B)).status == 200
    assert len(await alerts(api)) == 2
    [(_, asked), _] = await alerts(api)
    ended = await put_contact(api, mei, A.upper())
    assert (ended.json()["email"], ended.json()["new_email"]) == (A, None)
    assert len(await alerts(api)) == 2
    assert await told_at(api, asked) == (None, None)
    code = code_for(asked["alert_id"], api.app.state.settings.reset_keys)
    refused = await confirm(api, mei, code)
    assert (refused.status, refused.json()["code"]) == (409, "wrong-address-code")


async def test_wrong_codes_end_a_wait_also_at_two_replicas(api: Api, other_replica: Api) -> None:
    other_replica.app.state.verifier = api.app.state.verifier
    mei = (await registered(api))["id"]
    await put_contact(api, mei, B)
    [(_, asked), _] = await alerts(api)
    answers = await asyncio.gather(
        *(confirm(one, mei, "1234") for one in (api, other_replica) for _ in range(MOST_TRIES))
    )
    assert {answer.status for answer in answers} == {409}
    right = code_for(asked["alert_id"], api.app.state.settings.reset_keys)
    assert (await confirm(api, mei, right)).status == 409
    assert (await api.get("/v1/me/contact", as_=token(mei))).json()["email"] == A
    again = await put_contact(api, mei, B)
    assert again.json()["new_email"] == B
    assert len(await alerts(api)) == 4


async def test_a_patron_has_codes_sent_to_few_addresses_a_day(api: Api) -> None:
    mei = (await registered(api))["id"]
    answers = [await put_contact(api, mei, f"a{n}@example.org") for n in range(MOST_NEW + 1)]
    assert [answer.status for answer in answers] == [200] * MOST_NEW + [429]
    assert answers[-1].json()["code"] == "too-many-addresses"


async def test_a_patron_without_an_address_confirms_the_first_one(api: Api) -> None:
    mei = (await registered(api, contact={}))["id"]
    await put_contact(api, mei, B, phone=None)
    assert await told(api) == [("address-to-confirm", "patron", B)]
    refused = await api.patch(CHANNELS, {"channels": ["email"]}, as_=token(mei))
    assert refused.json()["code"] == "no-address"
    await api.post("/v1/pin-resets", {"card_number": "HK0001A"})
    assert await api.job("accounts/pin-resets") == 0, "a code for a new PIN goes nowhere"


CHANGES: list[tuple[str, dict[str, Any], list[tuple[str, str, str | None]]]] = [
    ("PIN", {"pin": PIN}, [("pin-changed", "staff", A)]),
    ("card", {"card_number": "HK0009"}, [("card-replaced", "staff", A)]),
    ("telephone", {"contact": {"phone": "2921 0000"}}, [("contact-changed", "staff", A)]),
    ("no address", {"contact": {"email": None}}, [("contact-changed", "staff", A)]),
    (
        "address",
        {"contact": {"email": B}},
        [("address-to-confirm", "staff", B), ("contact-changed", "staff", A)],
    ),
    (
        "all",
        {"contact": {"email": B}, "pin": PIN, "card_number": "HK0009"},
        [
            ("address-to-confirm", "staff", B),
            ("contact-changed", "staff", A),
            ("pin-changed", "staff", A),
            ("card-replaced", "staff", A),
        ],
    ),
    ("nothing", {"contact": {"email": A}, "name": "Chan", "card_number": "HK0001A"}, []),
]


@pytest.mark.parametrize(
    ("body", "expected"), [one[1:] for one in CHANGES], ids=[one[0] for one in CHANGES]
)
async def test_a_change_by_staff_is_told_at_the_address_from_before(
    api: Api, body: dict[str, Any], expected: list[tuple[str, str, str | None]]
) -> None:
    mei = (await registered(api))["id"]
    await patch(api, mei, **body)
    assert await told(api) == expected
    # Until the new address is confirmed, codes for a new PIN go to the former one.
    holder = await api.app.state.database.cardholders.find_one({"_id": mei})
    removed = body.get("contact", {}).get("email", A) is None
    assert holder["email"] == (None if removed else A)
    # A later change by staff does not move an alert that is still to be sent.
    await patch(api, mei, contact={"email": None})
    assert (await told(api))[: len(expected)][-1:] == expected[-1:]


async def test_an_address_that_staff_enter_where_there_was_none_is_used_and_told(api: Api) -> None:
    mei = (await registered(api, contact={}))["id"]
    answer = await patch(api, mei, contact={"email": B})
    assert (answer.json()["contact"]["email"], answer.json()["contact"]["new_email"]) == (B, None)
    assert await told(api) == [("contact-changed", "staff", B)]


async def test_a_new_pin_of_a_patron_is_told_and_one_of_staff_is_not(api: Api) -> None:
    mei = (await registered(api))["id"]
    body = {"pin": MEI["pin"], "new_pin": PIN}
    assert (await api.put("/v1/me/pin", body, as_=token(mei))).status == 204
    assert await told(api) == [("pin-changed", "patron", A)]


async def test_a_new_pin_by_a_code_is_told_at_the_address_on_file(api: Api) -> None:
    await registered(api)
    reset = (await api.post("/v1/pin-resets", {"card_number": "HK0001A"})).json()["id"]
    await api.job("accounts/pin-resets")
    code = code_of(reset, api.app.state.settings.reset_keys)
    body = {"reset_code": code, "new_pin": PIN}
    assert (await api.put(f"/v1/pin-resets/{reset}", body)).status == 204
    [chosen] = [event for topic, event in await events(api) if topic == "pin.reset"]
    assert await told_at(api, chosen) == (A, None)


async def test_a_log_in_on_a_new_device_is_told_and_one_on_a_known_device_is_not(
    api: Api,
) -> None:
    mei = (await registered(api))["id"]

    async def log_in(device_token: str | None = None, pin: str = CARD["pin"]) -> str:
        body = CARD | {"pin": pin} | ({"device_token": device_token} if device_token else {})
        answer = await api.post("/v1/sessions", body)
        assert answer.status == 200, answer.body
        return str(answer.json()["device_token"])

    phone = await log_in()
    assert await alerts(api) == [], "the first log-in"
    phone = await log_in(phone)
    assert await alerts(api) == []
    laptop = await log_in()
    assert await told(api) == [("new-device", "patron", A)]
    laptop = await log_in(laptop)
    await api.put("/v1/me/pin", {"pin": CARD["pin"], "new_pin": PIN}, as_=token(mei))
    for device in (phone, laptop):  # both were used before the PIN was replaced
        await log_in(device, PIN)
    assert [kind for kind, _, _ in await told(api)] == ["new-device", "pin-changed"]
    # The token of a device proves an earlier log-in, also if the account has not remembered it.
    forgotten = {"$set": {"devices": ["another"]}}
    await api.app.state.database.cardholders.update_one({"_id": mei}, forgotten)
    await log_in(await log_in(laptop, PIN), PIN)
    assert len(await told(api)) == 3, "one without a proof, and one with it"
    await log_in("1.invented.token", PIN)
    assert [kind for kind, _, _ in await told(api)][3:] == ["new-device"]
    other = (await registered(api, card_number="HK0002"))["id"]
    assert other not in str(await alerts(api))


async def test_a_program_that_keeps_no_device_token_is_told_of_a_few_times_a_day(api: Api) -> None:
    await registered(api)
    for _ in range(MOST_NEW_DEVICES + 3):
        assert (await api.post("/v1/sessions", CARD)).status == 200
    assert len(await alerts(api)) == MOST_NEW_DEVICES


@pytest.mark.usefixtures("lending")
async def test_the_addresses_of_alerts_are_erased_with_the_patron(api: Api) -> None:
    mei = (await registered(api))["id"]
    await put_contact(api, mei, B)
    await patch(api, mei, pin=PIN)
    [*_, (_, last)] = await alerts(api)
    erased = await api.delete(f"/v1/patrons/{mei}", as_=STAFF)
    assert erased.status == 200, erased.body
    database = api.app.state.database
    for name in await database.list_collection_names():
        text = str([one async for one in database[name].find()])
        assert [one for one in (A, B) if one in text] == [], name
    path = f"/v1/email-addresses/{mei}?alert={last['alert_id']}"
    assert (await api.get(path, as_=NOTICES)).status == 404


async def test_an_alert_is_answered_for_its_own_patron_only(api: Api) -> None:
    mei = (await registered(api))["id"]
    other = (await registered(api, card_number="HK0002", contact={"email": B}))["id"]
    await patch(api, mei, pin=PIN)
    [(_, event)] = await alerts(api)
    assert (await told_at(api, event | {"patron_id": other}))[0] is None
    for as_ in (STAFF, token(mei), token("circulation", ["service"])):
        path = f"/v1/email-addresses/{mei}?alert={event['alert_id']}"
        assert (await api.get(path, as_=as_)).status == 403
