"""My Account and My Info as a patron sees them."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import Any

import pytest

from services.gateway.app import create_app
from services.gateway.settings import Settings
from services.gateway.views.overview import instant
from shared.contracts import Event, accounts, circulation, events, notices, suspensions
from shared.mongo import Database
from tests import samples
from tests.gateway import story
from tests.gateway.conftest import Owner, gateways, says
from tests.support import Api, reaching, served, token, until

Gateway = Callable[[Settings], AbstractAsyncContextManager[Api]]
Hear = Callable[..., Awaitable[None]]
PATRON = token(name="Chan Mei-ling")
BEFORE_DUE = "2021-02-10T10:00:00+08:00"
AFTER_DUE = "2021-02-18T10:00:00+08:00"
ENDS = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00")


def accruing(loan_id: str, cents: int, **more: Any) -> dict[str, Any]:
    """An accruing fine from circulation, for loan version 1 and branch calendar version 1."""
    return {
        "loan_version": 1,
        "calendar_version": 1,
        "loan_id": loan_id,
        "overdue": True,
        "amount_cents": cents,
        "per_day_cents": 150,
        "as_of": "2021-02-18",
        "suspended": False,
        "resumes_on": None,
        **more,
    }


async def test_incomplete_views_are_not_shown(
    settings: Settings, gateway: Gateway, views: Database, hear: Hear
) -> None:
    async with gateway(settings) as api:
        await views.client.drop_database(views.name)
        await hear(samples.loan(circulation.LoanRenewed, 2))  # covers one loan only
        answers = [await api.get(path, as_=PATRON) for path in ("/v1/me", "/v1/me/info")]
    assert [answer.status for answer in answers] == [503, 503]
    assert answers[0].headers["Retry-After"] == "2"


async def test_a_malformed_time_is_refused_even_when_an_overview_is_cached(
    settings: Settings, gateway: Gateway
) -> None:
    async with gateway(settings) as api:
        times = ("soon", BEFORE_DUE, "soon", *ENDS)
        for path in ("/v1/me", "/v1/me/info"):
            answers = [await api.get(path, as_=PATRON, at=at) for at in times]
            assert [answer.status for answer in answers] == [422, 200, 422, 422, 422]
            assert answers[2].json()["code"] == "malformed"


async def test_a_patron_without_any_event_has_an_empty_account(
    settings: Settings, gateway: Gateway
) -> None:
    async with gateway(settings) as api:
        answer = await api.get("/v1/me", as_=PATRON)
    nothing = {"as_of": None, "live": False}
    assert (answer.status, answer.json()) == (
        200,
        {
            "patron": {
                "id": "patron-1",
                "name": "Chan Mei-ling",
                "category": None,
                "home_branch": None,
                "language": None,
                "status": None,
                "blocked_by": None,
                "card_expires_on": None,
            },
            "loans": [],
            "holds": [],
            "charges": [],
            "accruing": [],
            "totals": {
                "loans": 0,
                "overdue": 0,
                "holds": 0,
                "outstanding_cents": 0,
                "refund_due_cents": 0,
                "accruing_cents": 0,
            },
            "activities": [],
            "admissions": [],
            "bookings": [],
            "family": [],
            "enquiries": [],
            "inbox": {"unread": 0},
            "sources": dict.fromkeys(("accounts", "circulation", "events", "notices"), nothing),
        },
    )


async def test_the_account_is_built_from_events(
    settings: Settings, gateway: Gateway, hear: Hear
) -> None:
    for event, when in story.whole_story():
        await hear(event, when)
    async with gateway(settings) as api:
        account = (await api.get("/v1/me", as_=PATRON, at=BEFORE_DUE)).json()
    assert account["patron"]["home_branch"] == "STPL"
    assert [(loan["id"], loan["title"], loan["due_on"]) for loan in account["loans"]] == [
        ("loan-3", "Another book", "2021-02-15"),
        ("loan-1", "A corrected title", "2021-03-05"),
    ]
    assert account["charges"] == [
        {
            "id": "charge-1",
            "kind": "fine",
            "loan_id": "loan-2",
            "amount_cents": 450,
            "outstanding_cents": 450,
            "hold_id": None,
            "title": None,
            "refund_due_cents": 0,
            "statement_url": "/v1/charges/charge-1/statement",
        }
    ]
    assert account["holds"] == [
        {
            "id": "hold-2",
            "title": "A reserved book",
            "volume": None,
            "any_edition": False,
            "position": 2,
            "pickup_branch": "HKCL",
            "state": "waiting",
            "frozen": False,
            "expires_on": "2021-06-30",
            "version": 1,
        },
        {
            "id": "hold-3",
            "title": "Another book",
            "volume": None,
            "any_edition": False,
            "position": None,
            "pickup_branch": "HKCL",
            "state": "in-transit",
            "frozen": False,
            "expires_on": "2021-06-30",
            "version": 2,
        },
    ]
    assert account["totals"] == {
        "loans": 2,
        "overdue": 0,
        "holds": 2,
        "outstanding_cents": 450,
        "refund_due_cents": 0,
        "accruing_cents": 0,
    }
    assert account["inbox"] == {"unread": 1}
    for source in ("accounts", "events"):
        newest = max(
            when
            for event, when in story.whole_story()
            if event.publisher == source and event.key == "patron-1"
        )
        assert account["sources"][source]["as_of"] == instant(newest)
    assert [(one["id"], one["title"], one["position"]) for one in account["activities"]] == [
        ("reg-1", "About talk-1", None),
        ("reg-2", "About talk-1", 1),
    ]


async def test_circulation_is_asked_only_once_a_due_date_has_passed(
    lending: tuple[Settings, Owner], gateway: Gateway, hear: Hear
) -> None:
    settings, owner = lending
    owner.accruing = {"items": [accruing("loan-1", 450)]}
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    async with gateway(settings) as api:
        for at in (BEFORE_DUE, "2021-02-15T23:59:00+08:00"):
            assert (await api.get("/v1/me", as_=PATRON, at=at)).json()["totals"]["overdue"] == 0
        assert owner.asked == []

        account = (await api.get("/v1/me", as_=PATRON, at=AFTER_DUE)).json()
    assert [asked["carrel-time"] for asked in owner.asked] == ["2021-02-18T02:00:00+00:00"]
    assert owner.asked[0]["authorization"] == f"Bearer {PATRON}"
    assert account["loans"][0]["overdue"] is True
    assert account["accruing"] == [
        {
            "loan_id": "loan-1",
            "amount_cents": 450,
            "per_day_cents": 150,
            "as_of": "2021-02-18",
            "suspended": False,
            "resumes_on": None,
        }
    ]
    assert (account["totals"]["overdue"], account["totals"]["accruing_cents"]) == (1, 450)
    assert account["sources"]["circulation"]["live"] is True


@pytest.fixture
async def late(lending: tuple[Settings, Owner], hear: Hear) -> tuple[Settings, Owner]:
    """A loan past its due date, with its branch, a suspension and circulation's accruing fine."""
    await hear(samples.branch(notices.BranchRegistered, 1))
    await hear(samples.suspension(suspensions.FinesSuspended, 1))
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    lending[1].accruing = {"items": [accruing("loan-1", 450)], "suspensions_version": 1}
    return lending


