"""Notifications to patrons: subjects, one for each, in any order of events."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from services.notices import consumers
from services.notices.app import create_app
from services.notices.domain.notification import About, Cause
from services.notices.settings import Settings
from services.notices.usecases.tell_patrons import TellPatrons, begin_telling, tell_patrons
from shared.clock import parse_instant
from shared.contracts import Event
from shared.contracts.accounts import PatronBlocked, PatronUnblocked, PatronUpdated
from shared.contracts.circulation import (
    ChargeSnapshot,
    FineAdjusted,
    FineAssessed,
    FinePaid,
    FinesResumed,
    FinesSuspended,
    FineWaived,
    HoldCancelled,
    HoldChanged,
    HoldExpired,
    HoldReady,
    LoanLost,
    SpanOut,
)
from shared.owners import OwnerAway
from shared.unit_of_work import Busy, Origin, Run
from tests.notices.lending import Lending
from tests.notices.library import (
    announced,
    called_off,
    changed,
    closed,
    confirmed,
    due_soon,
    erased,
    events,
    hear,
    hold,
    inbox,
    moved,
    overdue,
    patron,
    prefers,
    register,
    registered,
    released,
    reopened,
    rescheduled,
    title,
)
from tests.support import Api, served, token

DECEMBER_9 = "2020-12-09T08:00:00+08:00"
FEBRUARY_1 = "2021-02-01T10:00:00+08:00"
FEBRUARY_17 = "2021-02-17T16:00:00+08:00"
FEBRUARY_20 = "2021-02-20T10:00:00+08:00"
CAUSE = {"kind": "policy", "id": "default", "version": 1, "reason": "the usual rate"}


def suspended(suspension_id: str = "s-1", resumes_on: date | None = None) -> FinesSuspended:
    return FinesSuspended(
        version=1,
        suspension_id=suspension_id,
        starts_on=date(2020, 12, 10),
        resumes_on=resumes_on,
        branches=(),
        kinds=("central",),
        reason="closed",
    )


def resumed(suspension_id: str = "s-1") -> FinesResumed:
    snapshot = suspended(suspension_id, date(2021, 3, 5)).model_dump()
    return FinesResumed.model_validate({**snapshot, "version": 3})


def fine(charge_id: str, patron_id: str, last: str = "charged") -> FineAssessed:
    span = {"from": "2020-12-05", "to": "2020-12-09", "days": 5, "amount_cents": 750}
    return FineAssessed(
        version=1,
        charge_id=charge_id,
        patron_id=patron_id,
        loan_id="loan-1",
        kind="fine",
        amount_cents=750,
        outstanding_cents=750,
        assessed_on=date(2020, 12, 9),
        due_on=date(2020, 12, 4),
        charged_days=5,
        spans=(SpanOut.model_validate({**span, "disposition": last, "cause": CAUSE}),),
    )


def charge(kind: type[ChargeSnapshot], patron_id: str, **more: Any) -> ChargeSnapshot:
    """A charge of the last test in this file, after a change."""
    fields = {
        "version": 2,
        "charge_id": "charge-1",
        "patron_id": patron_id,
        "loan_id": "loan-1",
        "kind": "fine",
        "amount_cents": 750,
        "outstanding_cents": 0,
        "assessed_on": date(2020, 12, 9),
        "lowered_cents": 300,
        "cause": "closure-1",
        "paid_cents": 750,
        "payment_id": "payment-1",
        "waived_cents": 200,
    }
    return kind.model_validate({**fields, **more})


def lost(loan_id: str, patron_id: str) -> LoanLost:
    snapshot = overdue(loan_id, patron_id).model_dump()
    facts = {"state": "lost", "lost_on": date(2020, 12, 9), "declared_by": "patron"}
    return LoanLost.model_validate({**snapshot, "version": 3, **facts})


async def texts(api: Api, patron_id: str) -> list[str]:
    return [item["text"] for item in await inbox(api, patron_id)]


# ---- the inbox over HTTP ------------------------------------------------------------------------


async def test_an_inbox_is_read_newest_first_page_by_page(api: Api, lending: Lending) -> None:
    lending.owes("loan-1", 750)
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    for number in range(4):
        await hear(api, moved(f"loan-{number}", "p"), f"e-m{number}", FEBRUARY_17)
    whole = await inbox(api, "p")
    assert [item["kind"] for item in whole] == ["loan.due-date-changed"] * 4 + ["loan.overdue"]
    found: list[Any] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/me/inbox?limit=2{cursor}", as_=patron("p"))).json()
        found += page["items"]
        if page["next"] is None:
            break
        cursor = f"&after={page['next']}"
    assert found == whole
    assert (await api.get("/v1/me/inbox?after=x", as_=patron("p"))).status == 422
    assert await inbox(api, "q") == []


async def test_a_notification_is_read_once_however_often_it_is_said(api: Api, replica: Api) -> None:
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    (item,) = await inbox(api, "p")
    assert not item["read"]
    path = f"/v1/me/inbox/{item['id']}/read"
    answers = await asyncio.gather(
        *((api, replica)[at % 2].post(path, as_=patron("p")) for at in range(20))
    )
    assert {answer.status for answer in answers} == {200}
    assert answers[0].json() == {**item, "read": True}
    assert await inbox(api, "p") == [{**item, "read": True}]
    told = await events(api, "notification.delivered", "notification.read")
    assert [(e["topic"], e["version"], e["read"], e["kind"]) for e in told] == [
        ("notification.delivered", 1, False, "loan.due-date-changed"),
        ("notification.read", 2, True, "loan.due-date-changed"),
    ]


@pytest.mark.parametrize(
    ("as_", "status"),
    [
        (None, 401),
        (token("p", audience="other"), 401),
        (token("p", expires_in=-10), 401),
        (token("s", ["staff"]), 403),
        (token("q"), 404),
    ],
    ids=["nobody", "of another system", "expired", "staff", "another patron"],
)
async def test_an_inbox_is_for_its_patron_alone(api: Api, as_: str | None, status: int) -> None:
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    (item,) = await inbox(api, "p")
    answer = await api.post(f"/v1/me/inbox/{item['id']}/read", as_=as_)
    assert answer.status == status
    listed = await api.get("/v1/me/inbox", as_=as_)
    assert listed.status == (200 if status == 404 else status)
    if status == 404:
        assert answer.json()["code"] == "no-such-notification"
        assert listed.json()["items"] == []
    assert await inbox(api, "p") == [item]


async def test_a_text_is_in_the_language_of_its_patron_with_the_title_known_by_now(
    api: Api,
) -> None:
    await hear(api, moved("loan-1", "p"), "e-1", FEBRUARY_17)
    (item,) = await inbox(api, "p")
    assert item["text"].startswith("An item that you borrowed is now due on 19 February 2021")
    assert "title" not in item["about"]
    await hear(api, title(2, "Jane Eyre"), "e-2", FEBRUARY_17)
    await hear(api, title(1, "Jan Eir"), "e-3", FEBRUARY_17)
    await hear(api, registered("p", language="zh-Hant"), "e-4", FEBRUARY_17)
    (item,) = await inbox(api, "p")
    assert item["text"] == (
        "由於圖書館關閉，《Jane Eyre》的到期日由2020年12月4日改為2021年2月19日。"
    )
    assert item["about"] == {
        "loan_id": "loan-1",
        "title_id": "title-1",
        "title": "Jane Eyre",
        "due_on": "2021-02-19",
        "previous_due_on": "2020-12-04",
    }
    await hear(api, prefers("p", 1, language="zh-Hans"), "e-5", FEBRUARY_17)
    assert (await texts(api, "p"))[0].startswith("由于图书馆关闭")


# ---- money --------------------------------------------------------------------------------------


async def test_an_overdue_notice_says_what_the_statement_says(api: Api, lending: Lending) -> None:
    lending.owes("loan-1", 750)
    await hear(api, title(), "e-0", DECEMBER_9)
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    (item,) = await inbox(api, "p")
    assert item["text"] == (
        "“Jane Eyre” was due on 4 December 2020 and is overdue. Please return or renew it. "
        "The fine up to 9 December 2020 is $7.50, payable after its return or renewal."
    )
    assert (item["about"]["amount_cents"], item["about"]["suspended"]) == (750, False)
    assert lending.asked == [("/v1/loans/loan-1/fine-statement", {"as_of": "2020-12-09"})]


async def test_a_loan_that_is_due_soon_is_told_unless_it_is_back_or_renewed(
    api: Api, lending: Lending
) -> None:
    for number, (state, due_on) in enumerate(
        (("open", "2020-12-04"), ("returned", "2020-12-04"), ("open", "2020-12-16")), 1
    ):
        lending.loans[f"loan-{number}"] = {"state": state, "due_on": due_on}
        await hear(api, due_soon(f"loan-{number}", "p"), f"e-{number}", "2020-12-02T08:00:00+08:00")
    await hear(api, due_soon("none", "p"), "e-4", "2020-12-02T08:00:00+08:00")
    assert await texts(api, "p") == [
        "An item that you borrowed is due on 4 December 2020. Please return or renew it by then."
    ]


async def test_an_overdue_notice_names_no_money_while_fines_are_suspended(
    api: Api, lending: Lending
) -> None:
    """It does not name the earlier accrued fine either; the account shows that."""
    lending.owes("loan-1", 750, suspended=True)
    lending.owes("loan-2", 750, suspended=True, resumes_on="2021-03-05")
    await hear(api, overdue("loan-1", "p"), "e-1", "2020-12-21T08:00:00+08:00")
    await hear(api, overdue("loan-2", "p"), "e-2", FEBRUARY_20)
    later, earlier = await inbox(api, "p")
    for item in (later, earlier):
        assert "$" not in item["text"]
        assert "Fines are suspended" in item["text"]
        assert "amount_cents" not in item["about"]
    assert later["text"].endswith("They are counted again from 5 March 2021.")
    assert later["about"]["resumes_on"] == "2021-03-05"
    assert "again" not in earlier["text"]


async def test_nothing_is_said_of_a_loan_that_is_not_there_or_not_overdue_any_more(
    api: Api, lending: Lending
) -> None:
    lending.owes("loan-2", 0, overdue=False)
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    await hear(api, overdue("loan-2", "p"), "e-2", DECEMBER_9)
    await hear(api, fine("charge-1", "p"), "e-3", DECEMBER_9)
    await hear(api, suspended(), "e-4", DECEMBER_9)
    assert await inbox(api, "p") == []
    assert await events(api, "notification.delivered") == []


async def test_while_circulation_is_away_the_event_waits(api: Api, lending: Lending) -> None:
    lending.owes("loan-1", 750)
    lending.away = True
    with pytest.raises(OwnerAway):
        await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    assert await inbox(api, "p") == []
    lending.away = False
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    assert len(await inbox(api, "p")) == 1


async def test_a_fine_is_told_as_the_charge_stands_then(api: Api, lending: Lending) -> None:
    lending.charges["charge-1"] = {"amount_cents": 750, "outstanding_cents": 600}
    lending.charges["charge-2"] = {"amount_cents": 750, "outstanding_cents": 0}
    await hear(api, fine("charge-1", "p"), "e-1", DECEMBER_9)
    lending.loans["loan-1"] = {"id": "loan-1", "title_id": "title-1"}
    await hear(api, title(), "e-0", DECEMBER_9)
    await hear(api, fine("charge-2", "p"), "e-2", FEBRUARY_1)
    settled, open_ = await texts(api, "p")
    assert open_.startswith("An item that you borrowed: a fine of $7.50 was recorded. $6.00 of it")
    assert settled.startswith("“Jane Eyre”: a fine of $7.50")
    assert "It is settled" in settled


async def test_a_fine_assessed_under_a_suspension_is_told_without_its_sum(
    api: Api, lending: Lending
) -> None:
    lending.charges["charge-1"] = {"amount_cents": 750, "outstanding_cents": 750}
    await hear(api, fine("charge-1", "p", last="suspended"), "e-1", FEBRUARY_20)
    (item,) = await inbox(api, "p")
    assert "$" not in item["text"]
    assert "amount_cents" not in item["about"]


async def test_a_charge_notification_states_the_charge_at_that_time(
    api: Api, lending: Lending
) -> None:
    now = {"amount_cents": 450, "outstanding_cents": 0, "refund_due_cents": 300}
    lending.charges["charge-1"] = now
    lending.loans["loan-1"] = {"id": "loan-1", "title_id": "title-1"}
    await hear(api, title(), "e-0", DECEMBER_9)
    events = [
        charge(FinePaid, "p"),
        charge(FineWaived, "p"),
        charge(FineAdjusted, "p"),
        charge(FineAdjusted, "p", lowered_cents=0, refunded_cents=300),
    ]
    for number, event in enumerate(events):
        await hear(api, event, f"e-{number + 1}", f"2020-12-09T1{number}:00:00+08:00")
    refunded, adjusted, waived, paid = await texts(api, "p")
    assert paid == "“Jane Eyre”: your payment of $7.50 was received. Thank you."
    assert waived == "“Jane Eyre”: $2.00 of a charge was waived."
    assert adjusted == (
        "“Jane Eyre”: a charge was lowered and is now $4.50. "
        "$3.00 of what you paid is due back to you."
    )
    assert refunded == "“Jane Eyre”: $3.00 was given back to you."


async def test_a_hold_fee_is_told_without_a_loan(api: Api, lending: Lending) -> None:
    lending.charges["charge-1"] = {"amount_cents": 330, "outstanding_cents": 330}
    event = fine("charge-1", "p").model_copy(
        update={"kind": "hold-fee", "loan_id": "", "hold_id": "h", "spans": ()}
    )
    await hear(api, event, "e-1", DECEMBER_9)
    [told] = await texts(api, "p")
    assert told.startswith("A fee of $3.30 for collecting a reserved item was charged.")
    assert [path for path, _ in lending.asked] == ["/v1/charges/charge-1"]


async def test_a_loss_is_told_unless_it_was_found_by_then(api: Api, lending: Lending) -> None:
    lending.loans["loan-1"] = {"state": "lost", "due_on": "2020-12-04"}
    lending.loans["loan-2"] = {"state": "returned", "due_on": "2020-12-04"}
    await hear(api, lost("loan-1", "p"), "e-1", DECEMBER_9)
    await hear(api, lost("loan-2", "p"), "e-2", DECEMBER_9)
    [told] = await texts(api, "p")
    assert "recorded as lost" in told


# ---- recipients ---------------------------------------------------------------------------------


async def test_a_reopening_is_told_to_the_followers_of_that_branch_only(api: Api) -> None:
    await register(api)
    await hear(api, prefers("a", 1, ("HKCL", "TPO")), "e-1", FEBRUARY_1)
    await hear(api, prefers("b", 1, ("TPO",), ("talk",)), "e-2", FEBRUARY_1)
    await hear(api, prefers("c", 1, ("HKCL",)), "e-3", FEBRUARY_1)
    await hear(api, prefers("c", 2), "e-4", "2021-02-02T10:00:00+08:00")
    await hear(api, reopened("HKCL"), "e-5", FEBRUARY_17)
    (item,) = await inbox(api, "a")
    assert item["text"] == "Hong Kong Central Library reopens on 19 February 2021."
    assert item["about"] == {
        "branch": "HKCL",
        "title": "Hong Kong Central Library",
        "reopened_on": "2021-02-19",
    }
    assert await inbox(api, "b") == await inbox(api, "c") == []


async def test_a_recording_is_told_to_those_who_follow_its_type(api: Api) -> None:
    await hear(api, prefers("a", 1, (), ("exhibition", "talk")), "e-1", FEBRUARY_1)
    await hear(api, prefers("b", 1, ("HKCL",), ("exhibition",)), "e-2", FEBRUARY_1)
    await hear(api, released("activity-1"), "e-3", FEBRUARY_17)
    assert await texts(api, "a") == ["The recording of “Factory In and Out” can be watched now."]
    assert await inbox(api, "b") == []


async def test_a_suspension_is_told_to_every_borrower_in_scope_page_by_page(
    api: Api, lending: Lending
) -> None:
    borrowers = [f"p{number:04}" for number in range(450)]
    lending.borrowers["s-1"] = borrowers
    await hear(api, erased("p0007"), "e-0", DECEMBER_9)
    await hear(api, suspended(), "e-1", DECEMBER_9)
    told = await events(api, "notification.delivered")
    assert sorted(e["patron_id"] for e in told) == [b for b in borrowers if b != "p0007"]
    assert [params for _, params in lending.asked] == [
        {"limit": "200"},
        {"limit": "200", "after": "p0199"},
        {"limit": "200", "after": "p0399"},
    ]
    assert "$" not in (await texts(api, "p0449"))[0]
    await hear(api, suspended(), "e-1", DECEMBER_9)
    assert len(lending.asked) == 3
    assert len(await events(api, "notification.delivered")) == 449


async def test_telling_goes_on_where_it_stopped(api: Api, lending: Lending) -> None:
    lending.borrowers["s-1"] = [f"p{number:04}" for number in range(450)]
    lending.away_after_pages = 1
    with pytest.raises(OwnerAway):
        await hear(api, suspended(), "e-1", DECEMBER_9)
    assert len(await events(api, "notification.delivered")) == 200
    lending.away, lending.away_after_pages = False, None
    lending.asked.clear()
    await asyncio.gather(*(hear(api, suspended(), "e-1", DECEMBER_9) for _ in range(3)))
    told = [e["patron_id"] for e in await events(api, "notification.delivered")]
    assert sorted(told) == lending.borrowers["s-1"]
    assert {"limit": "200"} not in [params for _, params in lending.asked]


async def test_followers_are_told_to_the_end_after_a_kill_between_two_pages(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "PAGE", 3)
    names = [f"p{number}" for number in range(8)]
    for name in names:
        await hear(api, prefers(name, 1, ("TPO",)), f"e-{name}", FEBRUARY_1)
    # State after a crash: the event is noted, and its first page of patrons is notified.
    at = parse_instant(FEBRUARY_17)
    about = About(branch="TPO", reopened_on=date(2021, 2, 19))
    cause = Cause("e-r", 1, "branch.reopened", at, about, branch="TPO")
    first_life = Run(api.app.state.unit_of_work, Origin(now=at, causation_id="e-r"), inbox="e-r")
    await first_life(begin_telling, cause)
    await first_life(tell_patrons, TellPatrons("e-r", "", ("p0", "p1", "p2"), "p2"))
    await hear(api, reopened("TPO"), "e-r", FEBRUARY_17)
    told = await events(api, "notification.delivered")
    assert sorted(e["patron_id"] for e in told) == names


async def test_an_event_of_very_many_is_put_back_for_others_and_told_on_from_there(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "PAGE", 3)
    monkeypatch.setattr(consumers, "PAGES_IN_HAND", 2)
    names = [f"p{number}" for number in range(8)]
    for name in names:
        await hear(api, prefers(name, 1, ("TPO",)), f"e-{name}", FEBRUARY_1)
    with pytest.raises(Busy):
        await hear(api, reopened("TPO"), "e-r", FEBRUARY_17)
    assert len(await events(api, "notification.delivered")) == 6
    await hear(api, reopened("TPO"), "e-r", FEBRUARY_17)
    told = await events(api, "notification.delivered")
    assert sorted(e["patron_id"] for e in told) == names


async def test_two_replicas_with_one_event_tell_each_patron_once(api: Api, replica: Api) -> None:
    for number in range(30):
        await hear(api, prefers(f"p{number}", 1, ("TPO",)), f"e-{number}", FEBRUARY_1)
    await asyncio.gather(
        *((hear((api, replica)[at % 2], reopened("TPO"), "e-r", FEBRUARY_17)) for at in range(6))
    )
    told = await events(api, "notification.delivered")
    assert sorted(e["patron_id"] for e in told) == sorted(f"p{number}" for number in range(30))


# ---- order --------------------------------------------------------------------------------------


async def test_preferences_that_come_late_catch_up_with_what_happened_under_them(api: Api) -> None:
    await register(api)
    await hear(api, reopened("HKCL"), "e-1", FEBRUARY_17)
    await hear(api, released("activity-1"), "e-2", FEBRUARY_17)
    await hear(api, reopened("TPO"), "e-3", "2021-03-01T10:00:00+08:00")
    await hear(api, prefers("p", 2, ("TPO",)), "e-4", FEBRUARY_20)
    assert [item["kind"] for item in await inbox(api, "p")] == ["branch.reopened"]
    await hear(api, prefers("p", 1, ("HKCL", "TPO"), ("talk",)), "e-5", FEBRUARY_1)
    found = {(item["kind"], item["about"].get("branch")) for item in await inbox(api, "p")}
    assert found == {
        ("branch.reopened", "HKCL"),
        ("recording.released", None),
        ("branch.reopened", "TPO"),
    }
    assert (await inbox(api, "p"))[-1]["at"] == "2021-02-17T08:00:00Z"


async def test_a_follower_of_a_branch_is_told_that_its_announced_reopening_was_taken_back(
    api: Api,
) -> None:
    await register(api)
    await hear(api, prefers("p", 1, ("TPO",)), "e-1", FEBRUARY_1)
    await hear(api, prefers("q", 1, ("HKCL",)), "e-2", FEBRUARY_1)
    await hear(api, reopened("TPO"), "e-3", FEBRUARY_17)
    await hear(api, changed("TPO", "amended"), "e-4", FEBRUARY_17)
    for _ in range(2):
        await hear(api, changed("TPO", "reopening-taken-back", 5), "e-5", FEBRUARY_17)
    kinds = [item["kind"] for item in await inbox(api, "p")]
    assert sorted(kinds) == ["branch.closure-changed", "branch.reopened"]
    assert await inbox(api, "q") == []


async def test_a_notification_is_taken_back_when_a_late_event_shows_the_branch_was_unfollowed(
    api: Api,
) -> None:
    await register(api)
    await hear(api, prefers("p", 1, ("HKCL",)), "e-1", FEBRUARY_1)
    await hear(api, reopened("HKCL"), "e-3", FEBRUARY_17)
    (item,) = await inbox(api, "p")
    await hear(api, prefers("p", 2), "e-2", "2021-02-02T10:00:00+08:00")
    assert await inbox(api, "p") == []
    gone = await api.post(f"/v1/me/inbox/{item['id']}/read", as_=patron("p"))
    assert gone.status == 404
    told = await events(api, "notification.delivered", "notification.read")
    assert [(e["topic"], e["version"], e["read"]) for e in told] == [
        ("notification.delivered", 1, False),
        ("notification.read", 2, True),
    ]


async def test_an_event_and_preferences_at_the_same_moment_do_not_miss_each_other(
    api: Api, replica: Api
) -> None:
    for round_ in range(20):
        name = f"p{round_}"
        await asyncio.gather(
            hear(api, prefers(name, 1, ("TPO",)), f"e-p{round_}", FEBRUARY_1),
            hear(replica, reopened("TPO"), f"e-r{round_}", FEBRUARY_17),
        )
    told = await events(api, "notification.delivered")
    counts = [sum(e["patron_id"] == f"p{number}" for e in told) for number in range(20)]
    # Each patron known by now was notified of all reopenings, earlier and later.
    assert counts == [20] * 20


async def test_an_erased_patron_has_no_inbox_and_is_told_of_nothing(
    api: Api, lending: Lending
) -> None:
    lending.owes("loan-1", 750)
    await hear(api, prefers("p", 1, ("HKCL",)), "e-1", FEBRUARY_1)
    await hear(api, moved("loan-1", "p"), "e-2", FEBRUARY_1)
    await hear(api, erased("p"), "e-3", FEBRUARY_17)
    assert await inbox(api, "p") == []
    await hear(api, overdue("loan-1", "p"), "e-4", FEBRUARY_17)
    await hear(api, registered("p", 2), "e-5", FEBRUARY_17)
    await hear(api, prefers("p", 2, ("HKCL",)), "e-6", FEBRUARY_17)
    await hear(api, reopened("HKCL"), "e-7", FEBRUARY_17)
    assert await inbox(api, "p") == []
    assert await api.app.state.database.notifications.count_documents({}) == 0


async def test_an_erasure_amid_notifications_leaves_nothing_behind(api: Api, replica: Api) -> None:
    for round_ in range(10):
        name = f"p{round_}"
        await asyncio.gather(
            *(hear(api, moved(f"loan-{n}", name), f"e-{round_}-{n}", FEBRUARY_1) for n in range(4)),
            hear(replica, erased(name), f"e-{round_}", FEBRUARY_1),
        )
    assert await api.app.state.database.notifications.count_documents({}) == 0


@dataclass(frozen=True)
class Happened:
    id: str
    at: str
    event: Event


def story() -> list[Happened]:
    """Return an event of every type that notices subscribes to, in order of time."""
    snapshot = registered("a").model_dump()
    told: list[Event] = [
        registered("a", language="zh-Hant"),
        registered("b"),
        registered("c"),
        title(1, "Jane Eyr"),
        title(2),
        announced("activity-1", "Factory"),
        prefers("a", 1, ("HKCL",), ("talk",)),
        prefers("b", 1, ("HKCL", "TPO")),
        prefers("c", 1, ("HKCL",), ("talk",)),
        due_soon("loan-b", "b"),
        overdue("loan-a", "a"),
        overdue("loan-b", "b"),
        fine("charge-a", "a"),
        suspended(),
        reopened("HKCL", 3),
        prefers("b", 2, ("TPO",)),
        prefers("a", 2, (), ("talk",), language="zh-Hans"),
        reopened("HKCL", 4),
        moved("loan-a", "a"),
        reopened("TPO", 3),
        changed("TPO", "reopening-taken-back"),
        closed("TPO", 5),
        PatronUpdated.model_validate({**snapshot, "patron_id": "b", "version": 2}),
        PatronBlocked.model_validate(
            {**snapshot, "patron_id": "b", "version": 3, "language": "zh-Hant"}
        ),
        PatronUnblocked.model_validate({**snapshot, "patron_id": "b", "version": 4}),
        released("activity-1"),
        prefers("b", 3, ("HKCL",), ("exhibition",)),
        reopened("TPO", 4),
        resumed(),
        erased("c"),
        reopened("HKCL", 5),
        overdue("loan-c", "c"),
        charge(FineWaived, "e"),
        charge(FineAdjusted, "e"),
        charge(FinePaid, "e"),
        lost("loan-e", "e"),
        hold(HoldReady, 2, patron_id="e", state="ready"),
        hold(HoldChanged, 3, patron_id="e", state="ready"),
        hold(HoldExpired, 4, patron_id="e", state="expired", uncollected=True),
        hold(HoldCancelled, 2, patron_id="e", hold_id="hold-2", state="cancelled", by="staff"),
        confirmed("activity-2", "e", waited=True),
        rescheduled("activity-2"),
        called_off("activity-2", "e"),
    ]
    return [
        Happened(f"event-{number}", f"2021-02-{number // 24 + 1:02}T{number % 24:02}:00:00Z", event)
        for number, event in enumerate(told)
    ]


def answers(lending: Lending) -> None:
    """Set the answers of circulation for the whole story."""
    lending.owes("loan-a", 750)
    lending.owes("loan-b", 750, suspended=True, resumes_on="2021-03-05")
    lending.owes("loan-c", 150)
    lending.charges["charge-a"] = {"amount_cents": 750, "outstanding_cents": 750}
    lending.loans["loan-1"] = {"id": "loan-1", "title_id": "title-1"}
    lending.charges["charge-1"] = {"amount_cents": 450, "outstanding_cents": 0}
    lending.loans["loan-e"] = {"state": "lost", "due_on": "2020-12-04"}
    lending.loans["loan-b"] = {"state": "open", "due_on": "2020-12-04"}
    lending.borrowers["s-1"] = ["a", "b", "c", "d"]
    lending.registered["activity-2"] = ["e", "c"]


async def play(
    settings: Settings, order: Callable[[list[Happened]], list[Happened]]
) -> dict[str, Any]:
    """Return the state after the story in some order: inboxes and unread notifications."""
    async with served(create_app, settings) as api:
        await register(api)
        for happened in order(story()):
            await hear(api, happened.event, happened.id, happened.at)
        latest: dict[str, dict[str, Any]] = {}
        told = await events(api, "notification.delivered", "notification.read")
        for event in told:
            known = latest.get(event["notification_id"])
            if known is None or known["version"] < event["version"]:
                latest[event["notification_id"]] = event
        unread = {
            name: sorted(
                e["notification_id"]
                for e in latest.values()
                if e["patron_id"] == name and not e["read"]
            )
            for name in ("a", "b", "d")
        }
        inboxes = {name: await inbox(api, name) for name in ("a", "b", "c", "d", "e")}
        # For each living patron, the published events agree with the inbox.
        assert unread == {name: sorted(i["id"] for i in inboxes[name]) for name in unread}
        left = api.app.state.database.notifications
        assert await left.count_documents({"patron_id": "c"}) == 0
        return inboxes


@pytest.mark.parametrize("seed", range(4))
async def test_events_three_times_in_any_order_end_in_the_inbox_of_once_in_order(
    settings: Settings, lending: Lending, seed: int
) -> None:
    answers(lending)
    shuffled = random.Random(seed)  # noqa: S311 - an order, not a secret

    def thrice(told: list[Happened]) -> list[Happened]:
        return shuffled.sample(told * 3, len(told) * 3)

    in_order = await play(settings, list)
    prefix = f"{settings.database_prefix}_x"
    assert await play(settings.model_copy(update={"database_prefix": prefix}), thrice) == in_order
    kinds = [[item["kind"] for item in in_order[name]] for name in ("a", "b", "c", "d", "e")]
    assert kinds == [
        [
            "fines.resumed",
            "recording.released",
            "loan.due-date-changed",
            "branch.reopened",
            "fines.suspended",
            "fine.assessed",
            "loan.overdue",
        ],
        [
            "branch.reopened",
            "fines.resumed",
            "branch.closed",
            "branch.closure-changed",
            "branch.reopened",
            "branch.reopened",
            "fines.suspended",
            "loan.overdue",
            "loan.due-soon",
        ],
        [],
        ["fines.resumed", "fines.suspended"],
        [
            *("registration.cancelled", "activity.rescheduled", "registration.confirmed"),
            *("hold.cancelled", "hold.expired", "hold.changed", "hold.ready"),
            *("loan.lost", "fine.paid", "fine.adjusted", "fine.waived"),
        ],
    ]


def test_the_story_has_every_event_type_that_notices_subscribes_to() -> None:
    assert {happened.event.topic for happened in story()} == set(consumers.subscriptions.by_topic)
