"""The audit reports each kind of lost, doubled or different data that a test causes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from typing import Any

import pytest

from ops.audit.system import audit
from ops.infrastructure.processes import System
from services.settings import Settings
from shared.mongo import Database
from tests.faults.test_kills import day_at_the_library
from tests.library import Library
from tests.support import patient_client

pytestmark = pytest.mark.embedded

Stores = Callable[[str], Database]
Harm = Callable[[Stores], Awaitable[object]]


Documents = dict[tuple[str, str], list[dict[str, Any]]]
"""All documents of the collections of all databases, by database and collection."""


@pytest.fixture(scope="module")
def sound() -> Documents:
    """The documents after a day without audit findings; empty before the first test."""
    return {}


@pytest.fixture
async def stores(running: System, library: Library, sound: Documents) -> AsyncIterator[Stores]:
    """The databases after a day at the library, restored after the test."""
    settings = running.settings(Settings)
    client = patient_client(settings.mongo_url)

    def of(service: str) -> Database:
        return client[f"{settings.database_prefix}_{service}"]

    if not sound:
        await day_at_the_library(library, date(2020, 11, 2))
        await library.flow.settle()
        assert (await audit(settings)).findings == []
        for database in map(of, ("accounts", "circulation", "events", "notices", "gateway")):
            for name in await database.list_collection_names():
                if name != "leases":  # the relays keep running
                    documents = await database[name].find({}).to_list(None)
                    sound[database.name, name] = documents
    yield of
    for (database_name, name), documents in sound.items():
        collection = client[database_name][name]
        if await collection.find({}).to_list(None) != documents:
            await collection.delete_many({})
            if documents:
                await collection.insert_many(documents)
    client.close()


async def twin_of_a_loan(stores: Stores) -> None:
    loans = stores("circulation").loans
    await loans.drop_index("copy_id_1")
    twin = await loans.find_one({"state": "open"})
    assert twin is not None
    await loans.insert_one({**twin, "_id": "twin"})


async def copy_given_twice(stores: Stores) -> None:
    holds = stores("circulation").holds
    await holds.drop_index("one_hold_of_copy")
    ready = await holds.find_one({"state": "ready"})
    assert ready is not None
    given = {"$set": {"state": "ready", "copy_id": ready["copy_id"]}}
    assert (await holds.update_one({"state": "waiting"}, given)).modified_count == 1


async def copy_left_on_the_shelf(stores: Stores) -> None:
    holds, copies = stores("circulation").holds, stores("circulation").copies
    ready = await holds.find_one_and_update(
        {"state": "ready"}, {"$set": {"state": "cancelled", "copy_id": None}}
    )
    assert ready is not None
    left = {"$set": {"state": "available", "hold_id": None}}
    assert (await copies.update_one({"_id": ready["copy_id"]}, left)).modified_count == 1


async def row_of_the_outbox_again(stores: Stores) -> None:
    outbox = stores("circulation").outbox
    row = await outbox.find_one({"topic": "loan.returned"})
    assert row is not None
    await outbox.insert_one({**row, "_id": "twin"})


async def second_fine(stores: Stores) -> None:
    charges = stores("circulation").charges
    charge = await charges.find_one({})
    assert charge is not None
    await charges.insert_one({**charge, "_id": "twin"})


def set_one(service: str, collection: str, query: Any, change: Any) -> Harm:
    async def harm(stores: Stores) -> None:
        changed = await stores(service)[collection].update_one(query, change)
        assert changed.modified_count == 1

    return harm


def delete_one(service: str, collection: str, query: Any) -> Harm:
    async def harm(stores: Stores) -> None:
        assert (await stores(service)[collection].delete_one(query)).deleted_count == 1

    return harm


def add_one(service: str, collection: str, document: dict[str, Any]) -> Harm:
    async def harm(stores: Stores) -> None:
        await stores(service)[collection].insert_one(dict(document))

    return harm


async def place_given_twice(stores: Stores) -> None:
    given = await stores("events").registrations.find_one({"state": "confirmed"})
    assert given is not None
    twin = {**given, "_id": "twin", "patron_id": "another", "turn": 9}
    await stores("events").registrations.insert_one(twin)


NO_CLOSURES: dict[str, Any] = {"$set": {"closures": []}}
LINK = {"_id": "made up", "patron_id": "a", "member_id": "b", "ended_at": None, "version": 1}
PAYMENT = {"_id": "made up", "state": "paid", "parts": [{"charge_id": "charge", "cents": 450}]}


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(
            delete_one("circulation", "outbox", {"topic": "loan.checked-out"}),
            "is in no outbox",
            id="an event lost from an outbox",
        ),
        pytest.param(row_of_the_outbox_again, "was published as versions", id="an event doubled"),
        pytest.param(row_of_the_outbox_again, "is not on its topic", id="an event that never left"),
        pytest.param(twin_of_a_loan, "has 2 open loans", id="a loan doubled"),
        pytest.param(
            delete_one("circulation", "loans", {"state": "open"}), "0 open loans", id="a loan lost"
        ),
        pytest.param(second_fine, "was charged 2 times", id="a fine charged twice"),
        pytest.param(
            set_one("circulation", "charges", {}, {"$inc": {"amount_cents": 50}}),
            "has a statement of",
            id="a fine of another sum than its statement",
        ),
        pytest.param(
            delete_one("circulation", "entries", {"kind": "charge"}),
            "its ledger",
            id="an entry of the ledger lost",
        ),
        pytest.param(
            set_one("circulation", "entries", {}, {"$inc": {"amount_cents": 50}}),
            "its ledger",
            id="an entry of another sum",
        ),
        pytest.param(
            set_one("circulation", "entries", {}, {"$set": {"charge_id": "nobody's"}}),
            "has entries, but does not exist",
            id="an entry of no charge",
        ),
        pytest.param(
            set_one("circulation", "entries", {}, {"$set": {"patron_id": "another"}}),
            "has entries of another patron",
            id="an entry of another patron",
        ),
        pytest.param(
            add_one("circulation", "payments", PAYMENT),
            "is booked 0 times",
            id="a payment that no charge shows",
        ),
        pytest.param(
            add_one("circulation", "payments", {**PAYMENT, "state": "pending"}),
            "charges are claimed by {}",
            id="a payment under way that has claimed nothing",
        ),
        pytest.param(
            add_one("circulation", "claims", {"_id": "charge", "of": "payment"}),
            "pending payments have {}",
            id="a claim that nothing is under way for",
        ),
        pytest.param(
            set_one("circulation", "borrowers", {}, {"$inc": {"open_loans": 1}}),
            "has a count of",
            id="a loan miscounted",
        ),
        pytest.param(
            set_one("circulation", "borrowers", {}, {"$set": {"closed": True}}),
            "although nobody erases them",
            id="borrowing closed without an erasure",
        ),
        pytest.param(copy_given_twice, "is kept for 2 holds", id="a copy for two patrons"),
        pytest.param(copy_left_on_the_shelf, "is free while", id="a copy idle while one waits"),
        pytest.param(
            delete_one("circulation", "holds", {"state": "ready"}),
            "but no hold says so",
            id="a hold lost",
        ),
        pytest.param(
            set_one("circulation", "copies", {"state": "on-shelf"}, {"$set": {"state": "lost"}}),
            "but no copy is kept for it",
            id="a copy that was kept lost",
        ),
        pytest.param(
            set_one("circulation", "borrowers", {"open_holds": 1}, {"$inc": {"open_holds": 1}}),
            "has a count of 2 holds",
            id="a hold miscounted",
        ),
        pytest.param(
            set_one(
                "gateway",
                "account_views",
                {"holds": {"$exists": True}},
                {"$unset": {"holds": ""}},
            ),
            "is shown other holds",
            id="a hold not shown",
        ),
        pytest.param(
            place_given_twice, "has 1 patrons more than places", id="a place for two patrons"
        ),
        pytest.param(
            delete_one("events", "registrations", {"state": "confirmed"}),
            "is cancelled, but was published as confirmed",
            id="a registration lost",
        ),
        pytest.param(
            set_one("events", "places", {}, {"$inc": {"waiting": 1}}),
            "has counts of",
            id="a waiting list miscounted",
        ),
        pytest.param(
            delete_one("circulation", "titles", {}), "but is not in titles", id="a title lost"
        ),
        pytest.param(
            set_one("circulation", "calendars", {"closures": {"$ne": []}}, NO_CLOSURES),
            "circulation knows other closures of",
            id="a closure that circulation does not know",
        ),
        pytest.param(
            delete_one("circulation", "patrons", {}),
            "circulation knows another category, block or expiry",
            id="a patron whom circulation does not know",
        ),
        pytest.param(
            set_one("accounts", "patrons", {"blocked_by": "money"}, {"$set": {"blocked_by": []}}),
            "but their standing says otherwise",
            id="a block for debts lost",
        ),
        pytest.param(
            delete_one("accounts", "patrons", {"status": "active"}),
            "but accounts does not have them",
            id="a patron lost",
        ),
        pytest.param(
            add_one("accounts", "links", LINK), "has only one side", id="one side of a link lost"
        ),
        pytest.param(
            add_one("circulation", "links", LINK),
            "circulation knows other links of cards",
            id="a link that accounts does not have",
        ),
        pytest.param(
            delete_one("gateway", "account_views", {"loans": {"$exists": True}}),
            "is shown other",
            id="a view lost",
        ),
        pytest.param(
            delete_one("notices", "notifications", {"kind": "fine.assessed"}),
            "has 0 notifications of fine.assessed instead of 1",
            id="a notification lost",
        ),
    ],
)
async def test_the_audit_finds_damage(
    running: System, stores: Stores, harm: Harm, says: str
) -> None:
    await harm(stores)

    findings = (await audit(running.settings(Settings))).findings
    assert any(says in finding for finding in findings), findings


async def test_the_audit_finds_nothing_in_restored_databases(
    running: System, stores: Stores
) -> None:
    assert (await audit(running.settings(Settings))).findings == []