async def test_accruing_fines_are_requested_once_a_day(
    late: tuple[Settings, Owner], whole: None, views: Database
) -> None:
    settings, owner = late
    async with gateways(settings, 2) as (one, other):
        first = await one.get("/v1/me", as_=PATRON, at=AFTER_DUE)
        assert first.json()["accruing"][0]["amount_cents"] == 450

        async def kept() -> bool:
            return bool(await views.account_views.find_one({"accruing.items.0": {"$exists": True}}))

        await until(kept)
        for api in (one, other, other):
            again = await api.get("/v1/me", as_=PATRON, at="2021-02-18T23:00:00+08:00")
            assert again.json()["accruing"] == first.json()["accruing"]
        assert len(owner.asked) == 1
        await one.get("/v1/me", as_=PATRON, at="2021-02-19T10:00:00+08:00")
        assert len(owner.asked) == 2


@pytest.mark.parametrize(
    "change",
    [
        samples.loan(circulation.LoanOverdue, 2),
        samples.loan(circulation.LoanCheckedOut, 1, "loan-2"),
        samples.branch(notices.BranchHoursChanged, 2),
        samples.suspension(suspensions.FinesResumed, 2),
        samples.suspension(suspensions.FinesSuspended, 1, suspension_id="suspension-2"),
    ],
    ids=["the loan", "another loan", "the calendar", "a suspension", "a new suspension"],
)
async def test_accruing_fines_are_requested_again_after_a_change(
    late: tuple[Settings, Owner], whole: None, hear: Hear, change: Event
) -> None:
    settings, owner = late
    async with gateways(settings, 1) as (api,):

        async def shown() -> bool:  # a busy circulation is given up, and asked again next time
            account = (await api.get("/v1/me", as_=PATRON, at=AFTER_DUE)).json()
            return bool(account["accruing"]) and account["accruing"][0]["amount_cents"] == 450

        await until(shown)
        before = len(owner.asked)
        await hear(change)
        owner.accruing = {"items": [accruing("loan-1", 300)], "suspensions_version": 1}
        for _ in range(2):  # circulation does not know of it yet, so its answer is outdated
            account = (await api.get("/v1/me", as_=PATRON, at=AFTER_DUE)).json()
            assert account["accruing"][0]["amount_cents"] == 300
    assert len(owner.asked) == before + 2


