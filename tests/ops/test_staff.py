"""`carrel staff`: the first accounts, and help without an operator."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from ops.direct import add_account, remove_account
from services.accounts.app import create_app
from services.accounts.refusals import CardTaken, NoSuchAccount
from services.accounts.settings import Settings
from tests import patience
from tests.support import served


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    return Settings(
        mongo_url=mongo_url, database_prefix=database, roles=("api",), card_key="key of tests"
    )


def carrel_staff(
    settings: Settings, *arguments: str, pin: str = "27-18-28", key: str = "key of tests"
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "CARREL_MONGO_URL": settings.mongo_url,
        "CARREL_DATABASE_PREFIX": settings.database_prefix,
        "CARREL_CARD_KEY": key,
    }
    return subprocess.run(
        [sys.executable, "-m", "ops", "staff", *arguments],
        input=f"{pin}\n",
        env=environment,
        capture_output=True,
        text=True,
        timeout=patience.stretched(60),
        check=False,
    )


def added(
    settings: Settings, card: str, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    return carrel_staff(settings, "add", card, *arguments, "--pin-stdin", **more)


async def test_the_first_operator_can_log_in_and_make_the_others(settings: Settings) -> None:
    made = added(settings, "op-1", "--role", "ops", "--name", "Ho")
    assert made.returncode == 0, made.stderr
    listed = json.loads(carrel_staff(settings, "list", "--json").stdout)
    account = {"card_number": "OP-1", "role": "ops", "state": "active", "name": "Ho"}
    assert listed == {"items": [account]}
    assert made.stdout.startswith("Created the ops account ")
    async with served(create_app, settings, trust_test_keys=False) as door:
        login = {"card_number": "OP-1", "pin": "27-18-28"}
        token = (await door.post("/v1/sessions", login)).json()["access_token"]
        account = {"card_number": "S-1", "name": "Lee", "role": "staff", "email": "l@example.org"}
        assert (await door.post("/v1/staff", account, as_=token)).status == 201


async def test_a_second_run_is_refused_and_changes_nothing(settings: Settings) -> None:
    await add_account(settings, "op-1", "27-18-28", "Ho", "ops")
    with pytest.raises(CardTaken):
        await add_account(settings, " OP-1", "other-pin", "Li", "staff")
    again = added(settings, "op-1", "--role", "ops", pin="other-pin")
    assert again.returncode == 1
    assert "has an account already" in again.stderr
    assert "other-pin" not in again.stderr + again.stdout
    async with served(create_app, settings, trust_test_keys=False) as door:
        login = {"card_number": "OP-1", "pin": "27-18-28"}
        assert (await door.post("/v1/sessions", login)).json()["roles"] == ["ops"]


def test_a_short_pin_or_an_unknown_role_is_refused(settings: Settings) -> None:
    short = added(settings, "op-1", "--role", "ops", pin="123")
    assert (short.returncode, short.stdout) == (1, "")
    assert "6 to 64" in short.stderr
    unknown = added(settings, "op-1", "--role", "king")
    assert unknown.returncode == 2


def test_without_the_card_key_no_account_is_made(settings: Settings) -> None:
    without = added(settings, "op-1", "--role", "ops", key="")
    assert (without.returncode, without.stdout) == (1, "")
    assert "CARREL_CARD_KEY" in without.stderr


async def test_with_another_card_key_no_account_is_made(settings: Settings) -> None:
    await add_account(settings, "op-1", "27-18-28", "Ho", "ops")
    other = added(settings, "op-2", "--role", "ops", key="another key of tests")
    assert (other.returncode, other.stdout) == (1, "")
    assert "CARREL_CARD_KEY is not the key" in " ".join(other.stderr.split())


def test_a_database_that_is_away_is_reported_in_words(settings: Settings) -> None:
    away = settings.model_copy(update={"mongo_url": "mongodb://127.0.0.1:1/?replicaSet=rs0"})
    refused = added(away, "op-1", "--role", "ops")
    assert refused.returncode == 1
    assert "CARREL_MONGO_URL" in refused.stderr
    assert "Traceback" not in refused.stderr


async def test_an_account_is_removed_without_an_operator(settings: Settings) -> None:
    await add_account(settings, "op-1", "27-18-28", "Ho", "ops")
    async with served(create_app, settings, trust_test_keys=False) as door:
        login = {"card_number": "OP-1", "pin": "27-18-28"}
        assert (await door.post("/v1/sessions", login)).status == 200
        removed = await asyncio.to_thread(carrel_staff, settings, "remove", "op-1")
        assert removed.returncode == 0, removed.stderr
        assert removed.stdout.startswith("Removed the account ")
        assert (await door.post("/v1/sessions", login)).status == 401
        database = door.app.state.database
        assert await database.sessions.count_documents({}) == 0
        assert await database.outbox.count_documents({"topic": "session.ended"}) == 1
    with pytest.raises(NoSuchAccount):
        await remove_account(settings, "op-1")


async def test_the_second_factor_of_somebody_who_lost_the_app_is_removed(
    settings: Settings,
) -> None:
    account = await add_account(settings, "lib-1", "27-18-28", "Lee", "staff")
    async with served(create_app, settings, trust_test_keys=False) as door:
        database, login = door.app.state.database, {"card_number": "LIB-1", "pin": "27-18-28"}
        factor = {"id": "f", "secret": "JBSWY3DPEHPK3PXP", "sealed": None, "confirmed": True}
        await database.cardholders.update_one({"_id": account}, {"$set": {"second_factor": factor}})
        assert (await door.post("/v1/sessions", login)).json()["code"] == "code-needed"
        done = await asyncio.to_thread(carrel_staff, settings, "remove-factor", "lib-1")
        assert done.stdout == f"The account {account} logs in without a code.\n", done.stderr
        assert (await door.post("/v1/sessions", login)).status == 200
        acts = [entry["act"] async for entry in database.audit_trail.find()]
        assert f"carrel staff remove-factor {account}" in acts


async def test_an_account_is_linked_with_a_log_in_at_the_identity_provider(
    settings: Settings,
) -> None:
    first = await add_account(settings, "lib-1", "27-18-28", "Lee", "staff")
    await add_account(settings, "lib-2", "27-18-28", "Ho", "staff")
    async with served(create_app, settings, trust_test_keys=False) as door:
        cardholders = door.app.state.database.cardholders
        for _ in range(2):
            done = await asyncio.to_thread(carrel_staff, settings, "link", "lib-1", " Lee@City ")
            assert done.stdout == f"The account {first} is linked.\n", done.stderr
        stored = await cardholders.find_one({"_id": first})
        assert stored["provider_link"]["login"] == "lee@city"
        refused = await asyncio.to_thread(carrel_staff, settings, "link", "lib-2", "lee@city")
        assert refused.returncode == 1
        assert "Another account is linked" in refused.stderr
        done = await asyncio.to_thread(carrel_staff, settings, "unlink", "lib-1")
        assert done.stdout == f"The account {first} is not linked any more.\n", done.stderr
        done = await asyncio.to_thread(carrel_staff, settings, "link", "lib-2", "lee@city")
        assert done.returncode == 0, done.stderr
