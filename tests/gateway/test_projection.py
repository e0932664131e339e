"""Events in any order, and repeated, give the same view."""

import asyncio
import copy
import random
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any

import pytest

from services.gateway.consumers import subscriptions
from services.gateway.views.overview import overview
from services.gateway.views.store import memory as memory_store
from services.gateway.views.store import writes
from services.gateway.views.store.reads import Common
from services.gateway.views.store.schema import VIEWS
from services.registry import OWNERS
from shared.contracts import Event, accounts, circulation
from shared.mongo import Database
from tests import samples
from tests.gateway import story
from tests.gateway.conftest import Tell
from tests.sampling import sample
from tests.warm import requests_sent

Hear = Callable[..., Awaitable[None]]
LIVE = dict.fromkeys(OWNERS, True)
WITH_ENDS = (
    *(
        "loans",
        "holds",
        "charges",
        "notifications",
        "registrations",
        "admissions",
        "bookings",
        "enquiries",
        "family",
    ),
    "seats",
)


async def everything(views: Database) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in VIEWS:
        rows = [row async for row in views[name].find().sort("_id")]
        for row in rows:
            if "title_ids" in row:
                row["title_ids"].sort()
            _strip_times_of_writes(row)
        found[name] = rows
    return found


def _strip_times_of_writes(row: dict[str, Any]) -> None:
    """Remove the times of each write: the stamp, and when an item was recorded as ended."""
    for name in ("stamp", "ended", "oldest_end"):
        row.pop(name, None)
    for kind in WITH_ENDS:
        for part in row.get(kind, {}).values():
            part.pop("ended", None)


async def clear(views: Database) -> None:
    for name in VIEWS:
        await views[name].delete_many({})


_in_order: dict[str, Any] = {}
"""The views after every event once, in order; made for the first test that compares with them."""


@pytest.fixture
async def in_order(views: Database, hear: Hear) -> dict[str, Any]:
    """Return the views after every event once, in order; the database is empty."""
    if not _in_order:
        for event, when in story.whole_story():
            await hear(event, when)
        _in_order.update(await everything(views))
        await clear(views)
    return copy.deepcopy(_in_order)


def test_the_story_has_every_event_that_the_gateway_subscribes_to() -> None:
    assert {event.topic for event, _ in story.whole_story()} == set(subscriptions.by_topic)


async def test_events_in_order_give_the_expected_view(in_order: dict[str, Any]) -> None:
    view, erased, _ = in_order["account_views"]
    assert view["patron"] == {
        "version": 7,
        "category": "adult",
        "home_branch": "STPL",
        "language": "en",
        "status": "active",
        "blocked_by": [],
        "card_expires_on": "2022-02-28",
    }
    assert view["preferences"]["followed_branches"] == ["HKCL", "STPL"]
    assert view["loans"] == {
        "loan-1": {
            "version": 4,
            "state": "open",
            "title_id": "title-1",
            "title": "A corrected title",
            "title_version": 2,
            "barcode": "barcode-of-loan-1",
            "branch": "HKCL",
            "borrowed_on": "2021-02-01",
            "due_on": "2021-03-05",
            "renewals": 1,
            "renewals_left": 4,
            "renewals_allowed": 5,
            "claimed_returned_on": None,
        },
        "loan-2": {"version": 2, "state": "returned"},
        "loan-3": {
            "version": 1,
            "state": "open",
            "title_id": "title-2",
            "title": "Another book",
            "title_version": 1,
            "barcode": "barcode-of-loan-3",
            "branch": "HKCL",
            "borrowed_on": "2021-02-01",
            "due_on": "2021-02-15",
            "renewals": 0,
            "renewals_left": 5,
            "renewals_allowed": 5,
            "claimed_returned_on": None,
        },
        "loan-4": {"version": 4, "state": "lost"},
    }
    assert view["holds"]["hold-1"] == {"version": 3, "state": "collected"}
    assert view["holds"]["hold-2"] == {
        "version": 1,
        "state": "waiting",
        "title_id": "title-3",
        "title": "A reserved book",
        "title_version": 1,
        "pickup_branch": "HKCL",
        "place": 3,
        "frozen": False,
        "expires_on": "2021-06-30",
    }
    assert set(view["title_ids"]) == {"title-1", "title-2", "title-3"}
    assert view["charges"]["charge-1"]["outstanding_cents"] == 450
    assert view["notifications"] == {
        "told-1": {"version": 2, "read": True},
        "told-2": {"version": 1, "read": False},
    }
    assert view["registrations"] == {
        "reg-1": {"version": 3, "state": "confirmed", "activity_id": "talk-1", "turn": 1},
        "reg-2": {"version": 1, "state": "waitlisted", "activity_id": "talk-1", "turn": 2},
        "reg-3": {"version": 2, "state": "cancelled"},
    }
    assert set(view["heard"]) == {"accounts", "circulation", "events", "notices"}
    assert erased == {"_id": "patron-2", "patron": {"version": 2, "status": "erased"}}
    assert [branch["name"] for branch in in_order["branches"]] == ["The Library"]
    assert in_order["suspensions"] == [{"_id": "suspension-1", "version": 2}]


