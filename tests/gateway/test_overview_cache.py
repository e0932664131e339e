"""A cached overview is reused only while it is current: every change shows at once."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from services.gateway.settings import Settings
from services.gateway.views.overviews import Answer, OverviewCache
from services.gateway.views.store import reads
from services.gateway.views.store.builds import begin_build, finish_build
from services.gateway.views.store.reads import Stamps
from services.gateway.views.store.schema import WHOLE
from shared.contracts import Event, accounts, circulation, events, notices
from shared.mongo import Database
from tests import samples
from tests.gateway.conftest import gateways
from tests.support import Api, token

PATRON = token("patron-1", name="Chan Mei-ling")
DAY = "2021-02-10T10:00:00+08:00"

Hear = Callable[..., Awaitable[None]]


@pytest.fixture
async def two(settings: Settings, whole: None, hear: Hear) -> AsyncIterator[tuple[Api, Api]]:
    """Two replicas; the patron has a loan and a waiting hold."""
    await hear(samples.title(1, "A title"))
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    await hear(samples.hold(circulation.HoldPlaced, 1, "h-1", patron_id="patron-7", place=1))
    await hear(samples.hold(circulation.HoldPlaced, 1, "h-2", place=2))
    async with gateways(settings, 2) as (one, other):
        yield one, other


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list to which each read of an account view adds its patron."""
    read: list[str] = []
    account_views = reads.account_views

    async def counted(database: Database, patron_ids: Sequence[str]) -> Any:
        read.extend(patron_ids)
        return await account_views(database, patron_ids)

    monkeypatch.setattr(reads, "account_views", counted)
    return read


async def shown(api: Api, as_: str = PATRON, at: str = DAY) -> tuple[bytes, str]:
    """Return the body and the ETag of the account."""
    answer = await api.get("/v1/me", as_=as_, at=at)
    assert answer.status == 200
    return answer.body, answer.headers["ETag"]


async def test_an_unchanged_overview_is_answered_from_the_cache(
    two: tuple[Api, Api], hear: Hear, looked_up: list[str]
) -> None:
    first = await shown(two[0])
    await hear(samples.loan(circulation.LoanCheckedOut, 1))  # repeated
    assert [await shown(two[0]) for _ in range(3)] == [first] * 3
    assert looked_up == ["patron-1"]


