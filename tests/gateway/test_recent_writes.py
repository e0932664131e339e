"""A replica does not write again what it wrote for a command, unless the views are others now."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from pymongo.errors import AutoReconnect

from services.gateway.consumers import subscriptions
from services.gateway.views.own_writes import OwnWrites
from services.gateway.views.store import memory, writes
from services.gateway.views.store.schema import FORM, WHOLE
from services.gateway.views.stream import Streams
from shared.auth import Verifier
from shared.clock import wall_clock
from shared.contracts import Event, circulation
from shared.ids import new_id
from shared.mongo import Database, Document, connect
from shared.unit_of_work import Origin
from tests import samples
from tests.warm import requests_sent

LOAN = samples.loan(circulation.LoanCheckedOut, 1, "loan-1", patron_id="patron-1")
HOLD = samples.hold(circulation.HoldPlaced, 1, "hold-1", patron_id="patron-1")
LATER = timedelta(seconds=1)
"""The owner's time of a command is a little later than the gateway's."""


@pytest.fixture
async def own_writes(views: Database) -> OwnWrites:
    """The own writes of a replica that has read an event since the views were complete."""
    await complete(views)
    await hear(views, samples.loan(circulation.LoanCheckedOut, 1, "loan-9", patron_id="patron-9"))
    app = FastAPI()
    app.state.database = views
    app.state.verifier, app.state.streams = Verifier(_no_keys, "accounts"), Streams()
    return OwnWrites(app)


async def _no_keys() -> Any:
    raise NotImplementedError


async def complete(views: Database) -> None:
    """Mark the views as those of a build that was completed just now."""
    whole = {"form": FORM, "since": wall_clock(), "begun": wall_clock()}
    await views.account_views.replace_one({"_id": WHOLE}, whole, upsert=True)


def answered(*events: Event) -> list[dict[str, Any]]:
    return [{"topic": event.topic, "data": event.model_dump(mode="json")} for event in events]


async def hear(views: Database, *events: Event) -> None:
    """Hand events to their consumers as they arrive from Kafka."""
    origin = Origin(samples.START + LATER, causation_id=new_id())
    changes = [
        change
        for event in events
        for change in subscriptions.by_topic[event.topic].handler(event, origin)
    ]
    await writes.apply(views, changes)


async def view(views: Database) -> Document:
    return await views.account_views.find_one({"_id": "patron-1"}) or {}


async def test_a_repeated_request_brings_nothing_back_that_ended_before_a_build(
    views: Database, own_writes: OwnWrites
) -> None:
    recorded = {"recorded_at": (wall_clock() - 2 * writes.LATE).isoformat()}
    repeated = [change | recorded for change in answered(LOAN, HOLD)]
    assert await own_writes.write(repeated, samples.START, within=10)
    assert await view(views) == {}
    assert await views.queues.find_one({"_id": "hold-1"}) is None

    await own_writes.write(answered(LOAN), samples.START, within=10)  # by a new request
    renewed = samples.loan(circulation.LoanRenewed, 2, "loan-1", patron_id="patron-1")
    repeated = [change | recorded for change in answered(renewed)]
    await own_writes.write(repeated, samples.START, within=10)
    assert (await view(views))["loans"]["loan-1"]["version"] == 2


async def test_the_events_of_an_own_write_change_nothing(
    views: Database, own_writes: OwnWrites
) -> None:
    assert await own_writes.write(answered(LOAN, HOLD), samples.START, within=10)
    written = await view(views)
    await hear(views, LOAN, HOLD)

    assert await view(views) == written, "an unchanged account got a new stamp"
    await hear(views, samples.loan(circulation.LoanRenewed, 2, "loan-1", patron_id="patron-1"))
    assert (await view(views))["loans"]["loan-1"]["version"] == 2


async def retitled(views: Database, title: str) -> None:
    """Change the stored title as another replica does, which writes it into views as well."""
    await views.titles.update_one({"_id": "title-1"}, {"$set": {"version": 2, "title": title}})


async def shown(views: Database) -> tuple[str, int]:
    loan = (await view(views))["loans"]["loan-1"]
    return loan["title"], loan["title_version"]


async def test_an_own_write_takes_one_round_trip_once_its_title_is_known(
    views: Database, own_writes: OwnWrites
) -> None:
    await hear(views, samples.title(1, "A title"))
    await own_writes.write(answered(HOLD), samples.START, within=10)
    with requests_sent() as sent:
        await own_writes.write(answered(LOAN), samples.START, within=10)
        assert sent == ["update"]
    assert await shown(views) == ("A title", 1)


async def test_the_event_of_an_own_write_corrects_a_title_that_was_changed_elsewhere(
    views: Database, own_writes: OwnWrites
) -> None:
    await hear(views, samples.title(1, "A title"), HOLD)
    await retitled(views, "Its new title")
    await own_writes.write(answered(LOAN), samples.START, within=10)
    assert await shown(views) == ("A title", 1)
    await hear(views, LOAN)
    assert await shown(views) == ("Its new title", 2)


async def test_events_that_come_together_correct_the_one_that_showed_an_older_title(
    views: Database, own_writes: OwnWrites
) -> None:
    later = samples.loan(circulation.LoanCheckedOut, 1, "loan-2", patron_id="patron-1")
    await hear(views, samples.title(1, "A title"), HOLD)
    await retitled(views, "Its new title")
    await own_writes.write(answered(LOAN), samples.START, within=10)
    memory._kept.of(views).clear()  # so many other titles came between
    await own_writes.write(answered(later), samples.START, within=10)
    assert await shown(views) == ("A title", 1)
    await hear(views, LOAN, later)
    assert await shown(views) == ("Its new title", 2)


async def test_another_replica_corrects_a_title_that_a_killed_one_had_shown(
    views: Database, own_writes: OwnWrites, mongo_url: str
) -> None:
    await hear(views, samples.title(1, "A title"), HOLD)
    await retitled(views, "Its new title")
    await own_writes.write(answered(LOAN), samples.START, within=10)  # and no more from this one
    stamp = (await view(views))["stamp"]

    client = connect(mongo_url)
    other = client[views.name]
    await hear(other, HOLD)  # it knows the new title
    await hear(other, LOAN)
    client.close()
    assert await shown(views) == ("Its new title", 2)
    assert (await view(views))["stamp"] != stamp


async def test_events_are_written_into_views_that_were_replaced_after_an_own_write(
    views: Database, own_writes: OwnWrites
) -> None:
    assert await own_writes.write(answered(LOAN), samples.START, within=10)
    await views.account_views.delete_many({})  # the new views lack the loan
    await complete(views)
    await hear(views, LOAN)

    assert "loan-1" in (await view(views))["loans"]


async def test_events_are_written_if_it_is_not_known_into_which_views_their_write_went(
    views: Database, own_writes: OwnWrites
) -> None:
    await complete(views)  # and no event has been read since
    assert await own_writes.write(answered(LOAN), samples.START, within=10)
    written = await view(views)
    await hear(views, LOAN)
    assert (await view(views))["heard"] != written["heard"]

    assert await own_writes.write(answered(HOLD), samples.START, within=10)
    written = await view(views)
    await hear(views, HOLD)
    assert await view(views) == written


async def test_events_are_written_into_views_that_were_lost_after_an_own_write(
    views: Database, own_writes: OwnWrites
) -> None:
    assert await own_writes.write(answered(LOAN), samples.START, within=10)
    await views.account_views.delete_many({})
    await hear(views, LOAN)

    assert "loan-1" in (await view(views))["loans"]


async def test_the_event_of_an_own_write_that_was_not_acknowledged_is_written(
    views: Database, own_writes: OwnWrites, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise AutoReconnect("no majority")

    with monkeypatch.context() as patch:
        patch.setattr(writes, "write", fail)
        assert not await own_writes.write(answered(LOAN), samples.START, within=10)
    await hear(views, LOAN)

    assert "loan-1" in (await view(views))["loans"]


async def test_a_write_is_remembered_for_a_limited_time_and_number(
    views: Database, own_writes: OwnWrites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST_KEPT", 2)
    for number in range(4):
        loan = samples.loan(circulation.LoanCheckedOut, 1, f"loan-{number}", patron_id="patron-1")
        assert await own_writes.write(answered(loan), samples.START, within=10)
    kept = memory._recent.of(views).written
    assert [path for _, path, _ in kept] == ["loans.loan-2", "loans.loan-3"]

    monkeypatch.setattr(memory, "KEPT_SECONDS", 0.0)
    before = await view(views)
    await hear(views, samples.loan(circulation.LoanCheckedOut, 1, "loan-3", patron_id="patron-1"))
    assert (await view(views))["heard"] != before["heard"]