@pytest.mark.parametrize("seed", sample(range(10), 4))
async def test_events_three_times_in_any_order_give_the_same_view(
    seed: int, in_order: dict[str, Any], views: Database, hear: Hear
) -> None:
    deliveries = story.whole_story() * 3
    random.Random(seed).shuffle(deliveries)  # noqa: S311 - repeatable
    for event, when in deliveries:
        await hear(event, when)
    assert await everything(views) == in_order


@pytest.mark.parametrize("seed", sample(range(25), 8))
async def test_batches_of_events_three_times_in_any_order_give_the_same_view(
    seed: int, in_order: dict[str, Any], views: Database, hear_all: Tell
) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    deliveries = story.whole_story() * 3
    chance.shuffle(deliveries)
    while deliveries:
        size = chance.choice([1, 2, 7, 40, 200])
        await hear_all(deliveries[:size])
        del deliveries[:size]
    assert await everything(views) == in_order


@pytest.mark.parametrize("seed", sample(range(25), 8))
async def test_many_versions_of_a_loan_and_its_title_in_one_batch_end_in_the_newest(
    seed: int, views: Database, hear: Hear, hear_all: Tell
) -> None:
    renewed = [
        samples.loan(circulation.LoanRenewed, version, due_on=date(2021, 3, version))
        for version in range(2, 15)
    ]
    told = [
        (event, samples.at(hours))
        for hours, event in enumerate(
            [
                samples.loan(circulation.LoanCheckedOut, 1),
                *renewed,
                *(samples.title(version, f"Wording {version}") for version in range(1, 8)),
            ]
        )
    ]
    for event, when in told:
        await hear(event, when)
    expected = await everything(views)
    [view] = expected["account_views"]
    loan = view["loans"]["loan-1"]
    assert (loan["version"], loan["title"]) == (14, "Wording 7")
    await clear(views)

    together = told * 3
    random.Random(seed).shuffle(together)  # noqa: S311 - repeatable
    await hear_all(together)
    assert await everything(views) == expected


@pytest.mark.parametrize("seed", sample(range(10), 4))
async def test_concurrent_replicas_with_repeated_events_give_the_same_view(
    seed: int, in_order: dict[str, Any], views: Database, hear: Hear
) -> None:
    deliveries = story.whole_story() * 3
    random.Random(seed).shuffle(deliveries)  # noqa: S311 - repeatable
    replicas = [deliveries[number::12] for number in range(12)]

    async def replica(share: list[tuple[Event, datetime]]) -> None:
        for event, when in share:
            await hear(event, when)

    await asyncio.gather(*(replica(share) for share in replicas))
    assert await everything(views) == in_order


@pytest.mark.parametrize("seed", sample(range(10), 4))
async def test_concurrent_batches_of_many_replicas_give_the_same_view(
    seed: int, in_order: dict[str, Any], views: Database, hear_all: Tell
) -> None:
    deliveries = story.whole_story() * 3
    random.Random(seed).shuffle(deliveries)  # noqa: S311 - repeatable
    await asyncio.gather(*(hear_all(deliveries[number::12]) for number in range(12)))
    assert await everything(views) == in_order


async def test_a_late_event_does_not_bring_a_returned_loan_back(
    views: Database, hear: Hear
) -> None:
    await hear(samples.returned(3))
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    await hear(samples.loan(circulation.LoanRenewed, 2))
    [view] = (await everything(views))["account_views"]
    assert view["loans"] == {"loan-1": {"version": 3, "state": "returned"}}
    assert view["title_ids"] == []


