"""Budgets of wrong PINs: strangers share them, and a known device has its own."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters

from services.accounts.pins.rules import code_of
from services.accounts.settings import Settings
from services.accounts.sign_in.commands import confirm_pin, hashes
from services.accounts.sign_in.rules import (
    MOST_OF_CARD,
    MOST_OF_SPRAYED_CARD,
    Source,
    StrangersLimits,
)
from shared.http.client_address import CROWDED_HEADER as CROWDED
from shared.http.client_address import HEADER, client_header
from shared.ids import card_digest
from tests.accounts.conftest import Clock
from tests.accounts.people import STAFF, pass_time, registered
from tests.support import Answer, Api, until

PIN = "27-18-28"


class Client:
    """Somebody at a network address, perhaps with the token of a device."""

    def __init__(self, replica: Api, address: str, device: str | None = None) -> None:
        self._replica, self._address, self.device = replica, address, device

    async def log_in(self, pin: str = PIN, card: str = "HK0001A") -> Answer:
        """Try to log in; keep the token of the device as a browser does."""
        secret = self._replica.app.state.settings.service_secret
        body: dict[str, Any] = {"card_number": card, "pin": pin}
        if self.device:
            body["device_token"] = self.device
        headers = {HEADER: client_header(self._address, secret, whole=True)}
        answer = await self._replica.post("/v1/sessions", body, headers=headers)
        if answer.status == 200:
            self.device = answer.json()["device_token"]
        return answer

    async def guess(self, card: str = "HK0001A") -> str:
        """Try a wrong PIN; return the code of the refusal."""
        return str((await self.log_in("00-00-00", card)).json()["code"])


async def guesses(client: Client, count: int, card: str = "HK0001A") -> list[str]:
    return [await client.guess(card) for _ in range(count)]


async def counted(api: Api) -> int:
    """Return the sum of all budgets' wrong PINs."""
    others = {"$regex": "^(recorded|devices|addresses)"}
    query = {"_id": {"$not": others}}
    found = [one async for one in api.app.state.database.wrong_pins.find(query)]
    return sum(slot["count"] for one in found for slot in one["slots"])


async def test_a_stranger_locks_the_card_for_their_own_network_only(
    api: Api, other_replica: Api
) -> None:
    await registered(api)
    assert await guesses(Client(api, "203.0.113.1"), 6) == ["bad-credentials"] * 5 + ["locked"]
    assert (await Client(other_replica, "203.0.113.2").log_in()).status == 200
    assert (await Client(other_replica, "203.0.113.1").log_in()).json()["code"] == "locked"


async def test_a_known_device_in_a_locked_network_logs_in(api: Api, other_replica: Api) -> None:
    await registered(api)
    owner = Client(api, "203.0.113.1")
    await owner.log_in()
    assert await guesses(Client(other_replica, "203.0.113.1"), 6) == [
        *["bad-credentials"] * 5,
        "locked",
    ]
    first = owner.device
    assert (await owner.log_in()).status == 200
    # The device stays the same one, so that many log-ins give nobody many budgets.
    assert first
    assert owner.device
    assert first.split(".")[1] == owner.device.split(".")[1]


async def test_a_known_device_has_five_tries_and_twenty_a_day(api: Api) -> None:
    await registered(api)
    owner = Client(api, "203.0.113.1")
    await owner.log_in()
    for _ in range(4):
        assert await guesses(owner, 6) == ["bad-credentials"] * 5 + ["locked"]
        await pass_time(api, timedelta(minutes=16))
    assert (await owner.log_in()).json()["code"] == "locked"
    # Without its token it is a stranger.
    assert (await Client(api, "203.0.113.1").log_in()).status == 200
    await pass_time(api, timedelta(days=1, hours=3))
    assert (await owner.log_in()).status == 200


