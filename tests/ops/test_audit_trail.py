"""`carrel audit-trail`: what was recorded, and the proof that nothing is missing."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone

import pytest

from ops.audit.security import check_trails
from ops.direct import add_account, indexes_of
from services.accounts.settings import Settings
from services.registry import NAMES
from shared.audit_seals import seal
from shared.declared_indexes import ensure_indexes
from shared.mongo import Client, Database
from tests.keys import CARD_KEY
from tests.ops.command import carrel
from tests.support import patient_client

KEYS = {name: f"audit key of {name} here" for name in NAMES}
"""The keys that `tests.ops.command.carrel` gives."""


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    return Settings(
        mongo_url=mongo_url,
        database_prefix=database,
        kafka="127.0.0.1:9",
        card_key=CARD_KEY,
    )


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    found = patient_client(settings.mongo_url)
    for service in NAMES:
        store = found[f"{settings.database_prefix}_{service}"]
        await ensure_indexes(store, indexes_of(service, settings))
    yield found
    found.close()


@pytest.fixture
async def accounts(client: Client, settings: Settings) -> Database:
    return client[f"{settings.database_prefix}_accounts"]


async def test_commands_on_the_database_are_recorded_and_listed(
    settings: Settings, accounts: Database
) -> None:
    first = await add_account(settings, "op-1", "27-18-28", "Ho", "ops")
    await add_account(settings, "op-2", "27-18-28", "Ma", "ops")
    listed = (await carrel(settings, "audit-trail", "--json")).json()["entries"]
    assert [(one["service"], one["act"], one["roles"]) for one in listed] == [
        ("accounts", "carrel staff add", ["ops"]),
        ("accounts", "carrel staff add", ["ops"]),
    ]
    assert listed[0]["by"].startswith("carrel: ")
    about = await carrel(settings, "audit-trail", "--object", first, "--json")
    assert [one["objects"] for one in about.json()["entries"]] == [[first]]
    by = await carrel(settings, "audit-trail", "--actor", "nobody", "--json")
    assert by.json()["entries"] == []
    later = await carrel(settings, "audit-trail", "--since", "2100-01-01", "--json")
    assert later.json()["entries"] == []
    in_hong_kong = datetime.now(timezone(timedelta(hours=8))) - timedelta(minutes=5)
    recent = await carrel(settings, "audit-trail", "--since", in_hong_kong.isoformat(), "--json")
    assert recent.json()["entries"] == listed
    assert "No entry matches." in (await carrel(settings, "audit-trail", "--actor", "nobody")).out
    other = await carrel(settings, "audit-trail", "--service", "notices", "--json")
    assert other.json()["entries"] == []
    assert "carrel staff add" in (await carrel(settings, "audit-trail", COLUMNS="200")).out


async def test_a_removed_entry_is_found_by_the_command_and_by_the_doctor(
    settings: Settings, client: Client, accounts: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for service, key in KEYS.items():
        monkeypatch.setenv(f"CARREL_AUDIT_KEYS_{service.upper()}", key)
    await add_account(settings, "op-1", "27-18-28", "Ho", "ops")
    assert await seal(accounts, KEYS["accounts"]) == 1
    whole = await carrel(settings, "audit-trail", "--verify", "--json")
    assert whole.code == 0
    trail = next(one for one in whole.json()["trails"] if one["service"] == "accounts")
    assert (trail["entries"], trail["last"], trail["faults"]) == (1, 1, [])
    assert (await check_trails(client, settings)).level == "ok"

    [entry] = [one async for one in accounts.audit_trail.find()]
    await accounts.audit_trail.delete_one({"_id": entry["_id"]})
    ran = await carrel(settings, "audit-trail", "--verify", COLUMNS="200")
    assert ran.code == 1
    assert f"accounts: entry {entry['_id']} of seal 1 is missing" in ran.out
    found = await check_trails(client, settings)
    assert (found.check, found.level) == ("audit trails", "fail")
    assert "seal 1 is missing" in found.found


async def test_a_missing_key_is_not_blamed_on_the_trail(
    settings: Settings, client: Client, accounts: Database
) -> None:
    await add_account(settings, "op-1", "27-18-28", "Ho", "ops")
    await seal(accounts, "the former key of accounts")
    new = {"CARREL_AUDIT_KEYS_ACCOUNTS": "the latest key of accounts", "COLUMNS": "200"}
    ran = await carrel(settings, "audit-trail", "--verify", **new)
    assert ran.code == 1
    assert "accounts: seal 1 was made with a key that CARREL_AUDIT_KEYS lacks" in ran.out
    assert "altered" not in ran.out
    both = {"CARREL_AUDIT_KEYS_ACCOUNTS": "the latest key of accounts,the former key of accounts"}
    await add_account(settings, "op-2", "27-18-28", "Ma", "ops")
    await seal(accounts, both["CARREL_AUDIT_KEYS_ACCOUNTS"])
    assert (await carrel(settings, "audit-trail", "--verify", **both)).code == 0
    without = await carrel(settings, "audit-trail", "--verify", CARREL_AUDIT_KEYS_EVENTS="")
    assert (without.code, without.out) == (1, "")
    assert "CARREL_AUDIT_KEYS_EVENTS" in without.err