async def test_a_title_is_found_while_one_of_two_copies_of_it_is_on_loan(
    views: Database, hear: Hear
) -> None:
    async def titles() -> list[str]:
        [view] = (await everything(views))["account_views"]
        shown: list[str] = view["title_ids"]
        return shown

    for loan_id, title_id in (("a", "title-1"), ("b", "title-2"), ("c", "title-1")):
        await hear(samples.loan(circulation.LoanCheckedOut, 1, loan_id, title_id=title_id))
    await hear(samples.loan(circulation.LoanRenewed, 2, "b", title_id="title-2"))
    assert await titles() == ["title-1", "title-1", "title-2"]
    await hear(samples.returned(2, "a"))
    await hear(samples.returned(2, "a"))
    assert await titles() == ["title-1", "title-2"]
    await hear(samples.title(2, "A corrected title"))
    [view] = (await everything(views))["account_views"]
    assert view["loans"]["c"]["title"] == "A corrected title"
    await hear(samples.returned(2, "c"))
    await hear(samples.returned(3, "b"))
    assert await titles() == []


async def test_late_events_of_an_erased_patron_store_nothing(views: Database, hear: Hear) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    await hear(samples.patron(accounts.PatronErased, 5, status="erased"))
    await hear(samples.loan(circulation.LoanRenewed, 2))
    await hear(samples.preferences(1))
    await hear(samples.patron(accounts.PatronUpdated, 4))
    await hear(
        samples.patron(accounts.PatronUpdated, 6)
    )  # nobody can publish it, and it is refused as well
    [view] = (await everything(views))["account_views"]
    assert view == {"_id": "patron-1", "patron": {"version": 5, "status": "erased"}}


async def account(views: Database) -> dict[str, Any]:
    """Return the account that the view alone gives."""
    return overview(
        await views.account_views.find_one({"_id": "patron-1"}),
        patron_id="patron-1",
        name="",
        midnight=samples.at(28 * 24),
        common=Common({}, 0),
        activities={},
        positions={},
        accruing=(),
        live=LIVE,
    )


async def test_a_settled_charge_is_reduced_to_a_tombstone(views: Database, hear: Hear) -> None:
    await hear(samples.fine(2, outstanding_cents=0))
    await hear(samples.fine(1))
    [view] = (await everything(views))["account_views"]
    assert view["charges"] == {"charge-1": {"version": 2, "outstanding_cents": 0}}


async def test_a_settled_charge_with_a_refund_due_is_kept_in_full(
    views: Database, hear: Hear
) -> None:
    await hear(samples.fine(1))
    await hear(samples.fine(2, outstanding_cents=0, refund_due_cents=150))
    shown = await account(views)
    [charge] = shown["charges"]
    assert (charge["outstanding_cents"], charge["refund_due_cents"]) == (0, 150)
    assert shown["totals"]["outstanding_cents"] == 0
    assert shown["totals"]["refund_due_cents"] == 150


async def test_a_view_goes_by_what_an_event_says_is_open(views: Database, hear: Hear) -> None:
    await hear(samples.hold(circulation.HoldChanged, 2, state="ready", open=False))
    await hear(samples.fine(2, open=False))
    shown = await account(views)
    assert (shown["holds"], shown["charges"]) == ([], [])
    await hear(samples.hold(circulation.HoldChanged, 3, state="ready", open=True))
    await hear(samples.fine(3, outstanding_cents=0, open=True))
    shown = await account(views)
    assert ([one["id"] for one in shown["holds"]], [one["id"] for one in shown["charges"]]) == (
        ["hold-1"],
        ["charge-1"],
    )


@pytest.mark.parametrize(
    ("told", "kind", "statement_url"),
    [
        ({"kind": "fine"}, "fine", "/v1/charges/charge-1/statement"),
        ({"kind": "lost"}, "lost", "/v1/charges/charge-1"),
        ({"kind": "lost", "processing": True}, "lost-processing", "/v1/charges/charge-1"),
        ({"kind": "hold-fee", "loan_id": "", "hold_id": "h1"}, "hold-fee", "/v1/charges/charge-1"),
    ],
)
async def test_each_kind_of_charge_is_shown_with_its_explanation(
    views: Database, hear: Hear, told: dict[str, Any], kind: str, statement_url: str
) -> None:
    await hear(samples.fine(1, **told))
    shown = await account(views)
    [charge] = shown["charges"]
    assert (charge["kind"], charge["statement_url"]) == (kind, statement_url)
    assert charge["loan_id"] == (told.get("loan_id", "loan-1") or None)
    assert charge["hold_id"] == told.get("hold_id")