async def test_a_device_is_known_for_half_a_year(api: Api, clock: Clock) -> None:
    await registered(api)
    owner = Client(api, "203.0.113.1")
    await owner.log_in()
    for days, code in ((179, "bad-credentials"), (181, "locked")):
        clock.now = datetime.now(UTC) + timedelta(days=days)
        await pass_time(api, timedelta(days=1, hours=3))
        await guesses(Client(api, "203.0.113.1"), 5)
        assert await owner.guess() == code


@pytest.mark.parametrize(
    "forged",
    [
        "nonsense",
        "1614823200.device.proof",
        "1.2.3~4.5.6~~..~é.é.é",
        "9" * 300 + ".device.proof",
        ".".join(["1", "2", "3" * 900]),
    ],
)
async def test_a_forged_token_of_a_device_is_that_of_a_stranger(api: Api, forged: str) -> None:
    await registered(api)
    await guesses(Client(api, "203.0.113.1"), 5)
    assert (await Client(api, "203.0.113.1", forged).log_in()).json()["code"] == "locked"
    assert (await Client(api, "203.0.113.2", forged).log_in()).status == 200


async def test_a_device_is_known_for_the_cards_that_were_used_there(api: Api) -> None:
    cards = [f"HK000{number}F" for number in range(6)]
    for card in cards:
        await registered(api, card_number=card)
    family = Client(api, "203.0.113.1")
    for card in cards:
        await family.log_in(card=card)
    for card, known in ((cards[0], False), (cards[1], True), (cards[5], True)):
        await guesses(Client(api, "203.0.113.1"), 5, card)
        assert (await family.log_in(card=card)).status == (200 if known else 429)


async def test_a_token_of_another_card_or_of_a_former_pin_is_that_of_a_stranger(
    api: Api,
) -> None:
    mei = await registered(api)
    await registered(api, card_number="HK0002B")
    other = Client(api, "203.0.113.1")
    await other.log_in(card="HK0002B")
    owner = Client(api, "203.0.113.1")
    await owner.log_in()
    await guesses(Client(api, "203.0.113.1"), 5)
    assert (await other.log_in()).json()["code"] == "locked"
    await api.patch(f"/v1/patrons/{mei['id']}", {"pin": "31-41-59"}, as_=STAFF)
    await guesses(Client(api, "203.0.113.1"), 5)
    assert (await owner.log_in("31-41-59")).json()["code"] == "locked"


# ---- budgets of strangers -----------------------------------------------------------------------


@pytest.mark.parametrize("card", ["HK0001A", "HK9999"], ids=["a known card", "an unknown card"])
async def test_a_hundred_wrong_pins_an_hour_make_strangers_wait_and_not_the_owner(
    api: Api, other_replica: Api, card: str
) -> None:
    await registered(api)
    owner = Client(api, "198.51.100.1")
    await owner.log_in()
    replicas = (api, other_replica)
    strangers = [Client(replicas[place % 2], f"203.0.113.{place}") for place in range(25)]
    codes = [
        code
        for found in await asyncio.gather(*(guesses(one, 5, card) for one in strangers))
        for code in found
    ]
    assert codes.count("bad-credentials") == MOST_OF_CARD
    assert set(codes) == {"bad-credentials", "strangers-wait"}
    late = Client(other_replica, "192.0.2.7")
    assert (await late.log_in(card=card)).json()["code"] == "strangers-wait"
    assert (await owner.log_in()).status == 200
    await pass_time(api, timedelta(minutes=66))
    if card == "HK0001A":
        assert (await late.log_in()).status == 200