async def test_an_accruing_fine_is_shown_after_a_move_that_circulation_knew_first(
    late: tuple[Settings, Owner], whole: None, views: Database, hear: Hear
) -> None:
    settings, owner = late
    moved = [accruing("loan-1", 150, loan_version=2)]
    owner.accruing = {"items": moved, "suspensions_version": 1}
    async with gateways(settings, 1) as (api,):

        async def shown() -> bool:
            account = (await api.get("/v1/me", as_=PATRON, at=AFTER_DUE)).json()
            return [fine["amount_cents"] for fine in account["accruing"]] == [150]

        async def kept() -> bool:
            return bool(await views.account_views.find_one({"accruing.items.0": {"$exists": True}}))

        await until(shown)
        await until(kept)
        await hear(samples.loan(circulation.LoanDueDateChanged, 2, due_on=date(2021, 2, 17)))
        await until(shown)


async def test_accruing_fines_without_versions_are_used_for_one_response_only(
    late: tuple[Settings, Owner], whole: None
) -> None:
    settings, owner = late
    item = accruing("loan-1", 450)
    del item["loan_version"], item["calendar_version"]
    owner.accruing = {"items": [item]}
    async with gateways(settings, 1) as (api,):
        for _ in range(2):
            account = (await api.get("/v1/me", as_=PATRON, at=AFTER_DUE)).json()
            assert account["accruing"][0]["amount_cents"] == 450
    assert len(owner.asked) == 2


@pytest.mark.parametrize(
    ("day", "had_and_left"),
    [
        ("2021-02-09", (2, 3)),
        ("2021-02-10", (2, 5)),
        ("2021-02-10", (6, 1)),
        ("2021-02-18", (7, 0)),
        ("2021-02-19", (2, 3)),
        ("2021-02-19", (6, 0)),
        ("2021-03-01", (2, 4)),
    ],
    ids=[
        "before",
        "the first day",
        "one of two is used",
        "both are used",
        "reopened",
        "reopened, one was used",
        "closed with no end",
    ],
)
async def test_a_closure_grants_more_renewals_while_it_lasts(
    settings: Settings, gateway: Gateway, hear: Hear, day: str, had_and_left: tuple[int, int]
) -> None:
    renewals, left = had_and_left
    closures = [
        samples.closure("winter", date(2021, 2, 10), (2, date(2021, 2, 19)), extra_renewals=2),
        samples.closure("within", date(2021, 2, 12), (2, date(2021, 2, 15)), extra_renewals=1),
        samples.closure("works", date(2021, 3, 1), (2, None), extra_renewals=1),
    ]
    await hear(
        samples.loan(
            circulation.LoanCheckedOut,
            1,
            due_on=date(2021, 3, 8),
            renewals=renewals,
            renewals_left=max(5 - renewals, 0),
        )
    )
    async with gateway(settings) as api:
        at = f"{day}T10:00:00+08:00"
        before = (await api.get("/v1/me", as_=PATRON, at=at)).json()["loans"]
        await hear(samples.branch(notices.BranchClosed, 2, closures=closures))
        after = (await api.get("/v1/me", as_=PATRON, at=at)).json()["loans"]
    assert (before[0]["renewals_left"], after[0]["renewals_left"]) == (max(5 - renewals, 0), left)


