"""Charges block a patron through events, independently of a block by the staff."""

import random
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.accounts.patrons.consumers import block_or_unblock
from shared.contracts.circulation import ChargeSnapshot, FineAssessed, FinePaid, Standing
from shared.unit_of_work import Origin, Run
from tests.accounts.people import STAFF, events, registered
from tests.support import Api

REASON = {"reason": "asked for it"}


def told(patron_id: str, version: int, cents: int) -> ChargeSnapshot:
    """An event by which a patron owes `cents`; 100 cents or more block the patron."""
    fields: dict[str, Any] = {
        "version": 1,
        "charge_id": f"charge-{version}",
        "patron_id": patron_id,
        "loan_id": "loan-1",
        "kind": "fine",
        "amount_cents": 450,
        "outstanding_cents": 0,
        "assessed_on": date(2021, 3, 5),
        "standing": Standing(version=version, outstanding_cents=cents, blocked=cents >= 100),
    }
    if cents:
        return FineAssessed(**fields, due_on=date(2021, 3, 1), charged_days=3, spans=())
    return FinePaid(**fields, paid_cents=450, payment_id="payment-1")


async def hear(api: Api, *events: ChargeSnapshot) -> None:
    for event in events:
        origin = Origin(now=datetime(2021, 3, 5, tzinfo=UTC))
        await block_or_unblock(event, Run(api.app.state.unit_of_work, origin))


async def now(api: Api, patron: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await api.get(f"/v1/patrons/{patron['id']}", as_=STAFF)).json()
    return found


async def test_a_patron_who_owes_too_much_is_blocked_until_it_is_paid(api: Api) -> None:
    mei = await registered(api)
    await hear(api, told(mei["id"], 1, 99))
    assert (await now(api, mei))["status"] == "active"
    await hear(api, told(mei["id"], 2, 450))
    blocked = await now(api, mei)
    assert (blocked["status"], blocked["blocked_by"]) == ("blocked", ["money"])
    await hear(api, told(mei["id"], 3, 0))
    assert (await now(api, mei))["status"] == "active"
    topics = [topic for topic, _ in await events(api)]
    assert topics == ["patron.registered", "patron.blocked", "patron.unblocked"]
    assert [event["blocked_by"] for _, event in await events(api)] == [[], ["money"], []]


async def test_a_block_by_staff_remains_after_all_debts_are_paid(api: Api) -> None:
    mei = await registered(api)
    path = f"/v1/patrons/{mei['id']}"
    await hear(api, told(mei["id"], 1, 450))
    assert (await api.post(f"{path}/unblock", REASON, as_=STAFF)).json()["code"] == "not-blocked"
    both = (await api.post(f"{path}/block", REASON, as_=STAFF)).json()
    assert both["blocked_by"] == ["money", "staff"]
    await hear(api, told(mei["id"], 2, 0))
    assert (await now(api, mei))["blocked_by"] == ["staff"]
    free = (await api.post(f"{path}/unblock", REASON, as_=STAFF)).json()
    assert (free["status"], free["blocked_by"]) == ("active", [])
    assert [topic for topic, _ in await events(api)] == [
        "patron.registered",
        "patron.blocked",
        "patron.updated",
        "patron.updated",
        "patron.unblocked",
    ]
    assert [event["version"] for _, event in await events(api)] == [1, 2, 3, 4, 5]


async def test_debt_events_in_any_order_leave_the_newest(api: Api) -> None:
    mei = await registered(api)
    story = [told(mei["id"], version, cents) for version, cents in enumerate((450, 0, 900, 0), 1)]
    chance = random.Random(4)  # noqa: S311
    for _ in range(3):
        heard = story * 2
        chance.shuffle(heard)
        await hear(api, *heard)
        assert (await now(api, mei))["status"] == "active"


@pytest.mark.usefixtures("lending")
async def test_an_event_without_a_standing_or_of_an_erased_patron_blocks_nobody(api: Api) -> None:
    mei = await registered(api)
    older = told(mei["id"], 1, 450).model_copy(update={"standing": None})
    await hear(api, older)
    assert (await now(api, mei))["status"] == "active"
    await api.delete(f"/v1/patrons/{mei['id']}", as_=STAFF)
    await hear(api, told(mei["id"], 2, 450))
    assert await api.app.state.database.standings.count_documents({}) == 0
    assert [topic for topic, _ in await events(api)] == ["patron.registered", "patron.erased"]
