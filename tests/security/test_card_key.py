"""The key of cards is replaced while patrons log in and borrow, and a wrong one is refused."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.commands import keys as command
from services.accounts.app import create_app as create_accounts
from services.accounts.settings import Settings as AccountsSettings
from services.circulation.app import create_app as create_circulation
from services.circulation.closures.consumers import keep_calendar
from services.circulation.holds.consumers import keep_patron
from services.circulation.settings import Settings as CirculationSettings
from services.registry import NAMES
from shared.contracts.accounts import PatronRegistered, PatronUpdated
from shared.ids import card_digest, new_id
from shared.mongo import Client, Database
from shared.unit_of_work import Origin, Run
from tests import patience
from tests.accounts.people import registered
from tests.circulation.desk import branch
from tests.keys import DERIVING
from tests.rolling import CALLERS, Balancer, Callers, stopping
from tests.support import (
    PUBLIC_SERVICE_KEYS,
    SERVICE_KEYS,
    patient_client,
    served,
    token,
)

OLD, NEW = "the former key of cards here", "the latest key of cards here"
STAFF, STATION = token("staff-1", ["staff"]), token("station-1", ["station"])
PIN = "27-18-28"
BATCH = 7
KINDS = {"patron.registered": PatronRegistered, "patron.updated": PatronUpdated}

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def settings(of_accounts: AccountsSettings) -> AccountsSettings:
    return with_key(of_accounts, OLD)


@pytest.fixture
def client(mongo_url: str) -> Any:
    client: Client = patient_client(mongo_url)
    yield client
    client.close()


def with_key(settings: AccountsSettings, keys: str) -> AccountsSettings:
    return settings.model_copy(update={"card_key": keys})


def of_circulation(settings: AccountsSettings, keys: str, accounts: str) -> CirculationSettings:
    return CirculationSettings(
        mongo_url=settings.mongo_url,
        database_prefix=settings.database_prefix,
        roles=("api",),
        simulation=True,
        card_key=keys,
        service_secret=settings.service_secret,
        service_key=SERVICE_KEYS["circulation"],
        urls={"accounts": accounts},
    )


@asynccontextmanager
async def following(accounts: Database, run: Callable[[str], Run]) -> AsyncIterator[None]:
    """Let circulation hear the events of patrons until the block ends."""

    async def follow() -> None:
        heard: set[str] = set()
        while True:
            async for row in accounts.outbox.find({"topic": {"$in": [*KINDS]}}).sort("_id", 1):
                if row["_id"] not in heard:
                    event = KINDS[row["topic"]].model_validate_json(row["body"])
                    await keep_patron(event, run(str(row["_id"])))
                    heard.add(row["_id"])
            await asyncio.sleep(0.05)

    task = asyncio.create_task(follow())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Killed(BaseException):
    """The command was killed."""


async def test_no_log_in_and_no_check_out_fails_while_the_key_of_cards_is_replaced(
    settings: AccountsSettings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = settings.database_prefix
    accounts = client[f"{prefix}_accounts"]
    async with (
        served(create_accounts, with_key(settings, f"{OLD},{NEW}"), trust_test_keys=False) as asked,
        stopping(Balancer(create_accounts, own_tokens=False)) as doors,
        stopping(Balancer(create_circulation, own_tokens=False)) as desk,
    ):

        async def update(keys: str) -> None:
            await doors.update(with_key(settings, keys))
            await desk.update(of_circulation(settings, keys, asked.url))

        def run(inbox: str) -> Run:
            work = desk._members[-1].api.app.state.unit_of_work
            return Run(work, Origin(datetime(2020, 12, 1, tzinfo=UTC)), inbox=inbox, within=60)

        await update(OLD)
        await keep_calendar(branch(), run(new_id()))
        copies = {}
        for number in range(CALLERS):
            who = {"card_number": f"S-{number}", "pin": PIN, "name": "Lee", "category": "adult"}
            who |= {"home_branch": "HKCL", "language": "en"}
            await doors.post("/v1/patrons", who, as_=STAFF)
            copies[number] = f"B-{number}"
            copy = {"barcode": copies[number], "category": "adult", "branch": "HKCL"}
            title = {"title": "Noon", "authors": ["Lee"], "kind": "book", "copies": [copy]}
            await desk.post("/v1/titles", title, as_=STAFF)
        devices = dict.fromkeys(range(CALLERS), "")
        at = "2020-11-20T12:00:00+08:00"

        async def log_in_and_borrow(number: int) -> None:
            """Log in on a known device, borrow and return."""
            known = {"device_token": devices[number]} if devices[number] else {}
            login = {"card_number": f"s-{number}", "pin": PIN, **known}
            former, devices[number] = (
                devices[number],
                (await doors.post("/v1/sessions", login))["device_token"],
            )
            if former:  # it was known
                assert devices[number].split(".")[1] == former.split(".")[1]
            items = {"barcodes": [copies[number]], "branch": "HKCL"}
            lent = await desk.post(
                "/v1/checkouts", {"card_number": f"S-{number}", **items}, as_=STATION, at=at
            )
            assert [one["ok"] for one in lent["results"]] == [True]
            back = await desk.post("/v1/returns", {**items, "channel": "desk"}, as_=STATION, at=at)
            assert [one["ok"] for one in back["results"]] == [True]

        async with following(accounts, run), Callers(log_in_and_borrow) as callers:
            both = with_key(settings, f"{NEW},{OLD}")
            await update(f"{OLD},{NEW}")
            with pytest.raises(command.NotReady):  # with a key that no process has
                await command.replace_digests(with_key(settings, f"x{NEW},{OLD}"), print)
            await update(f"{NEW},{OLD}")
            await callers.round()

            def kill(step: str) -> None:
                raise Killed(step)

            monkeypatch.setattr(command, "BATCH", BATCH)
            with monkeypatch.context() as killing:
                killing.setattr(command, "failpoint", kill)
                with pytest.raises(Killed, match="batch"):
                    await command.replace_digests(both, lambda _: None)
            await callers.round()
            twice = (command.replace_digests(both, lambda _: None) for _ in range(2))
            assert sum(await asyncio.gather(*twice)) == CALLERS - BATCH
            await callers.round()
            await update(NEW)
            await callers.round()
        former = [card_digest(f"S-{number}", OLD) for number in range(CALLERS)]
        for database in (accounts, client[f"{prefix}_circulation"]):
            for name in await database.list_collection_names():
                async for document in database[name].find():
                    assert not any(digest in str(document) for digest in former), name


async def test_a_card_is_one_card_while_its_key_is_replaced(settings: AccountsSettings) -> None:
    async with served(create_accounts, settings) as api:
        patron = await registered(api)
    async with served(create_accounts, with_key(settings, f"{NEW},{OLD}")) as api:
        again = await api.post(
            "/v1/patrons", {**patron_in(patron), "card_number": "hk0001a"}, as_=STAFF
        )
        assert (again.status, again.json()["code"]) == (409, "card-taken")
        login = {"card_number": "HK0001A", "pin": PIN}
        session = (await api.post("/v1/sessions", login)).json()
        same = {"card_number": "HK0001A", "name": "Chan Mei"}
        assert (await api.patch(f"/v1/patrons/{patron['id']}", same, as_=STAFF)).status == 200
        renewal = {"renewal_token": session["renewal_token"]}
        assert (await api.post("/v1/sessions/renewal", renewal)).status == 200
        [found] = (await api.get("/v1/patrons?card=HK0001A", as_=STAFF)).json()["items"]
        assert found["id"] == patron["id"]


def patron_in(patron: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with which another patron like this one is registered."""
    fields = ("name", "category", "home_branch", "language")
    return {name: patron[name] for name in fields} | {"pin": PIN}


