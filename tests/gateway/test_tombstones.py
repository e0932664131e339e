"""Items that ended long ago are deleted; nothing shown, or still to come, changes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.gateway.consumers import subscriptions
from services.gateway.jobs import purge_tombstones, tombstone_retention
from services.gateway.settings import Settings
from services.gateway.views.store import writes
from services.gateway.views.store.schema import WHOLE, ViewChange
from shared.clock import wall_clock
from shared.contracts import Event, accounts, circulation, events, notices
from shared.mongo import Database
from shared.owners import Owners
from shared.unit_of_work import Origin, Run, UnitOfWork
from tests import samples
from tests.gateway.conftest import gateways
from tests.support import token

Hear = Callable[..., Awaitable[None]]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
KINDS = ("loans", "holds", "charges", "notifications", "registrations", "bookings")

ENDED: list[Event] = [
    samples.returned(2, "loan-2"),
    samples.hold(circulation.HoldCancelled, 2, "hold-2", state="cancelled"),
    samples.fine(2, "charge-2", outstanding_cents=0),
    samples.notification(notices.NotificationRead, 2, read=True, key="told-2"),
    samples.registration(events.RegistrationCancelled, 2, "reg-2", state="cancelled"),
    samples.booking(events.BookingCancelled, 2, "booking-2", state="cancelled", by="patron"),
]
GOES_ON: list[Event] = [
    samples.patron(accounts.PatronRegistered, 1),
    samples.loan(circulation.LoanCheckedOut, 1),
    samples.hold(circulation.HoldPlaced, 1),
    samples.fine(1),
    samples.notification(notices.NotificationDelivered, 1, read=False),
    samples.registration(events.RegistrationConfirmed, 1),
    samples.booking(events.BookingMade, 1),
]


@pytest.fixture
async def run(settings: Settings, views: Database) -> Run:
    await views.account_views.insert_one({"_id": WHOLE})
    work = UnitOfWork(views, "gateway", settings, Owners(settings, "gateway"))
    return Run(work, Origin(now=samples.START))


async def kept(views: Database, patron: str = "patron-1") -> dict[str, Any]:
    view = await views.account_views.find_one({"_id": patron})
    assert view is not None
    return view


async def make_old(views: Database, *, patron: str = "patron-1", but: str = "") -> None:
    """Mark all ended items as ended long ago, except `but`."""
    view = await kept(views, patron)
    paths = [
        f"{kind}.{key}.ended"
        for kind in KINDS
        for key, one in view.get(kind, {}).items()
        if "ended" in one and key != but
    ]
    old = {"oldest_end": LONG_AGO} | dict.fromkeys(paths, LONG_AGO)
    await views.account_views.update_one({"_id": patron}, {"$set": old})
    await views.queues.update_many(
        {"ended": {"$exists": True}, "_id": {"$ne": but}}, {"$set": {"ended": LONG_AGO}}
    )


async def test_items_that_ended_long_ago_are_deleted_and_others_stay_unchanged(
    run: Run, views: Database, hear: Hear
) -> None:
    for event in [*GOES_ON, *ENDED]:
        await hear(event)
    await make_old(views, but="loan-2")
    before = await kept(views)
    assert await purge_tombstones(run) > 0
    after = await kept(views)
    assert {kind: list(after[kind]) for kind in KINDS} == {
        "loans": ["loan-1", "loan-2"],
        "holds": ["hold-1"],
        "charges": ["charge-1"],
        "notifications": ["told-1"],
        "registrations": ["reg-1"],
        "bookings": ["booking-1"],
    }
    assert after["oldest_end"] == after["loans"]["loan-2"]["ended"]
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed <= {*KINDS, "oldest_end"}  # the stamp is not changed
    assert [row["_id"] async for row in views.queues.find().sort("_id")] == ["hold-1"]
    assert await purge_tombstones(run) == 0


async def test_tombstones_of_recently_ended_items_are_kept(
    run: Run, views: Database, hear: Hear
) -> None:
    for event in [*GOES_ON, *ENDED]:
        await hear(event)
    before = await kept(views)
    assert await purge_tombstones(run) == 0
    assert await kept(views) == before
    assert await views.queues.count_documents({"ended": {"$exists": True}}) == 3


async def test_a_charge_with_a_refund_due_after_its_end_is_kept(
    run: Run, views: Database, hear: Hear
) -> None:
    await hear(samples.fine(2, outstanding_cents=0))
    await hear(samples.fine(3, outstanding_cents=0, refund_due_cents=150))
    await make_old(views)
    await purge_tombstones(run)
    assert list((await kept(views))["charges"]) == ["charge-1"]
    assert "oldest_end" not in await kept(views)


async def test_nothing_is_left_of_an_erased_patron_after_the_purge(
    run: Run, views: Database, hear: Hear
) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    await hear(samples.patron(accounts.PatronErased, 2, status="erased"))
    await hear(samples.returned(2))
    await purge_tombstones(run)
    assert (await kept(views))["patron"]["status"] == "erased"
    await make_old(views)
    await purge_tombstones(run)
    assert await views.account_views.find_one({"_id": "patron-1"}) is None


async def test_an_event_older_than_a_purged_tombstone_is_ignored(run: Run, views: Database) -> None:
    async def hear_of(event: Event, recorded: datetime) -> None:
        """Hand the event over as the listener does: its id contains the time of its recording."""
        event_id = f"{int(recorded.timestamp() * 1000):012x}".ljust(12, "0")
        event_id = f"{event_id[:8]}-{event_id[8:]}-7000-8000-000000000000"
        handler = subscriptions.by_topic[event.topic].handler
        await writes.apply(views, handler(event, Origin(samples.START, causation_id=event_id)))

    now = wall_clock()
    await hear_of(samples.loan(circulation.LoanCheckedOut, 1), now)
    await hear_of(samples.returned(2), now)
    await make_old(views)
    await purge_tombstones(run)
    old = now - tombstone_retention(run.settings) - timedelta(hours=1)
    await hear_of(samples.loan(circulation.LoanCheckedOut, 1), old)
    assert (await kept(views))["loans"] == {}
    await hear_of(samples.loan(circulation.LoanCheckedOut, 1, "loan-7"), now)
    assert list((await kept(views))["loans"]) == ["loan-7"]


async def test_two_replicas_purge_many_views_concurrently(
    run: Run, views: Database, hear: Hear
) -> None:
    patrons = [f"patron-{number}" for number in range(450)]
    for start in range(0, len(patrons), 150):
        await writes.apply(
            views,
            [
                ViewChange(
                    patron,
                    f"loans.loan-{patron}",
                    {"version": 2, "state": "returned"},
                    "circulation",
                    samples.START,
                    ends=True,
                )
                for patron in patrons[start : start + 150]
            ],
        )
    ended = [{"$set": {"oldest_end": LONG_AGO}}]
    await views.account_views.update_many({"loans": {"$exists": True}}, ended)
    for patron in patrons:
        path = f"loans.loan-{patron}.ended"
        await views.account_views.update_one({"_id": patron}, {"$set": {path: LONG_AGO}})
    await asyncio.gather(purge_tombstones(run), purge_tombstones(run))
    assert await views.account_views.count_documents({"oldest_end": {"$exists": True}}) == 0
    assert await views.account_views.count_documents({"loans": {}}) == len(patrons)


async def test_old_ended_items_are_found_by_an_index(views: Database) -> None:
    found = await views.account_views.find({"oldest_end": {"$lt": LONG_AGO}}).explain()
    assert "COLLSCAN" not in str(found["queryPlanner"]["winningPlan"])
    found = await views.queues.find({"ended": {"$lt": LONG_AGO}}).explain()
    assert "COLLSCAN" not in str(found["queryPlanner"]["winningPlan"])


async def test_only_operators_may_run_the_job(settings: Settings, whole: None) -> None:
    async with gateways(settings, 1) as (api,):
        answers = [
            await api.post("/v1/ops/jobs/gateway/purge-tombstones", as_=token("o-1", roles=[role]))
            for role in ("ops", "patron")
        ]
    assert [answer.status for answer in answers] == [200, 403]
    assert answers[0].json() == {"job": "gateway/purge-tombstones", "done": 0}
