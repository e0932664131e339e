"""A new PIN by a code: the same answers for every card, few tries, and no trace of the code."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from services.accounts.pins.rules import MOST_CODES, MOST_TRIES, budget_of_resets, code_of
from services.accounts.settings import Settings
from services.accounts.sign_in import store as sign_in_store
from services.accounts.sign_in.rules import MOST_ATTEMPTS
from shared.clock import wall_clock
from shared.http.client_address import HEADER, client_header
from shared.ids import card_digest
from tests.accounts.people import STAFF, events, logged_in, pass_time, registered
from tests.support import OPS, Answer, Api, token

NOTICES = token("notices", ["service"])
RESETS = "/v1/pin-resets"
OLD_PIN, NEW_PIN = "27-18-28", "31-41-59"


async def ask(api: Api, card: str = "HK0001A") -> Answer:
    return await api.post(RESETS, {"card_number": card})


async def send(api: Api) -> int:
    """Run the job that looks for the holders of the cards."""
    return await api.job("accounts/pin-resets")


async def sent(api: Api, card: str = "HK0001A") -> tuple[str, str]:
    """Ask for a code and let it be sent; return the id of the request and the code."""
    answer = await ask(api, card)
    assert answer.status == 202, answer.body
    await send(api)
    return answer.json()["id"], code(api, answer.json()["id"])


def code(api: Api, reset_id: str) -> str:
    settings: Settings = api.app.state.settings
    found = code_of(reset_id, settings.reset_keys)
    assert found is not None
    return found


def other(right: str) -> str:
    return f"{(int(right) + 1) % 10**8:08}"


async def enter(api: Api, reset_id: str, typed: str, pin: str = NEW_PIN) -> Answer:
    return await api.put(f"{RESETS}/{reset_id}", {"reset_code": typed, "new_pin": pin})


def is_wrong(answer: Answer) -> bool:
    return (answer.status, answer.json()["code"]) == (409, "wrong-reset-code")


async def log_in(api: Api, pin: str) -> int:
    answer = await api.post("/v1/sessions", {"card_number": "HK0001A", "pin": pin})
    return answer.status


async def email(api: Api, patron_id: str, reset_id: str) -> dict[str, Any]:
    """Return the answer that notices get when they send the code."""
    path = f"/v1/email-addresses/{patron_id}?pin_reset={reset_id}"
    found: dict[str, Any] = (await api.get(path, as_=NOTICES)).json()
    return found


async def test_the_code_chooses_a_new_pin_once(api: Api) -> None:
    mei = await registered(api)
    await logged_in(api, pin=OLD_PIN)
    reset_id, right = await sent(api)
    assert (len(right), right.isdecimal()) == (8, True)
    found = await email(api, mei["id"], reset_id)
    assert (found["address"], found["code"]) == ("mei@example.org", right)
    assert (await enter(api, reset_id, f" {right[:4]} {right[4:]} ")).status == 204
    assert await log_in(api, OLD_PIN) == 401
    assert [topic for topic, _ in await events(api)][-2:] == ["session.ended", "pin.reset"]
    await logged_in(api, pin=NEW_PIN)
    # The repeated request gets the same answer; nobody else can use the code.
    assert (await enter(api, reset_id, right)).status == 204
    assert is_wrong(await enter(api, reset_id, right, "another-pin"))
    await logged_in(api, pin=NEW_PIN)
    assert (await email(api, mei["id"], reset_id))["address"] is None
    told = [(topic, event) for topic, event in await events(api) if topic.startswith("pin.")]
    about = {"patron_id": mei["id"], "reset_id": reset_id}
    alert_id = told[-1][1]["alert_id"]
    assert alert_id
    assert told == [
        ("pin.reset-requested", {**about, "version": 1}),
        ("pin.reset", {**about, "alert_id": alert_id, "version": 2}),
    ]


async def test_a_repeated_code_returns_the_ends_of_sessions_that_the_first_one_made(
    api: Api,
) -> None:
    """The first answer may be lost, and its events reach no gateway while Kafka is away."""
    await registered(api)
    await logged_in(api, pin=OLD_PIN)
    reset_id, typed = await sent(api)
    body, wanted = {"reset_code": typed, "new_pin": NEW_PIN}, {"Carrel-Changes": "1"}
    first, again = [
        (await api.put(f"{RESETS}/{reset_id}", body, headers=wanted)).json()["changes"]
        for _ in range(2)
    ]
    assert "session.ended" in [change["topic"] for change in first]
    assert [change["data"] for change in again] == [change["data"] for change in first]


async def test_a_reset_ends_the_lockout(api: Api) -> None:
    await registered(api)
    for _ in range(MOST_ATTEMPTS):
        assert await log_in(api, "wrong-pin") == 401
    assert await log_in(api, OLD_PIN) == 429
    reset_id, right = await sent(api)
    assert (await enter(api, reset_id, right)).status == 204
    await logged_in(api, pin=NEW_PIN)


async def test_every_card_gets_the_same_answer_by_the_same_writes(api: Api) -> None:
    await registered(api)
    await registered(api, card_number="HK0002B", contact={})
    database = api.app.state.database
    for card in ("HK0001A", "HK0002B", "HK-NOBODY"):
        answer = await ask(api, card)
        assert (answer.status, set(answer.json()), answer.json()["expires_in"]) == (
            202,
            {"id", "expires_in"},
            900,
        )
    stored = [one async for one in database.pin_resets.find({})]
    assert [(one["state"], one["patron_id"]) for one in stored] == [("requested", None)] * 3
    assert await send(api) == 1
    assert await send(api) == 0
    states = [one["state"] async for one in database.pin_resets.find({}).sort("_id", 1)]
    assert states == ["sent", "void", "void"]
    # Before and after the job, the code of a request without a code is only wrong.
    for one in stored[1:]:
        assert is_wrong(await enter(api, one["_id"], code(api, one["_id"])))
    assert is_wrong(await enter(api, "no-such-request", "12345678"))


async def test_a_code_is_dead_after_five_tries_at_all_replicas_together(
    api: Api, other_replica: Api
) -> None:
    await registered(api)
    reset_id, right = await sent(api)
    wrong = other(right)
    answers = await asyncio.gather(
        *(enter(one, reset_id, wrong) for one in (api, other_replica) for _ in range(10))
    )
    assert all(is_wrong(answer) for answer in answers)
    stored = await api.app.state.database.pin_resets.find_one({"_id": reset_id})
    assert stored["tries"] == MOST_TRIES
    assert is_wrong(await enter(api, reset_id, right))
    await logged_in(api)


async def test_an_old_code_is_neither_sent_nor_accepted(api: Api) -> None:
    mei = await registered(api)
    reset_id, right = await sent(api)
    before = wall_clock() - timedelta(seconds=1)
    await api.app.state.database.pin_resets.update_one(
        {"_id": reset_id}, {"$set": {"expires_at": before}}
    )
    assert (await email(api, mei["id"], reset_id))["address"] is None
    answer = await enter(api, reset_id, right)
    assert is_wrong(answer)


async def test_codes_for_one_card_are_limited_without_locking_the_card(api: Api) -> None:
    await registered(api)
    for card in ("HK0001A", "HK-NOBODY"):
        answers = [await ask(api, card) for _ in range(MOST_ATTEMPTS + 1)]
        assert [answer.status for answer in answers] == [202] * MOST_ATTEMPTS + [429]
        assert answers[-1].json()["code"] == "too-many-resets"
    await logged_in(api)


async def test_codes_for_one_card_are_limited_for_a_day_until_it_has_a_new_pin(
    api: Api,
) -> None:
    mei = await registered(api)
    key = api.app.state.settings.card_key
    for card in ("HK0001A", "HK-NOBODY"):
        budget = budget_of_resets(card_digest(card, key))
        for _ in range(MOST_CODES - 1):
            assert (await sign_in_store.spend(api.app.state.database, budget)).spent
        assert [(await ask(api, card)).status for _ in range(2)] == [202, 429]
    await api.insist("PATCH", f"/v1/patrons/{mei['id']}", {"pin": "27-18-28"}, as_=STAFF)
    assert [(await ask(api, card)).status for card in ("HK0001A", "HK-NOBODY")] == [202, 429]


async def at(api: Api, method: str, path: str, body: dict[str, str], address: str) -> str:
    """Send a request from an address; return the code of the refusal, or "" without one."""
    secret = api.app.state.settings.service_secret
    headers = {HEADER: client_header(address, secret, whole=True)}
    answer = await api.call(method, path, body, headers=headers)
    return str(answer.json()["code"]) if answer.status >= 400 else ""


@pytest.mark.parametrize("limit", ["wrong_pins_per_network", "wrong_pins_of_strangers"])
async def test_codes_that_are_asked_for_have_a_budget_of_the_network_and_altogether(
    api: Api, other_replica: Api, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(api)
    few = api.app.state.settings.model_copy(update={limit: 3})
    for replica in (api, other_replica):
        monkeypatch.setattr(replica.app.state, "settings", few)
    one, another = "203.0.113.1", "203.0.113.2"
    asked = [
        await at(replica, "POST", RESETS, {"card_number": f"HK-{n}-{place}"}, one)
        for n in range(2)
        for place, replica in enumerate((api, other_replica))
    ]
    assert asked == ["", "", "", "too-many-resets"]
    elsewhere = "" if limit == "wrong_pins_per_network" else "too-many-resets"
    assert await at(api, "POST", RESETS, {"card_number": "HK0001A"}, another) == elsewhere
    await logged_in(api)  # with the budget of wrong PINs, which is another
    await pass_time(api, timedelta(minutes=66))
    assert await at(api, "POST", RESETS, {"card_number": "HK0001A"}, one) == ""


@pytest.mark.parametrize("limit", ["wrong_pins_per_network", "wrong_pins_of_strangers"])
async def test_wrong_codes_have_a_budget_of_the_network_and_altogether(
    api: Api, other_replica: Api, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(api)
    reset_id, right = await sent(api)
    few = api.app.state.settings.model_copy(update={limit: 3})
    for replica in (api, other_replica):
        monkeypatch.setattr(replica.app.state, "settings", few)
    one, another = "203.0.113.1", "203.0.113.2"
    wrong = {"reset_code": other(right), "new_pin": NEW_PIN}
    tried = await asyncio.gather(
        *(
            at(replica, "PUT", f"{RESETS}/no-such-{n}", wrong, one)
            for n in range(5)
            for replica in (api, other_replica)
        )
    )
    assert sorted(tried) == ["too-many-codes"] * 7 + ["wrong-reset-code"] * 3
    path, typed = f"{RESETS}/{reset_id}", {**wrong, "reset_code": right}
    assert await at(api, "PUT", path, typed, one) == "too-many-codes"
    elsewhere = "" if limit == "wrong_pins_per_network" else "too-many-codes"
    assert await at(api, "PUT", path, typed, another) == elsewhere
    await pass_time(api, timedelta(minutes=66))
    assert await at(api, "PUT", path, typed, one) == ""


async def test_a_pin_changed_otherwise_and_a_used_code_end_other_codes(api: Api) -> None:
    mei = await registered(api)
    first, first_code = await sent(api)
    second, second_code = await sent(api)
    assert (await enter(api, second, second_code)).status == 204
    assert is_wrong(await enter(api, first, first_code))
    third, third_code = await sent(api)
    await api.patch(f"/v1/patrons/{mei['id']}", {"pin": "27-18-28"}, as_=STAFF)
    assert is_wrong(await enter(api, third, third_code))
    fourth, fourth_code = await sent(api)
    body = {"pin": "27-18-28", "new_pin": "86-42-09"}
    assert (await api.put("/v1/me/pin", body, as_=token(mei["id"]))).status == 204
    assert is_wrong(await enter(api, fourth, fourth_code))
    fifth, fifth_code = await sent(api)
    await api.patch(f"/v1/patrons/{mei['id']}", {"card_number": "HK0009"}, as_=STAFF)
    assert is_wrong(await enter(api, fifth, fifth_code))


async def test_a_code_entered_twice_at_once_changes_the_pin_once(
    api: Api, other_replica: Api
) -> None:
    await registered(api)
    reset_id, right = await sent(api)
    answers = await asyncio.gather(
        *(enter(one, reset_id, right, f"pin-{n}-{n}") for n, one in enumerate((api, other_replica)))
    )
    assert sorted(answer.status for answer in answers) == [204, 409]
    told = [topic for topic, _ in await events(api) if topic == "pin.reset"]
    assert told == ["pin.reset"]


@pytest.mark.usefixtures("lending")
async def test_the_code_and_the_pin_are_on_no_topic_in_no_log_and_not_stored(
    api: Api, capfd: pytest.CaptureFixture[str]
) -> None:
    mei = await registered(api)
    reset_id, right = await sent(api)
    await enter(api, reset_id, other(right))
    await enter(api, reset_id, right)
    database = api.app.state.database
    documents = [
        (name, str(one))
        for name in await database.list_collection_names()
        async for one in database[name].find()
    ]
    logs = "".join(capfd.readouterr())
    for secret in (right, NEW_PIN):
        assert [name for name, text in documents if secret in text] == []
        assert secret not in logs
    rows = orjson.dumps(await events(api)).decode()
    assert "HK0001A" not in rows
    assert (await api.delete(f"/v1/patrons/{mei['id']}", as_=STAFF)).status == 200
    assert await database.pin_resets.count_documents({}) == 0
    assert await database.attempts.count_documents({}) == 0


async def test_only_the_owner_of_a_request_and_only_notices_get_its_code(api: Api) -> None:
    mei = await registered(api)
    may = await registered(api, card_number="HK0002B")
    reset_id, _ = await sent(api)
    found = await email(api, may["id"], reset_id)
    assert (found["address"], found["code"]) == (None, None)
    path = f"/v1/email-addresses/{mei['id']}?pin_reset={reset_id}"
    for as_ in (STAFF, OPS, token(mei["id"]), token("circulation", ["service"])):
        assert (await api.get(path, as_=as_)).status == 403
