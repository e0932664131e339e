"""Passkeys: added with the PIN, used once for each challenge, and refused in one way."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from services.accounts.passkeys import routes
from services.accounts.passkeys.rules import MOST_PASSKEYS, VALID_FOR
from services.accounts.settings import Settings
from tests.accounts.conftest import Clock
from tests.accounts.people import STAFF, STATION, events, hired, logged_in, registered
from tests.authenticator import PRESENT, Authenticator
from tests.circulation.desk import Desk
from tests.support import Answer, Api, token

PIN = "27-18-28"
BROWSER = "the browser of these tests"
BAD = (401, "bad-passkey")
MINE = "/v1/me/passkeys"


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(routes, "wall_clock", clock)
    return clock


@dataclass
class Owner:
    """Somebody with a passkey."""

    api: Api
    account_id: str
    as_: str
    device: Authenticator
    passkey_id: str = ""

    async def log_in(self, device: Authenticator | None = None, **more: Any) -> Answer:
        options = await options_to_log_in(self.api)
        return await prove(self.api, (device or self.device).get(options), **more)


async def options_to_log_in(api: Api, browser: str = BROWSER) -> dict[str, Any]:
    answer = await api.post("/v1/sessions/passkey-challenge", {"browser": browser})
    options: dict[str, Any] = answer.json()["options"]
    return options


async def prove(api: Api, credential: str, browser: str = BROWSER, **more: Any) -> Answer:
    body = {"credential": credential, "browser": browser, **more}
    return await api.post("/v1/sessions/passkey", body)


async def options_to_add(api: Api, as_: str) -> dict[str, Any]:
    answer = await api.post(f"{MINE}/challenge", {"pin": PIN}, as_=as_)
    assert answer.status == 200, answer.body
    options: dict[str, Any] = answer.json()["options"]
    return options


async def add(api: Api, as_: str, device: Authenticator, **other: Any) -> Answer:
    options = await options_to_add(api, as_)
    body = {"name": "Chrome, Linux", "credential": device.create(options), **other}
    return await api.post(MINE, body, as_=as_)


def device_at(settings: Settings) -> Authenticator:
    return Authenticator(settings.passkey_origin)


async def owner_of(api: Api, account_id: str, as_: str, settings: Settings) -> Owner:
    owner = Owner(api, account_id, as_, device_at(settings))
    answer = await add(api, as_, owner.device)
    assert answer.status == 201, answer.body
    owner.passkey_id = answer.json()["id"]
    return owner


@pytest.fixture
async def mei(api: Api, settings: Settings) -> Owner:
    patron_id = (await registered(api))["id"]
    return await owner_of(api, patron_id, token(patron_id, ["patron"]), settings)


async def test_a_patron_adds_a_passkey_and_logs_in_with_it(mei: Owner, other_replica: Api) -> None:
    [item] = (await mei.api.get(MINE, as_=mei.as_)).json()["items"]
    assert (item["id"], item["name"], item["used_at"]) == (mei.passkey_id, "Chrome, Linux", None)
    # One replica makes the challenge, and another one accepts its proof.
    proof = mei.device.get(await options_to_log_in(mei.api))
    answer = await prove(other_replica, proof)
    assert answer.status == 200, answer.body
    opened = answer.json()
    assert (opened["patron_id"], opened["roles"]) == (mei.account_id, ["patron"])
    assert opened["renewal_token"]
    assert opened["device_token"]
    [item] = (await mei.api.get(MINE, as_=mei.as_)).json()["items"]
    assert item["used_at"] is not None
    told = [(topic, body["added"]) for topic, body in await events(mei.api) if "added" in body]
    assert told == [("alert.passkey-changed", True)]
    again = await prove(mei.api, proof)
    assert code_of(again) == BAD


async def test_a_proof_that_comes_twice_at_once_opens_one_session(
    mei: Owner, other_replica: Api
) -> None:
    mei.device.step = 0  # an authenticator without a counter, as of a phone
    for _ in range(3):
        proof = mei.device.get(await options_to_log_in(mei.api))
        replicas = [mei.api, other_replica] * 3
        answers = await asyncio.gather(*(prove(one, proof) for one in replicas))
        assert sorted(one.status for one in answers) == [200, *[401] * 5]
    assert await mei.api.app.state.database.sessions.count_documents({}) == 3


async def test_each_wrong_proof_gets_the_same_answer(mei: Owner, settings: Settings) -> None:
    right, site = mei.device, settings.passkey_origin
    other_key = Authenticator(site, handle=mei.account_id, id=right.id)
    wrong = {
        "origin": replace(right, origin="https://evil.example", rp_id=right.rp_id),
        "subdomain": replace(right, origin=site.replace("//", "//sub."), rp_id=right.rp_id),
        "port": replace(right, origin=f"{site}1", rp_id=right.rp_id),
        "host": replace(right, rp_id="evil.example"),
        "not verified": replace(right, flags=PRESENT),
        "account": replace(right, handle="somebody-else"),
        "no account": replace(right, handle=""),
        "key": other_key,
        "unknown": Authenticator(site, handle=mei.account_id),
    }
    answers = {name: await mei.log_in(device) for name, device in wrong.items()}
    options = await options_to_log_in(mei.api)
    answers["challenge"] = await prove(mei.api, right.get({"challenge": "bm9uZQ"}))
    answers["browser"] = await prove(mei.api, right.get(options), browser=BROWSER[::-1])
    for name, text in {"empty": "", "list": "[]", "deep": "[" * 8000, "id": '{"id": 7}'}.items():
        answers[name] = await prove(mei.api, text)
    to_add = await options_to_add(mei.api, mei.as_)
    answers["challenge to add"] = await prove(mei.api, right.get(to_add))
    bodies = {name: answer.json() | {"instance": ""} for name, answer in answers.items()}
    for name, answer in answers.items():
        assert code_of(answer) == BAD, name
        assert bodies[name]["detail"] == bodies["unknown"]["detail"]
    assert (await mei.log_in()).status == 200


async def test_a_counter_that_goes_back_is_refused(mei: Owner) -> None:
    assert (await mei.log_in()).status == 200
    copied = replace(mei.device)
    assert (await mei.log_in()).status == 200
    assert code_of(await mei.log_in(copied)) == BAD
    assert (await mei.log_in()).status == 200


async def test_a_challenge_ends(mei: Owner, clock: Clock) -> None:
    options = await options_to_log_in(mei.api)
    clock.now += VALID_FOR + timedelta(seconds=1)
    assert code_of(await prove(mei.api, mei.device.get(options))) == BAD
    assert (await mei.log_in()).status == 200


async def test_a_removed_passkey_ends_other_sessions_and_logs_nobody_in(
    mei: Owner, settings: Settings, other_replica: Api
) -> None:
    here = (await mei.log_in()).json()["access_token"]
    eve = await hired(mei.api)
    path = f"{MINE}/{mei.passkey_id}/removal"
    staff = await mei.api.post(path, {"pin": PIN}, as_=token(eve, ["staff"]))
    assert code_of(staff) == (404, "no-such-passkey")
    wrong = await mei.api.post(path, {"pin": "guess-1"}, as_=mei.as_)
    assert code_of(wrong) == (403, "wrong-pin")
    assert (await mei.api.post(path, {"pin": PIN}, as_=mei.as_)).status == 204
    assert await mei.api.app.state.database.sessions.count_documents({}) == 0
    assert here
    assert code_of(await mei.log_in()) == BAD
    gone = await mei.api.post(path, {"pin": PIN}, as_=mei.as_)
    assert code_of(gone) == (404, "no-such-passkey")
    assert await logged_in(mei.api)  # the PIN stays
    kinds = [body["added"] for topic, body in await events(mei.api) if "added" in body]
    assert kinds == [True, False]


async def test_adding_needs_the_pin_and_the_challenge_of_this_session(
    mei: Owner, settings: Settings
) -> None:
    device = device_at(settings)
    wrong = await mei.api.post(f"{MINE}/challenge", {"pin": "guess-1"}, as_=mei.as_)
    assert code_of(wrong) == (403, "wrong-pin")
    refused = (409, "passkey-not-added")
    assert code_of(await add(mei.api, mei.as_, mei.device)) == refused  # it is there already
    assert code_of(await add(mei.api, mei.as_, device, credential="{}")) == refused
    not_verified = replace(device, flags=PRESENT)
    assert code_of(await add(mei.api, mei.as_, not_verified)) == refused
    elsewhere = Authenticator("https://evil.example", rp_id=device.rp_id)
    assert code_of(await add(mei.api, mei.as_, elsewhere)) == refused
    other = token(await hired(mei.api), ["staff"])
    stolen = device.create(await options_to_add(mei.api, other))
    assert code_of(await add(mei.api, mei.as_, device, credential=stolen)) == refused
    former = device.create(await options_to_add(mei.api, mei.as_))
    body = {"pin": PIN, "new_pin": "31-41-59"}
    assert (await mei.api.put("/v1/me/pin", body, as_=mei.as_)).status == 204
    late = {"name": "Late", "credential": former}
    assert code_of(await mei.api.post(MINE, late, as_=mei.as_)) == refused
    station = await mei.api.post(f"{MINE}/challenge", {"pin": PIN}, as_=STATION)
    assert code_of(station) == (403, "forbidden")


async def test_ten_passkeys_are_the_limit_for_twelve_callers_at_once(
    mei: Owner, other_replica: Api, settings: Settings
) -> None:
    here = (await mei.log_in()).json()["access_token"]
    made = [
        (api, as_, device_at(settings).create(await options_to_add(api, as_)))
        for api, as_ in [(mei.api, mei.as_), (other_replica, here)] * 6
    ]

    async def one(api: Api, as_: str, credential: str) -> Answer:
        return await api.insist("POST", MINE, {"name": "Key", "credential": credential}, as_=as_)

    answers = await asyncio.gather(*(one(*caller) for caller in made))
    assert sorted(answer.status for answer in answers) == [201] * (MOST_PASSKEYS - 1) + [409] * 3
    items = (await mei.api.get(MINE, as_=mei.as_)).json()["items"]
    assert len(items) == MOST_PASSKEYS
    assert {code_of(one)[1] for one in answers if one.status == 409} == {"too-many-passkeys"}
    full = await mei.api.post(f"{MINE}/challenge", {"pin": PIN}, as_=mei.as_)
    assert code_of(full) == (409, "too-many-passkeys")


async def test_a_passkey_of_staff_counts_as_both_factors(api: Api, settings: Settings) -> None:
    account = await hired(api)
    await api.app.state.database.cardholders.update_one(
        {"_id": account},
        {
            "$set": {
                "second_factor": {"id": "f-1", "secret": "A", "sealed": None, "confirmed": True}
            }
        },
    )
    lee = await owner_of(api, account, token(account, ["staff"]), settings)
    answer = await lee.log_in()
    assert answer.status == 200, answer.body
    assert (answer.json()["patron_id"], answer.json()["roles"]) == (None, ["staff"])
    acts = [one["act"] async for one in api.app.state.database.audit_trail.find({"by": account})]
    assert {f"POST {MINE}", "POST /v1/sessions/passkey"} <= {*acts}
    assert [topic for topic, _ in await events(api) if topic.startswith("alert.")] == []
    # Nobody may log in to an account that is disabled; its owner is told so.
    manager = token("admin-2", ["admin"])
    assert (await api.post(f"/v1/staff/{account}/disable", as_=manager)).status == 200
    assert code_of(await lee.log_in()) == (403, "account-disabled")
    assert (await api.post(f"/v1/staff/{account}/enable", as_=manager)).status == 200
    assert (await lee.log_in()).status == 200
    assert (await api.put(f"/v1/staff/{account}/pin", {}, as_=manager)).status == 200
    assert code_of(await lee.log_in()) == BAD


async def test_a_new_card_keeps_passkeys_and_a_new_pin_of_staff_ends_them(mei: Owner) -> None:
    path = f"/v1/patrons/{mei.account_id}"
    assert (await mei.api.post(f"{path}/block", {"reason": "Found"}, as_=STAFF)).status == 200
    assert (await mei.log_in()).status == 200  # as with the PIN: a blocked patron sees the account
    card = await mei.api.patch(path, {"card_number": "HK0002B"}, as_=STAFF)
    assert card.status == 200, card.body
    assert (await mei.log_in()).status == 200
    own = await mei.api.put("/v1/me/pin", {"pin": PIN, "new_pin": "31-41-59"}, as_=mei.as_)
    assert own.status == 204
    assert (await mei.log_in()).status == 200
    pin = await mei.api.patch(path, {"pin": "16-18-03"}, as_=STAFF)
    assert pin.status == 200, pin.body
    assert code_of(await mei.log_in()) == BAD


async def test_an_erased_patron_has_no_passkeys(mei: Owner, lending: Desk) -> None:
    data = await mei.api.get(
        f"/v1/personal-data/{mei.account_id}", as_=token("gateway", ["service"])
    )
    assert data.json()["passkeys"][0]["name"] == "Chrome, Linux"
    assert "public_key" not in data.json()["passkeys"][0]
    answer = await mei.api.delete(f"/v1/patrons/{mei.account_id}", as_=STAFF)
    assert answer.status in (200, 204), answer.body
    assert await mei.api.app.state.database.passkeys.count_documents({}) == 0
    assert code_of(await mei.log_in()) == BAD


async def test_a_network_that_sends_wrong_proofs_waits(
    mei: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = mei.api.app.state.settings.model_copy(update={"wrong_pins_per_network": 3})
    monkeypatch.setattr(mei.api.app.state, "settings", few)
    answers = [await prove(mei.api, "{}") for _ in range(4)]
    assert [code_of(one)[1] for one in answers] == [*["bad-passkey"] * 3, "strangers-wait"]
    assert code_of(await mei.log_in())[1] == "strangers-wait"
    assert await logged_in(mei.api)  # wrong PINs are counted apart