async def test_a_process_with_another_key_of_cards_does_not_start(
    settings: AccountsSettings, client: Client
) -> None:
    async with served(create_accounts, settings) as api:
        await registered(api)
    accounts = client[f"{settings.database_prefix}_accounts"]
    for noted in (True, False):  # by a fingerprint; in data of a former release by a card
        if not noted:
            await accounts.key_fingerprints.delete_many({})
        ran = await asyncio.to_thread(serve_with, settings, NEW)
        assert ran.returncode == 1, ran.stderr
        assert "CARREL_CARD_KEY is not the key that the data of" in ran.stdout + ran.stderr
        assert OLD not in ran.stdout + ran.stderr
        assert NEW not in ran.stdout + ran.stderr
    async with served(create_accounts, with_key(settings, f"{NEW},{OLD}")):
        pass


async def test_a_lost_key_of_cards_is_replaced_by_another(
    settings: AccountsSettings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(create_accounts, settings) as api:
        await registered(api)
    latest = with_key(settings, NEW)
    for name, value in {
        "CARREL_MONGO_URL": settings.mongo_url,
        "CARREL_DATABASE_PREFIX": settings.database_prefix,
        "CARREL_CARD_KEY": NEW,
    }.items():
        monkeypatch.setenv(name, value)
    runner = CliRunner()
    refused = await asyncio.to_thread(runner.invoke, command.app, ["accept", "CARREL_VISIT_KEYS"])
    assert (refused.exit_code, "is not compared" in refused.output) == (1, True)
    accepted = await asyncio.to_thread(runner.invoke, command.app, ["accept", "CARREL_CARD_KEY"])
    assert accepted.exit_code == 0, accepted.output
    async with served(create_accounts, latest) as api:
        login = {"card_number": "HK0001A", "pin": PIN}
        assert (await api.post("/v1/sessions", login)).status == 401, "until keys cards has run"
        assert await command.replace_digests(latest, lambda _: None) == 1
        assert (await api.post("/v1/sessions", login)).status == 200


async def test_a_process_with_another_key_of_the_seals_does_not_start(
    settings: AccountsSettings,
) -> None:
    own = {"audit_keys": "the present key of the seals here"}
    async with served(create_accounts, settings.model_copy(update=own)):
        pass
    ran = await asyncio.to_thread(serve_with, settings, OLD)
    assert ran.returncode == 1, ran.stderr
    fault = f"CARREL_AUDIT_KEYS is not the key that the data of {settings.database_prefix}_accounts"
    assert fault in ran.stdout + ran.stderr


async def test_no_process_starts_on_a_database_that_is_being_restored(
    settings: AccountsSettings, client: Client
) -> None:
    await client[f"{settings.database_prefix}_accounts"].restoring.insert_one({"_id": "a backup"})
    ran = await asyncio.to_thread(serve_with, settings, OLD)
    assert ran.returncode == 1, ran.stderr
    assert "restore has not ended" in ran.stdout + ran.stderr


def serve_with(settings: AccountsSettings, key: str) -> "subprocess.CompletedProcess[str]":
    """Start a process of accounts with a key of cards, and wait for its end."""
    given = {
        "MONGO_URL": settings.mongo_url,
        "DATABASE_PREFIX": settings.database_prefix,
        "ROLES": "api",
        "PORT": "0",
        "OPERATIONS_PORT": "0",
        "SERVICE_SECRET": settings.service_secret,
        "SERVICE_KEY": settings.service_key,
        "SERVICE_KEYS": ",".join(f"{name}={PUBLIC_SERVICE_KEYS[name][0]}" for name in NAMES),
        "AUDIT_KEYS": "a key of the seals here",
        "CARD_KEY": key,
        **{name.upper(): value for name, value in DERIVING.items()},
    }
    return subprocess.run(
        [sys.executable, "-m", "ops", "serve", "accounts"],
        env=os.environ | {f"CARREL_{name}": value for name, value in given.items()},
        capture_output=True,
        text=True,
        timeout=patience.stretched(120),
        check=False,
    )
