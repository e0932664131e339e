"""Views are compared with the services' own data by samples."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from importlib import import_module
from typing import Any

import pytest

from ops.audit.snapshots import compare
from services.gateway.views.projection import fold
from services.gateway.views.rebuild import PARTS, is_of_a_patron, told_by
from services.gateway.views.store import writes
from services.gateway.views.store.schema import INDEXES, WHOLE
from services.registry import OWNERS
from services.settings import Settings
from shared.contracts import accounts
from shared.declared_indexes import ensure_indexes
from shared.mongo import Client, Database
from shared.owners import OwnerAway, Owners
from tests import samples
from tests.examined import examined
from tests.support import PUBLIC_SERVICE_KEYS, SERVICE_KEYS, patient_client, reaching, served

NOW = datetime(2021, 2, 1, tzinfo=UTC)


@pytest.fixture
async def client(mongo_url: str) -> AsyncIterator[Client]:
    found = patient_client(mongo_url)
    yield found
    found.close()


@pytest.fixture
async def settings(mongo_url: str, database: str) -> AsyncIterator[Settings]:
    """Settings of a system whose owners answer queries, and do nothing else."""
    settings = Settings(
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        service_secret="a secret of these tests",
        service_key=SERVICE_KEYS["gateway"],
    )
    urls: dict[str, str] = {}
    async with contextlib.AsyncExitStack() as stack:
        for service in OWNERS:
            kind = import_module(f"services.{service}.settings").Settings
            environment = reaching(settings, **urls).model_dump()
            create_app = import_module(f"services.{service}.app").create_app
            api = await stack.enter_async_context(
                served(
                    create_app,
                    kind(**environment, service_keys=PUBLIC_SERVICE_KEYS),
                    trust_test_keys=False,
                )
            )
            urls[service] = api.url
        yield reaching(settings, **urls)


@pytest.fixture
async def owners(settings: Settings) -> AsyncIterator[Owners]:
    found = Owners(settings, "gateway")
    yield found
    await found.close()


@pytest.fixture
async def views(client: Client, settings: Settings) -> Database:
    database = client[f"{settings.database_prefix}_gateway"]
    await ensure_indexes(database, INDEXES)
    await database.account_views.insert_one({"_id": WHOLE})
    return database


async def register(client: Client, settings: Settings, views: Database, count: int) -> None:
    """Add `count` patrons to accounts and to the views."""
    patrons = client[f"{settings.database_prefix}_accounts"].patrons
    first = await patrons.count_documents({})
    ids = [f"patron-{number:06}" for number in range(first, first + count)]
    events = [samples.patron(accounts.PatronRegistered, 1, patron_id=patron) for patron in ids]
    await patrons.insert_many(
        [
            {
                "_id": event.patron_id,
                "card_digest": "",
                **event.model_dump(exclude={"patron_id", "card_digest"}),
            }
            for event in events
        ]
    )
    await writes.apply(views, [change for event in events for change in fold(event, NOW)])


async def test_the_cost_of_a_sample_does_not_grow_with_the_number_of_patrons(
    client: Client, settings: Settings, views: Database, owners: Owners
) -> None:
    databases = [client[f"{settings.database_prefix}_{service}"] for service in OWNERS]
    costs = []
    for more in (300, 5700):
        await register(client, settings, views, more)
        compared, cost = await examined(compare(views, owners, sample=10), views, *databases)
        costs.append(cost)
        assert (compared.accounts, compared.differences) == (10, [])
        assert compared.resources == 10
    few, many = costs
    assert many < few + 100, costs
    assert many < 1000, costs


async def test_a_sample_that_covers_all_finds_a_patron_without_a_view_and_a_view_without_a_patron(
    client: Client, settings: Settings, views: Database, owners: Owners, monkeypatch: Any
) -> None:
    monkeypatch.setattr("ops.audit.snapshots.ON_ITS_WAY_SECONDS", 0.01)
    await register(client, settings, views, 30)
    assert (await compare(views, owners, sample=30)).differences == []
    await views.account_views.delete_one({"_id": "patron-000007"})
    [found] = (await compare(views, owners, sample=30)).differences
    assert found == "patron of patron patron-000007 is at version 0, not 1"
    ghost = {"version": 1, "state": "open", "due_on": str(date(2021, 2, 1)), "title_id": None}
    await views.account_views.insert_one({"_id": "nobody", "loans": {"ghost": ghost}})
    statuses: list[str] = []
    found_now = (await compare(views, owners, sample=31, update=statuses.append)).differences
    assert len(found_now) == 2
    assert "loans.ghost of patron nobody is shown, but its owner does not have it" in found_now
    assert statuses[-1].startswith("Comparing the views: 31 of 31 patrons")


async def test_each_kind_of_what_belongs_to_a_patron_is_found_by_an_index(
    client: Client, settings: Settings, owners: Owners
) -> None:
    databases = [client[f"{settings.database_prefix}_{service}"] for service in OWNERS]
    for database in databases:
        await database.command("profile", 2)
    kinds = [part for part in PARTS if is_of_a_patron(part[2])]
    for service, kind, contract in kinds:
        async for _ in told_by(owners, service, kind, contract, patron="patron-1"):
            pass
    for database in databases:
        await database.command("profile", 0)
    asked = [
        (entry["ns"].partition(".")[2], entry["planSummary"])
        for database in databases
        async for entry in database.system.profile.find({"op": "query"})
        if "planSummary" in entry
    ]
    collections = {
        {
            "admissions": "study_applications",
            "seats": "study_seats",
            "bookings": "study_bookings",
        }.get(kind, kind)
        for _, kind, _ in kinds
    }
    assert {name for name, _ in asked} >= collections
    assert not [plan for name, plan in asked if name in collections and "COLLSCAN" in plan]


async def test_shared_data_cannot_be_asked_for_by_patron(owners: Owners) -> None:
    for service, kind, contract in PARTS:
        if is_of_a_patron(contract):
            continue
        with pytest.raises(OwnerAway):
            async for _ in told_by(owners, service, kind, contract, patron="patron-1"):
                pass