async def test_a_loan_that_fell_due_in_a_closure_is_not_overdue(
    lending: tuple[Settings, Owner], gateway: Gateway, hear: Hear
) -> None:
    settings, owner = lending
    owner.accruing = {"items": [accruing("loan-1", 0, overdue=False)]}
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    async with gateway(settings) as api:
        account = (await api.get("/v1/me", as_=PATRON, at=AFTER_DUE)).json()
    assert (account["loans"][0]["overdue"], account["accruing"]) == (False, [])


@pytest.mark.deadlines
async def test_while_circulation_is_away_the_last_known_fines_are_shown(
    lending: tuple[Settings, Owner],
    settings: Settings,
    gateway: Gateway,
    hear: Hear,
    views: Database,
) -> None:
    with_circulation, owner = lending
    said = [accruing("loan-1", 450), accruing("loan-2", 150, suspended=True, as_of="2021-02-18")]
    owner.accruing = {"items": said}
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    await hear(samples.loan(circulation.LoanCheckedOut, 1, "loan-2"))
    async with gateway(with_circulation) as api:
        live = (await api.get("/v1/me", as_=PATRON, at=AFTER_DUE)).json()

        async def kept() -> bool:
            return bool(await views.account_views.find_one({"accruing.items.1": {"$exists": True}}))

        await until(kept)
        owner.accruing = None  # from here on the call hangs
        slow = (await api.get("/v1/me", as_=PATRON, at="2021-02-19T10:00:00+08:00")).json()
    assert slow["accruing"] == live["accruing"]
    assert slow["sources"]["circulation"]["live"] is False

    await hear(samples.loan(circulation.LoanRenewed, 2, "loan-2", due_on=date(2021, 3, 4)))
    async with gateway(settings) as api:
        dead = (await api.get("/v1/me", as_=PATRON, at="2021-02-20T10:00:00+08:00")).json()
    assert [item["loan_id"] for item in dead["accruing"]] == ["loan-1"]
    assert dead["accruing"][0]["as_of"] == "2021-02-18"
    assert dead["sources"]["circulation"]["live"] is False
    assert [loan["overdue"] for loan in dead["loans"]] == [True, False]


async def test_a_malformed_response_of_circulation_is_not_shown(
    lending: tuple[Settings, Owner], gateway: Gateway, hear: Hear
) -> None:
    settings, owner = lending
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    async with gateway(settings) as api:
        for garbage in ({}, {"items": [{"loan_id": "loan-1"}]}, {"items": "none"}):
            owner.accruing = garbage
            answer = await api.get("/v1/me", as_=PATRON, at=AFTER_DUE)
            assert (answer.status, answer.json()["accruing"]) == (200, [])
            assert answer.json()["sources"]["circulation"]["live"] is False


async def test_an_unchanged_overview_is_answered_with_304(
    settings: Settings, gateway: Gateway, hear: Hear
) -> None:
    async with gateway(settings) as api:
        # Owners count as `live: false`, found away or not asked yet, so the answer is stable.
        first = await api.insist("GET", "/v1/me", as_=PATRON, at=BEFORE_DUE)
        tag = first.headers["ETag"]
        assert tag.startswith('W/"')
        for known in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
            same = await api.get(
                "/v1/me", as_=PATRON, at=BEFORE_DUE, headers={"If-None-Match": known}
            )
            assert (same.status, same.body, same.headers["ETag"]) == (304, b"", tag)
        await hear(samples.loan(circulation.LoanCheckedOut, 1))
        changed = await api.get("/v1/me", as_=PATRON, at=BEFORE_DUE, headers={"If-None-Match": tag})
        assert changed.status == 200
        assert changed.headers["ETag"] != tag
        assert "private" in changed.headers["Cache-Control"]


async def test_no_caller_sees_another_patrons_account(
    settings: Settings, gateway: Gateway, hear: Hear
) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    await hear(samples.preferences(1))
    async with gateway(settings) as api:
        other = token("patron-2")
        for path in ("/v1/me", "/v1/me?patron_id=patron-1&sub=patron-1&id=patron-1"):
            account = (await api.get(path, as_=other, headers={"X-Patron": "patron-1"})).json()
            assert (account["patron"]["id"], account["loans"]) == ("patron-2", [])
        for path in ("/v1/me", "/v1/me/info"):
            assert (await api.get(path)).status == 401
            assert (await api.get(path, as_=token(audience="another"))).status == 401
            assert (await api.get(path, as_=token(expires_in=-60))).status == 401
            assert (await api.get(path, as_=token("s-1", ("staff",)))).status == 403