CHANGES: dict[str, Event] = {
    "a loan": samples.loan(circulation.LoanCheckedOut, 1, "loan-2"),
    "a renewal": samples.loan(
        circulation.LoanRenewed, 2, due_on=date(2021, 3, 1), renewals=1, renewals_left=4
    ),
    "a corrected title": samples.title(2, "A corrected title"),
    "a place in the queue": samples.hold(
        circulation.HoldCancelled, 2, "h-1", patron_id="patron-7", state="cancelled"
    ),
    "a fine": samples.fine(1),
    "a registration": samples.registration(events.RegistrationConfirmed, 1),
    "a notification": samples.notification(notices.NotificationDelivered, 1, read=False),
    "the patron": samples.patron(accounts.PatronBlocked, 1, status="blocked"),
    "the patron's end": samples.patron(accounts.PatronErased, 9, status="erased"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
async def test_a_change_is_shown_by_the_next_read_on_every_replica(
    two: tuple[Api, Api], hear: Hear, change: Event
) -> None:
    before, _ = await shown(two[0])
    await hear(change, samples.at(1))
    after = await shown(two[0])
    assert after == await shown(two[1])  # which has nothing in its cache
    assert after[0] != before


async def test_a_cached_response_is_identical_to_the_first(two: tuple[Api, Api]) -> None:
    own = {"x-request-id", "date", "ratelimit"}
    first, again = [await two[0].get("/v1/me", as_=PATRON, at=DAY) for _ in range(2)]
    told = [{n.lower(): v for n, v in a.headers.items()} for a in (first, again)]
    assert [{n: v for n, v in one.items() if n not in own} for one in told] == [
        {n: v for n, v in told[0].items() if n not in own}
    ] * 2
    assert "x-request-id" in told[1]
    metrics = (await two[0].operations("/metrics")).body.decode()
    assert 'route="/v1/me",service="gateway",status="200"' in metrics


async def test_a_caller_without_access_is_not_answered_from_the_cache(
    two: tuple[Api, Api],
) -> None:
    await shown(two[0])
    for as_, status in (
        (token("patron-1", ("staff",)), 403),
        (token("patron-1", expires_in=-60), 401),
        (token("patron-1", audience="another"), 401),
        (PATRON[:-4] + "AAAA", 401),
        ("", 401),
    ):
        assert (await two[0].get("/v1/me", as_=as_, at=DAY)).status == status
    assert (await two[0].call("DELETE", "/v1/me", as_=PATRON, at=DAY)).status == 404


async def test_a_repeated_event_updates_the_as_of_time_of_its_source(
    two: tuple[Api, Api], hear: Hear
) -> None:
    await shown(two[0])
    await hear(samples.loan(circulation.LoanCheckedOut, 1), samples.at(5))
    assert b'"as_of":"2021-02-01T06:00:00Z"' in (await shown(two[0]))[0]


async def test_a_store_that_is_away_is_asked_once(
    two: tuple[Api, Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def away(_: Database, patron_ids: Sequence[str]) -> Any:
        asked.extend(patron_ids)
        raise AutoReconnect("no primary")

    await two[0].get("/v1/me/charges", as_=PATRON, at=DAY)  # the caller is known from here on
    monkeypatch.setattr(reads, "account_views", away)
    answer = await two[0].get("/v1/me", as_=PATRON, at=DAY)
    assert (answer.status, "Retry-After" in answer.headers) == (503, True)
    assert asked == ["patron-1"]


async def test_replaced_views_are_shown_at_once(two: tuple[Api, Api], views: Database) -> None:
    await shown(two[0])
    building = await begin_build(views, "b1")
    await building["account_views"].insert_one({"_id": "patron-1", "patron": {"version": 1}})
    await finish_build(building)
    assert b'"loans":[]' in (await shown(two[0]))[0]


async def test_lost_views_are_not_shown_from_the_cache(
    two: tuple[Api, Api], views: Database, hear: Hear
) -> None:
    await shown(two[0])
    await views.account_views.drop()
    await hear(samples.loan(circulation.LoanRenewed, 2))
    assert (await two[0].get("/v1/me", as_=PATRON, at=DAY)).status == 503
    await views.account_views.insert_one({"_id": WHOLE})
    assert await shown(two[0]) == await shown(two[1])


async def test_a_cached_overview_ends_when_a_due_date_passes(two: tuple[Api, Api]) -> None:
    await shown(two[0])
    last, next_ = "2021-02-15T23:59:00+08:00", "2021-02-16T00:01:00+08:00"
    assert b'"overdue":1' not in (await shown(two[0], at=last))[0]
    assert b'"overdue":1' in (await shown(two[0], at=next_))[0]


async def test_the_name_and_the_live_owners_are_never_cached(two: tuple[Api, Api]) -> None:
    await shown(two[0])
    renamed, _ = await shown(two[0], as_=token("patron-1", name="Chan Siu-ling"))
    assert b"Chan Siu-ling" in renamed
    two[0].app.state.liveness.saw("events", True)
    assert b'"events":{"as_of":null,"live":true}' in (await shown(two[0]))[0]


async def test_no_caller_gets_the_cached_response_of_another_patron(two: tuple[Api, Api]) -> None:
    await shown(two[0])
    other, _ = await shown(two[0], as_=token("patron-2", name="Chan Mei-ling"))
    assert b'"loans":[]' in other


def kept(size: int) -> Answer:
    return Answer(b"x" * size, "", {}, date(2021, 2, 10), Stamps(1, 1), {}, {})


def test_a_full_cache_evicts_the_least_recently_used_overviews() -> None:
    answers = OverviewCache(most_bytes=10)
    for patron, size in (("a", 4), ("b", 4), ("a", 5), ("c", 5)):
        answers.keep(patron, kept(size), 0.0)
        answers.get("a")
    assert [patron for patron in "abc" if answers.get(patron)] == ["a", "c"]
    answers.keep("d", kept(11), 0.0)  # too large for the cache
    assert [patron for patron in "abcd" if answers.get(patron)] == []


async def test_a_gateway_that_is_too_busy_shows_accounts_as_last_known_with_their_age(
    two: tuple[Api, Api], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, goes_on = asyncio.Event(), asyncio.Event()
    account_views = reads.account_views

    async def hanging(database: Database, patron_ids: Sequence[str]) -> Any:
        if "patron-7" in patron_ids:
            hangs.set()
            await goes_on.wait()
        return await account_views(database, patron_ids)

    monkeypatch.setattr(reads, "account_views", hanging)
    async with gateways(settings.model_copy(update={"busy_requests": 1}), 1) as [busy]:
        for patron in (PATRON, token("patron-2")):  # a known one is not asked for at the start
            await busy.get("/v1/me", as_=patron, at=DAY)
        before = await shown(busy)
        one = asyncio.create_task(busy.get("/v1/me", as_=token("patron-7"), at=DAY))
        await hangs.wait()

        answer = await busy.get("/v1/me", as_=PATRON, at=DAY)
        assert (answer.status, answer.body) == (200, before[0])
        assert int(answer.headers["Age"]) < 60
        later = await busy.get("/v1/me", as_=PATRON, at="2021-02-11T10:00:00+08:00")
        assert later.status == 503  # of another day nothing is known
        assert (await busy.get("/v1/me", as_=token("patron-3"), at=DAY)).status == 503
        assert (await busy.get("/v1/me/loans/x", as_=PATRON, at=DAY)).status == 503

        # After a command of the patron the account without it is not shown.
        change = {
            "topic": "loan.checked-out",
            "data": json.loads(samples.loan(circulation.LoanCheckedOut, 1, "loan-9").body()),
        }
        assert await busy.app.state.own_writes.write([change], samples.at(1), within=10)
        assert (await busy.get("/v1/me", as_=PATRON, at=DAY)).status == 503
        goes_on.set()
        await one
        assert b"loan-9" in (await shown(busy))[0]