@pytest.mark.parametrize(
    "addresses",
    [
        ["203.0.113.1"],
        ["203.0.113.1", "::ffff:203.0.113.1"],
        ["2001:db8:1:1::1", "2001:db8:1:ffff::2"],
    ],
    ids=["one address", "one in two forms", "one /48"],
)
async def test_one_network_tries_sixty_wrong_pins_an_hour(
    api: Api, other_replica: Api, addresses: list[str]
) -> None:
    replicas = (api, other_replica)
    bots = [Client(replica, address) for replica in replicas for address in addresses]
    codes = await asyncio.gather(
        *(bot.guess(f"HK{card}-{place}") for card in range(40) for place, bot in enumerate(bots))
    )
    assert codes.count("bad-credentials") == 60
    assert set(codes) == {"bad-credentials", "strangers-wait"}
    await pass_time(api, timedelta(minutes=59))
    assert await bots[0].guess("HK-59") == "strangers-wait"
    await pass_time(api, timedelta(minutes=7))
    assert await bots[0].guess("HK-66") == "bad-credentials"
    await registered(api)
    assert (await Client(api, "2001:db8:2::1").log_in()).status == 200


async def test_right_pins_spend_no_budget(api: Api) -> None:
    await registered(api)
    library = "203.0.113.1"
    for _ in range(70):
        assert (await Client(api, library).log_in()).status == 200
    assert await counted(api) == 0


async def test_right_pins_at_the_same_moment_make_nobody_wait(api: Api, other_replica: Api) -> None:
    """All log in again at once from one address, such as a library whose tokens were refused."""
    cards = ["HK0001A", "HK0002B", "HK0003C"]
    for card in cards:
        await registered(api, card_number=card)
    answers = await asyncio.gather(
        *(
            Client(replica, "203.0.113.1").log_in(card=card)
            for _ in range(13)
            for replica in (api, other_replica)
            for card in cards
        )
    )
    # On a slow machine some calls have to be repeated.
    assert 200 in {answer.status for answer in answers} <= {200, 503}
    assert await counted(api) == 0
    assert (await Client(api, "203.0.113.1").log_in()).status == 200


async def test_a_device_used_many_times_at_the_same_moment_is_not_locked(api: Api) -> None:
    await registered(api)
    owner = Client(api, "203.0.113.1")
    await owner.log_in()
    copies = [Client(api, "203.0.113.1", owner.device) for _ in range(25)]
    answers = await asyncio.gather(*(copy.log_in() for copy in copies))
    assert 200 in {answer.status for answer in answers} <= {200, 503}


async def test_a_wrong_clock_neither_lengthens_nor_ends_a_count(
    api: Api, other_replica: Api, clock: Clock
) -> None:
    await registered(api)
    for days in (1, -1):
        clock.now = datetime.now(UTC) + timedelta(days=days)
        await guesses(Client(other_replica, "203.0.113.1"), 5)
        clock.now = datetime.now(UTC)
        assert (await Client(api, "203.0.113.1").log_in()).json()["code"] == "locked"
        await pass_time(api, timedelta(minutes=16))
        assert (await Client(api, "203.0.113.1").log_in()).status == 200