async def test_an_erased_patron_has_nothing_left(
    settings: Settings, gateway: Gateway, hear: Hear
) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    await hear(samples.patron(accounts.PatronErased, 2, status="erased"))
    async with gateway(settings) as api:
        account = (await api.get("/v1/me", as_=PATRON)).json()
    assert (account["patron"]["status"], account["loans"]) == ("erased", [])


async def test_a_registered_activity_is_shown_until_it_is_over(
    settings: Settings, gateway: Gateway, hear: Hear
) -> None:
    placed, waits = events.RegistrationConfirmed, events.RegistrationWaitlisted
    await hear(samples.registration(placed, 1, "reg-1", activity_id="talk-1"))
    await hear(samples.registration(placed, 1, "reg-2", activity_id="over"))
    await hear(samples.registration(placed, 1, "reg-3", activity_id="never-heard-of"))
    for turn, who in ((1, "patron-7"), (2, "patron-8"), (3, "patron-1")):
        registered = {"activity_id": "full", "patron_id": who, "state": "waitlisted", "turn": turn}
        await hear(samples.registration(waits, 1, f"wait-{turn}", **registered))
    await hear(samples.activity("talk-1", starts_at="2021-02-12T19:00:00+08:00"))
    wordings = {"zh-Hant": {"title": "講座", "venue": "演講廳"}}
    there: dict[str, Any] = {"venue": "Hall", "branch": "HKCL", "wordings": wordings}
    await hear(samples.activity("full", starts_at="2021-02-11T10:00:00+08:00", **there))
    starts_at, ends_at = "2021-02-09T10:00:00+08:00", "2021-02-09T23:59:00+08:00"
    await hear(samples.activity("over", starts_at=starts_at, ends_at=ends_at))

    async def seen(api: Api, at: str = BEFORE_DUE) -> list[tuple[Any, ...]]:
        rows = (await api.get("/v1/me", as_=PATRON, at=at)).json()["activities"]
        return [(row["id"], row["title"], row["state"], row["position"]) for row in rows]

    full = ("wait-3", "About full", "waitlisted", 3)
    talk = ("reg-1", "About talk-1", "confirmed", None)
    unknown = ("reg-3", None, "confirmed", None)
    async with gateway(settings) as api:
        assert await seen(api, "2021-02-09T12:00:00+08:00") == [
            ("reg-2", "About over", "confirmed", None),
            full,
            talk,
            unknown,
        ]
        assert await seen(api) == [full, talk, unknown]
        row = (await api.get("/v1/me", as_=PATRON, at=BEFORE_DUE)).json()["activities"][0]
        assert row["starts_at"] == "2021-02-11T02:00:00Z"
        assert (row["venue"], row["branch"]) == ("Hall", "HKCL")
        assert row["wordings"] == wordings
        left = {"activity_id": "full", "patron_id": "patron-7", "state": "cancelled", "turn": 1}
        await hear(samples.registration(events.RegistrationCancelled, 2, "wait-1", **left))
        await hear(
            samples.activity("talk-1", 2, title="Corrected", starts_at="2021-02-10T19:00:00Z")
        )
        assert await seen(api) == [
            ("reg-1", "Corrected", "confirmed", None),
            ("wait-3", "About full", "waitlisted", 2),
            unknown,
        ]
        await hear(
            samples.registration(events.RegistrationCancelled, 2, "reg-1", state="cancelled")
        )
        assert [row[0] for row in await seen(api)] == ["wait-3", "reg-3"]


# ---- My Info ------------------------------------------------------------------------------------


