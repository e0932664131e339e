"""A key has one purpose: with any other, nothing can be made that accounts accepts."""

import hmac
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module
from typing import Any

import pytest

from services.accounts.app import create_app
from services.accounts.settings import Settings
from services.registry import NAMES
from shared.clock import wall_clock
from shared.ids import card_digest
from tests.accounts.people import registered
from tests.keys import CARD_KEY, DERIVING
from tests.support import Api, served, token

OPS, GATEWAY = token("ops-1", ["ops"]), token("gateway", ["service"])
CARD, PIN, NEW_PIN = "HK0001A", "27-18-28", "31-41-59-2"
FORMER = "the former key of all purposes"
RENEWAL, CALENDAR, UNSUBSCRIBE = "renewal\n", "calendar\n", "unsubscribe\n"
EVERYWHERE = {"service_secret", "service_key", "audit_keys"}
"""Keys that every service has; the second and the third are its own."""


@pytest.fixture
def settings(of_accounts: Settings) -> Settings:
    return of_accounts.model_copy(update={"audit_keys": "the key of the seals of accounts"})


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with served(create_app, settings) as api:
        yield api


def digest(key: str, said: str) -> bytes:
    return hmac.digest(key.encode(), said.encode(), "sha256")


async def logged_in(api: Api, **more: str) -> dict[str, Any]:
    answer = await api.post("/v1/sessions", {"card_number": CARD, "pin": PIN, **more})
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


# ---- what somebody with a key and a client's routes can try: each returns whether it succeeds ---


async def choose_pin(api: Api, patron: str, key: str) -> bool:
    """Ask for a code for somebody's card, derive it, and choose a new PIN with it."""
    asked = await api.post("/v1/pin-resets", {"card_number": CARD})
    assert asked.status == 202, asked.body
    assert (await api.post("/v1/ops/jobs/accounts/pin-resets", as_=OPS)).status == 200
    reset = asked.json()["id"]
    code = int.from_bytes(digest(key, f"pin-reset\n{reset}")) % 10**8
    body = {"reset_code": f"{code:08}", "new_pin": PIN}
    return (await api.call("PUT", f"/v1/pin-resets/{reset}", body)).status == 204


async def be_a_known_device(api: Api, patron: str, key: str) -> bool:
    """Guess the PIN on three forged devices; a stranger waits after the fifth guess."""
    answers = []
    for device in ("one", "two", "three"):
        issued = int(wall_clock().timestamp())
        said = f"device\n{card_digest(CARD, CARD_KEY)}\n1\n{issued}\n{device}"
        forged = f"{issued}.{device}.{digest(key, said).hex()[:32]}"
        body = {"card_number": CARD, "pin": "99-99-99", "device_token": forged}
        answers += [(await api.post("/v1/sessions", body)).status for _ in range(4)]
    return answers == [401] * len(answers)


async def renew(api: Api, patron: str, key: str) -> bool:
    """Renew a session whose id is known."""
    database = api.app.state.database
    session = await database.sessions.find_one({"account_id": patron}, sort=[("_id", -1)])
    said = f"{session['_id']}.{session['place']}"
    forged = f"{said}.{digest(key, RENEWAL + said).hex()}"
    return (await api.post("/v1/sessions/renewal", {"renewal_token": forged})).status == 200


async def read_calendar(api: Api, patron: str, key: str) -> bool:
    """Read a feed whose link is known."""
    holder = await api.app.state.database.cardholders.find_one({"_id": patron})
    link = holder["calendar"]["link"]
    secret = f"{link}.{digest(key, CALENDAR + link).hex()}"
    found = await api.post("/v1/calendar-lookups", {"secret": secret}, as_=GATEWAY)
    return found.status == 200


async def turn_off_email(api: Api, patron: str, key: str) -> bool:
    """Unsubscribe a patron whose id is known."""
    forged = f"{patron}.{digest(key, UNSUBSCRIBE + patron).hex()}"
    return (await api.post("/v1/unsubscriptions", {"token": forged})).status == 200


ATTEMPTS: dict[str, Callable[[Api, str, str], Awaitable[bool]]] = {
    "reset_keys": choose_pin,
    "device_keys": be_a_known_device,
    "renewal_keys": renew,
    "calendar_keys": read_calendar,
    "unsubscribe_keys": turn_off_email,
}


async def victim(api: Api) -> str:
    """Return the id of a patron who has logged in and has a calendar."""
    patron = str((await registered(api))["id"])
    await logged_in(api)
    made = await api.post("/v1/me/calendar", {}, as_=token(patron))
    assert made.status == 201
    return patron


@pytest.mark.parametrize("purpose", ATTEMPTS)
async def test_only_the_key_of_a_purpose_makes_what_is_accepted(
    api: Api, settings: Settings, purpose: str
) -> None:
    patron, attempt = await victim(api), ATTEMPTS[purpose]
    others = {"card_key", *DERIVING, *EVERYWHERE} - {purpose}
    if purpose == "reset_keys":  # a card gets five codes a quarter of an hour
        others = {"card_key", "device_keys", "service_secret"}
    assert [name for name in others if await attempt(api, patron, getattr(settings, name))] == []
    await api.app.state.database.attempts.delete_many({})  # the guesses of strangers
    assert await attempt(api, patron, getattr(settings, purpose))


async def test_an_upgrade_goes_on_with_all_that_the_former_card_key_has_made(
    settings: Settings,
) -> None:
    """Make everything as the former release did, with one key, and use it with keys of today."""
    before = settings.model_copy(update={"card_key": FORMER} | dict.fromkeys(DERIVING, FORMER))
    async with served(create_app, before) as api:
        patron = await victim(api)
        former = await logged_in(api)
    both = {name: f"{key},{FORMER}" for name, key in DERIVING.items()}
    async with served(create_app, before.model_copy(update=both)) as api:
        for attempt in (renew, read_calendar, turn_off_email):
            assert await attempt(api, patron, FORMER)
        device = (await logged_in(api, device_token=former["device_token"]))["device_token"]
        assert device.split(".")[1] == former["device_token"].split(".")[1]
        assert await choose_pin(api, patron, FORMER)
        await logged_in(api)
    async with served(create_app, before.model_copy(update=DERIVING)) as api:
        for attempt in (renew, read_calendar, turn_off_email):
            assert not await attempt(api, patron, FORMER)


def test_each_key_is_a_setting_of_the_service_that_uses_it_and_of_no_other() -> None:
    kinds = {name: import_module(f"services.{name}.settings").Settings for name in NAMES}
    has = {name: set(kind.model_fields) for name, kind in kinds.items()}
    assert {name for name in NAMES if "card_key" in has[name]} == {"accounts", "circulation"}
    for key in DERIVING:
        assert [name for name in NAMES if key in has[name]] == ["accounts"]
    for first, second in itertools.combinations(NAMES, 2):
        shared = {one for one in has[first] & has[second] if one.endswith(("_keys", "_secrets"))}
        assert shared == {"audit_keys"}