async def test_a_log_in_that_is_given_up_spends_no_budget_if_its_pin_is_right(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(api)
    settings: Settings = api.app.state.settings
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slowly(pin: str, pin_hash: str | None) -> bool:
        begun.set()
        await goes_on.wait()
        return await hashes.pin_matches(pin, pin_hash)

    monkeypatch.setattr(confirm_pin, "pin_matches", slowly)
    digest = card_digest("HK0001A", settings.card_key)
    stranger = Source("network", "somewhere")
    confirming = confirm_pin.confirm_pin(
        api.app.state.database, digest, PIN, source=stranger, limits=StrangersLimits(60, 5000)
    )
    given_up = asyncio.create_task(confirming)
    await begun.wait()
    given_up.cancel()
    goes_on.set()
    await until(lambda: is_nothing_counted(api))


async def is_nothing_counted(api: Api) -> bool:
    return await counted(api) == 0


async def test_a_network_that_tries_many_cards_has_five_tries_of_each_a_day(api: Api) -> None:
    await registered(api)
    first, second = Client(api, "203.0.113.1"), Client(api, "203.0.113.2")
    await guesses(first, 5)
    # A network that tries this card only goes on; one that tried another in vain waits.
    assert await second.guess() == "bad-credentials"
    await second.guess("HK0002B")
    assert await second.guess() == "strangers-wait"
    assert await second.guess("HK0003C") == "bad-credentials"
    await pass_time(api, timedelta(hours=27))
    assert await second.guess("HK0002B") == "bad-credentials"
    assert await second.guess() == "bad-credentials"


async def test_nobody_hides_tried_cards_behind_cards_of_their_own(api: Api) -> None:
    own = ["HK0007G", "HK0008H", "HK0009I"]
    for card in own:
        await registered(api, card_number=card)
    await guesses(Client(api, "203.0.113.1"), 5)
    bot = Client(api, "203.0.113.2")
    assert await bot.guess("HK0002B") == "bad-credentials"
    for right in ("00-00-00", PIN):
        for card in own:
            bot.device = None
            await bot.log_in(right, card)
    bot.device = None
    assert await bot.guess() == "strangers-wait"


async def test_a_code_for_a_new_pin_opens_a_new_device_while_strangers_go_on_guessing(
    api: Api,
) -> None:
    await registered(api)

    async def exhausted() -> None:
        strangers = [Client(api, f"203.0.113.{place}") for place in range(25)]
        await asyncio.gather(*(guesses(one, 5) for one in strangers))

    await exhausted()
    owner = Client(api, "192.0.2.7")
    assert (await owner.log_in()).json()["code"] == "strangers-wait"
    reset = (await api.post("/v1/pin-resets", {"card_number": "HK0001A"})).json()["id"]
    await api.job("accounts/pin-resets")
    code = code_of(reset, api.app.state.settings.reset_keys)
    body = {"reset_code": code, "new_pin": "31-41-59", "device_token": ""}
    answers = [await api.put(f"/v1/pin-resets/{reset}", body) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    await exhausted()
    assert (await owner.log_in("31-41-59")).json()["code"] == "strangers-wait"
    for answer in answers:
        owner.device = answer.json()["device_token"]
        assert (await owner.log_in("31-41-59")).status == 200


async def test_from_a_crowded_address_only_known_devices_log_in(api: Api) -> None:
    await registered(api)
    owner = Client(api, "203.0.113.1")
    await owner.log_in()
    body = {"card_number": "HK0001A", "pin": PIN}
    crowded = {CROWDED: "1"}
    for device in ("", "1614823200.device.proof"):
        answer = await api.post("/v1/sessions", {**body, "device_token": device}, headers=crowded)
        assert (answer.status, answer.json()["code"]) == (429, "strangers-wait")
    known = {**body, "device_token": owner.device}
    assert await api.app.state.database.attempts.count_documents({}) == 0
    assert (await api.post("/v1/sessions", known, headers=crowded)).status == 200


async def test_all_strangers_together_have_a_budget(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Settings = api.app.state.settings
    few = settings.model_copy(update={"wrong_pins_of_strangers": 3})
    monkeypatch.setattr(api.app.state, "settings", few)
    await registered(api)
    owner = Client(api, "198.51.100.1")
    await owner.log_in()
    for place in range(3):
        assert await Client(api, f"203.0.113.{place}").guess() == "bad-credentials"
    assert (await Client(api, "203.0.113.9").log_in()).json()["code"] == "strangers-wait"
    assert (await owner.log_in()).status == 200


async def test_an_address_without_the_digest_of_the_gateway_counts_as_the_connections(
    api: Api,
) -> None:
    await registered(api)
    for place in range(5):
        forged = {HEADER: f"203.0.113.{place} {'0' * 64}"}
        body = {"card_number": "HK0001A", "pin": "00-00-00"}
        answer = await api.post("/v1/sessions", body, headers=forged)
        assert answer.status == 401
    assert (await api.post("/v1/sessions", {**body, "pin": PIN})).json()["code"] == "locked"


async def test_budgets_hold_no_address_and_expire_by_themselves(api: Api) -> None:
    await Client(api, "203.0.113.77").guess()
    database = api.app.state.database
    for collection in (database.attempts, database.wrong_pins):
        found = [one async for one in collection.find()]
        assert found
        assert "203.0.113" not in str(found)
        latest = max(one["forgotten_at"] for one in found)
        assert timedelta(0) < latest - datetime.now(UTC) <= timedelta(hours=26)
        indexes = (await collection.index_information()).values()
        assert [("forgotten_at", 1)] in [
            one["key"] for one in indexes if "expireAfterSeconds" in one
        ]


# ---- stronger hashes ----------------------------------------------------------------------------


async def test_a_log_in_hashes_the_pin_again_when_the_parameters_rise(
    api: Api, other_replica: Api
) -> None:
    mei = await registered(api)
    owner = Client(api, "203.0.113.1")
    await owner.log_in()
    cardholders = api.app.state.database.cardholders
    before = (await cardholders.find_one({"_id": mei["id"]}))["pin_hash"]
    stronger = PasswordHasher(time_cost=3, memory_cost=19 * 1024, parallelism=1)
    hashes.hash_with(stronger)
    answers = await asyncio.gather(
        *(Client(replica, "203.0.113.2").log_in() for replica in (api, other_replica))
    )
    assert 200 in {answer.status for answer in answers} <= {200, 503}
    after = (await cardholders.find_one({"_id": mei["id"]}))["pin_hash"]
    assert ("t=1" in before, "t=3" in after) == (True, True)
    assert await owner.guess() == "bad-credentials"
    # The device is still known: the PIN is the same.
    await guesses(Client(api, "203.0.113.1"), 5)
    assert (await owner.log_in()).status == 200
    assert (await cardholders.find_one({"_id": mei["id"]}))["pin_hash"] == after


def test_no_part_of_the_system_makes_the_hashes_of_pins_cheaper() -> None:
    assert (hashes.USUAL.time_cost, hashes.USUAL.memory_cost) >= (2, 19 * 1024)
    files = [
        file for folder in ("services", "shared", "ops") for file in Path(folder).rglob("*.py")
    ]
    calling = [file for file in files if "hash_with(" in file.read_text()]
    assert [file.name for file in calling] == ["hashes.py"]


@pytest.mark.usual_hashes
def test_a_card_that_does_not_exist_costs_the_hash_of_a_wrong_pin() -> None:
    wrong = hashes._hasher.hash("another PIN")
    assert extract_parameters(hashes._nobodys) == extract_parameters(wrong)
    assert not hashes._matches(PIN, hashes._nobodys)


# ---- a bot --------------------------------------------------------------------------------------


async def test_a_bot_with_many_addresses_tries_no_card_more_than_five_times_a_day(
    api: Api, other_replica: Api
) -> None:
    """A day of a bot in small: 50 cards and 5 addresses, which change the card at each try.

    They would do for 10 tries of each card. Owners on their devices log in meanwhile.
    """
    cards = [f"HK{number:04}Z" for number in range(50)]
    owners = []
    for card in cards[:5]:
        await registered(api, card_number=card)
        owners.append(Client(api, "198.51.100.1"))
        await owners[-1].log_in(card=card)
    replicas = (api, other_replica)
    bots = [Client(replicas[place % 2], f"203.0.113.{place}") for place in range(5)]
    tried = dict.fromkeys(cards, 0)

    async def spray(bot: Client, burst: int) -> None:
        for step in range(25):
            card = cards[(burst * 25 + step) % len(cards)]
            if await bot.guess(card) == "bad-credentials":
                tried[card] += 1

    for burst in range(4):
        await asyncio.gather(*(spray(bot, burst) for bot in bots))
        answers = [
            await owner.log_in(card=card) for owner, card in zip(owners, cards, strict=False)
        ]
        assert [answer.status for answer in answers] == [200] * 5
        await pass_time(api, timedelta(hours=5))
    assert sum(tried.values()) > len(cards)
    assert [card for card, count in tried.items() if count > MOST_OF_SPRAYED_CARD] == []