async def test_my_info_shows_the_branches_and_activities_that_the_patron_follows(
    settings: Settings, gateway: Gateway, hear: Hear
) -> None:
    await hear(samples.preferences(1, followed_branches=("HKCL", "STPL"), activity_types=("talk",)))
    await hear(samples.branch(notices.BranchRegistered, 1, "HKCL", name="Central Library"))
    for event in (
        samples.activity(
            "later",
            starts_at="2021-03-01T10:00:00+08:00",
            wordings={"zh-Hans": {"title": "以后"}},
        ),
        samples.activity("this-morning", starts_at="2021-02-10T09:00:00+08:00"),
        samples.activity(
            "goes-on",
            starts_at="2021-01-10T09:00:00+08:00",
            ends_at="2021-02-10T18:00:00+08:00",
        ),
        samples.activity("over", starts_at="2021-02-09T23:00:00+08:00"),
        samples.activity("no-talk", type="workshop"),
        samples.activity("cancelled"),
        samples.activity(
            "cancelled", 2, kind=events.ActivityCancelled, cancelled=True, reason="Typhoon"
        ),
        samples.notice("both", branches=("HKCL", "STPL", "HHM"), date=date(2021, 2, 2)),
        samples.notice(
            "all",
            branches=(),
            date=date(2021, 2, 5),
            wordings={"zh-Hant": {"title": "通告", "content": "全部"}},
        ),
        samples.notice("elsewhere", branches=("HHM",)),
        samples.notice("withdrawn", 2, kind=notices.NoticeWithdrawn, branches=(), withdrawn=True),
        samples.notice("withdrawn", branches=()),
    ):
        await hear(event)
    async with gateway(settings) as api:
        info = (await api.get("/v1/me/info", as_=PATRON, at=BEFORE_DUE)).json()
        nobody = (await api.get("/v1/me/info", as_=token("patron-2"), at=BEFORE_DUE)).json()
    assert [row["title"] for row in info["activities"]] == [
        "About goes-on",
        "About this-morning",
        "About later",
    ]
    assert info["activities"][2] == {
        "title": "About later",
        "starts_at": "2021-03-01T02:00:00Z",
        "ends_at": None,
        "branch": None,
        "venue": "Online",
        "type": "talk",
        "wordings": {"zh-Hans": {"title": "以后", "venue": None}},
    }
    assert info["library_information"] == [
        {
            "library": "All libraries",
            "branch": None,
            "date": "2021-02-05",
            "content": "What all says",
            "wordings": {"zh-Hant": {"content": "全部"}},
        },
        {
            "library": "Central Library",
            "branch": "HKCL",
            "date": "2021-02-02",
            "content": "What both says",
            "wordings": {},
        },
        {
            "library": "STPL",
            "branch": "STPL",
            "date": "2021-02-02",
            "content": "What both says",
            "wordings": {},
        },
    ]
    away = {"events": {"live": False}, "notices": {"live": False}}
    assert nobody == {"activities": [], "library_information": [], "sources": away}


async def test_my_info_is_at_most_fifty_rows(
    settings: Settings, gateway: Gateway, hear: Hear
) -> None:
    await hear(samples.preferences(1))
    for number in range(60):
        await hear(samples.activity(f"talk-{number}"))
        await hear(samples.notice(f"notice-{number}"))
    async with gateway(settings) as api:
        info = (await api.get("/v1/me/info", as_=PATRON, at=BEFORE_DUE)).json()
    assert (len(info["activities"]), len(info["library_information"])) == (50, 50)


@pytest.mark.deadlines
async def test_an_account_is_answered_in_time_while_fetching_the_keys_hangs(
    settings: Settings,
) -> None:
    async with says(b"") as silent:
        settings = reaching(settings, accounts=silent)
        async with served(create_app, settings, trust_test_keys=False) as api:
            answer = await api.get("/v1/me", as_=PATRON, at=BEFORE_DUE)
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["detail"].startswith("accounts is away")
    assert answer.headers["Retry-After"] == "2"


async def test_the_position_moves_up_when_others_leave_the_queue(
    settings: Settings, gateway: Gateway, hear: Hear
) -> None:
    async def position(api: Api) -> Any:
        [hold] = (await api.get("/v1/me", as_=PATRON)).json()["holds"]
        return hold["position"]

    placed, gone = circulation.HoldPlaced, circulation.HoldCancelled
    async with gateway(settings) as api:
        for place, who in ((1, "patron-7"), (2, "patron-8"), (3, "patron-1")):
            await hear(samples.hold(placed, 1, f"hold-{place}", patron_id=who, place=place))
        assert await position(api) == 3
        await hear(samples.hold(gone, 2, "hold-2", patron_id="patron-8", state="cancelled"))
        assert await position(api) == 2
        await hear(samples.hold(placed, 1, "hold-2", patron_id="patron-8", place=2))  # arrives late
        assert await position(api) == 2