async def test_a_late_title_is_added_to_the_loans_that_lack_it(views: Database, hear: Hear) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    await hear(samples.loan(circulation.LoanCheckedOut, 1, "loan-7", patron_id="patron-7"))
    await hear(samples.title(2, "Second wording"))
    await hear(samples.title(1, "First wording"))
    titles = [
        loan["title"]
        async for view in views.account_views.find()
        for loan in view["loans"].values()
    ]
    assert titles == ["Second wording", "Second wording"]


async def test_a_loan_gets_its_title_when_both_arrive_concurrently(
    views: Database, hear: Hear
) -> None:
    for number in range(40):
        key = str(number)
        due = date(2021, 2, 15)
        await asyncio.gather(
            hear(samples.loan(circulation.LoanCheckedOut, 1, key, title_id=key, due_on=due)),
            hear(samples.title(2, f"Wording 2 of {key}", key)),
            hear(samples.title(1, f"Wording 1 of {key}", key)),
        )
    view = await views.account_views.find_one({"_id": "patron-1"})
    assert view is not None
    shown = {key: loan["title"] for key, loan in view["loans"].items()}
    assert shown == {str(number): f"Wording 2 of {number}" for number in range(40)}


async def test_a_title_that_arrives_between_lookup_and_write_is_shown(
    views: Database, hear: Hear, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = memory_store.known_titles

    async def look_up_before_the_title_comes(database: Database, ids: set[str]) -> Any:
        found = await look_up(database, ids)
        monkeypatch.setattr(writes, "known_titles", look_up)
        await hear(samples.title(1, "Just in time"))
        return found

    monkeypatch.setattr(writes, "known_titles", look_up_before_the_title_comes)
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    view = await views.account_views.find_one({"_id": "patron-1"})
    assert view is not None
    assert view["loans"]["loan-1"]["title"] == "Just in time"


async def test_a_slow_writer_does_not_restore_an_older_title(views: Database, hear: Hear) -> None:
    await hear(samples.title(1, "First wording"))
    slow = await memory_store.current_titles(views, {"title-1"})
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    await hear(samples.title(2, "Second wording"))
    await writes._show_titles(views, list(slow.values()))
    view = await views.account_views.find_one({"_id": "patron-1"})
    assert view is not None
    assert view["loans"]["loan-1"]["title"] == "Second wording"


async def test_the_latest_accruing_fines_from_circulation_are_kept(
    views: Database, hear: Hear
) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    await writes.keep_accruing(views, "patron-1", samples.at(9), {"items": [300]})
    await writes.keep_accruing(views, "patron-1", samples.at(8), {"items": [150]})
    await writes.keep_accruing(views, "patron-2", samples.at(8), {"items": [150]})
    view = await views.account_views.find_one({"_id": "patron-1"})
    assert view is not None
    assert view["accruing"]["items"] == [300]
    assert await views.account_views.count_documents({}) == 1


async def test_an_id_that_is_not_a_valid_field_name_is_refused(views: Database, hear: Hear) -> None:
    for bad in ("a.b", "$where", "", "a\x00"):
        with pytest.raises(ValueError, match="loan_id"):
            await hear(samples.loan(circulation.LoanCheckedOut, 1, bad))
    assert await views.account_views.count_documents({}) == 0


async def test_a_change_is_shown_with_two_round_trips_once_its_title_is_known(
    views: Database, hear: Hear
) -> None:
    await hear(samples.title(1, "A title"))
    with requests_sent() as sent:
        await hear(samples.loan(circulation.LoanCheckedOut, 1))
        await hear(samples.loan(circulation.LoanRenewed, 2))
        assert sent == ["update", "find"] * 2  # the view, and its title afterwards


async def test_a_title_that_changed_elsewhere_is_corrected_in_the_view(
    views: Database, hear: Hear
) -> None:
    await hear(samples.title(1, "A title"))
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    title = await views.titles.find_one()
    assert title is not None
    changed = {"version": 2, "title": "Its new title"}  # by another replica
    await views.titles.update_one({"_id": title["_id"]}, {"$set": changed})
    await hear(samples.loan(circulation.LoanRenewed, 2))
    view = await views.account_views.find_one({"loans": {"$exists": True}})
    assert view is not None
    [loan] = view["loans"].values()
    assert (loan["title"], loan["title_version"], loan["version"]) == ("Its new title", 2, 2)
