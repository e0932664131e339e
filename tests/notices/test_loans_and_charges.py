"""Notifications about loans and charges: amounts as circulation states them then."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.notices.kinds.charges import Assessed
from services.notices.kinds.kind import Known
from shared.contracts.circulation import (
    ChargeSnapshot,
    FineAdjusted,
    FineAssessed,
    FinePaid,
    FineWaived,
)
from shared.owners import OwnerAway
from shared.unit_of_work import Origin, Run
from tests import samples
from tests.notices import library
from tests.notices.lending import Lending
from tests.support import Api


async def test_an_overdue_notice_has_the_amount_of_the_statement(
    api: Api, lending: Lending
) -> None:
    lending.owes("loan-1", 750)
    await library.hear(api, library.title(), "e-0", library.DECEMBER_9)
    await library.hear(api, library.overdue("loan-1", "p"), "e-1", library.DECEMBER_9)
    (item,) = await library.inbox(api, "p")
    assert item["text"] == (
        "“Jane Eyre” was due on 4 December 2020 and is overdue. Please return or renew it. "
        "Your fine up to 9 December 2020: $7.50. Pay it after you return or renew the item."
    )
    assert (item["about"]["amount_cents"], item["about"]["suspended"]) == (750, False)
    assert lending.asked == [("/v1/loans/loan-1/fine-statement", {"as_of": "2020-12-09"})]


async def test_a_due_soon_reminder_is_omitted_if_the_loan_was_returned_or_renewed(
    api: Api, lending: Lending
) -> None:
    for number, (state, due_on) in enumerate(
        (("open", "2020-12-04"), ("returned", "2020-12-04"), ("open", "2020-12-16")), 1
    ):
        lending.loans[f"loan-{number}"] = {"state": state, "due_on": due_on}
        await library.hear(
            api, library.due_soon(f"loan-{number}", "p"), f"e-{number}", "2020-12-02T08:00:00+08:00"
        )
    await library.hear(api, library.due_soon("none", "p"), "e-4", "2020-12-02T08:00:00+08:00")
    assert await library.texts(api, "p") == [
        "An item that you borrowed is due on 4 December 2020. Please return or renew it by then."
    ]


async def test_an_overdue_notice_names_no_money_while_fines_are_suspended(
    api: Api, lending: Lending
) -> None:
    """It does not name the earlier accrued fine either; the account shows that."""
    lending.owes("loan-1", 750, suspended=True)
    lending.owes("loan-2", 750, suspended=True, resumes_on="2021-03-05")
    await library.hear(api, library.overdue("loan-1", "p"), "e-1", "2020-12-21T08:00:00+08:00")
    await library.hear(api, library.overdue("loan-2", "p"), "e-2", library.FEBRUARY_20)
    later, earlier = await library.inbox(api, "p")
    for item in (later, earlier):
        assert "$" not in item["text"]
        assert "Fines are suspended" in item["text"]
        assert "amount_cents" not in item["about"]
    assert later["text"].endswith("They restart on 5 March 2021.")
    assert later["about"]["resumes_on"] == "2021-03-05"
    assert "restart" not in earlier["text"]


async def test_no_overdue_notice_is_sent_for_a_missing_or_no_longer_overdue_loan(
    api: Api, lending: Lending
) -> None:
    lending.owes("loan-2", 0, overdue=False)
    await library.hear(api, library.overdue("loan-1", "p"), "e-1", library.DECEMBER_9)
    await library.hear(api, library.overdue("loan-2", "p"), "e-2", library.DECEMBER_9)
    await library.hear(api, library.fine("charge-1", "p"), "e-3", library.DECEMBER_9)
    await library.hear(api, library.suspended(), "e-4", library.DECEMBER_9)
    assert await library.inbox(api, "p") == []
    assert await library.events(api, "notification.delivered") == []


async def test_an_event_waits_while_circulation_is_away(api: Api, lending: Lending) -> None:
    lending.owes("loan-1", 750)
    lending.away = True
    with pytest.raises(OwnerAway):
        await library.hear(api, library.overdue("loan-1", "p"), "e-1", library.DECEMBER_9)
    assert await library.inbox(api, "p") == []
    lending.away = False
    await library.hear(api, library.overdue("loan-1", "p"), "e-1", library.DECEMBER_9)
    assert len(await library.inbox(api, "p")) == 1


async def test_a_fine_notification_states_the_current_charge(api: Api, lending: Lending) -> None:
    lending.charges["charge-1"] = {"amount_cents": 750, "outstanding_cents": 600}
    lending.charges["charge-2"] = {"amount_cents": 750, "outstanding_cents": 0}
    await library.hear(api, library.fine("charge-1", "p"), "e-1", library.DECEMBER_9)
    lending.loans["loan-1"] = {"id": "loan-1", "title_id": "title-1"}
    await library.hear(api, library.title(), "e-0", library.DECEMBER_9)
    await library.hear(api, library.fine("charge-2", "p"), "e-2", library.FEBRUARY_1)
    settled, open_ = await library.texts(api, "p")
    assert open_ == "An item that you borrowed: you've been fined $7.50. To pay: $6.00."
    assert settled == "“Jane Eyre”: you've been fined $7.50. Nothing is left to pay."


async def test_a_fine_assessed_during_a_suspension_is_notified_without_its_amount(
    api: Api, lending: Lending
) -> None:
    lending.charges["charge-1"] = {"amount_cents": 750, "outstanding_cents": 750}
    await library.hear(
        api, library.fine("charge-1", "p", last="suspended"), "e-1", library.FEBRUARY_20
    )
    (item,) = await library.inbox(api, "p")
    assert "$" not in item["text"]
    assert "amount_cents" not in item["about"]


PRICE, PROCESSING, LATE = (
    {"charge_id": f"charge-{number}", "charge_kind": kind, "title_id": "title-1", "cents": cents}
    for number, (kind, cents) in enumerate(
        [("lost", 10_000), ("lost-processing", 2_000), ("fine", 1_500)], start=1
    )
)


def of_loss(event: type[ChargeSnapshot], *parts: dict[str, Any]) -> list[ChargeSnapshot]:
    """The events of one transaction about the charges of a loss; the first one notifies."""
    return [
        library.charge(
            event,
            "p",
            charge_id=part["charge_id"],
            charge_kind=part["charge_kind"],
            paid_cents=part["cents"],
            others=parts[1:] if part is parts[0] else [],
            notified_with=None if part is parts[0] else parts[0]["charge_id"],
            due_on=date(2020, 12, 4),
            charged_days=0,
            spans=(),
        )
        for part in parts
    ]


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "backwards"])
async def test_one_transaction_gives_one_notification_in_any_order_of_repeated_events(
    api: Api, lending: Lending, backwards: bool
) -> None:
    await library.hear(api, library.title(), "e-0", library.DECEMBER_9)
    lending.loans["loan-1"] = {"title_id": "title-1", "state": "lost", "due_on": "2020-12-04"}
    lending.charges = {
        f"charge-{number}": {"kind": kind, "amount_cents": cents, "outstanding_cents": cents}
        for number, kind, cents in (
            (1, "lost", 10_000),
            (2, "lost-processing", 2_000),
            (3, "fine", 1_500),
        )
    }
    of_loan = library.lost("loan-1", "p").model_copy(update={"charged": True})
    charged, paid = (of_loss(one, PRICE, PROCESSING, LATE) for one in (FineAssessed, FinePaid))
    again = [(event, f"e-{id(event)}") for event in (of_loan, *charged, *paid)] * 2
    for event, event_id in reversed(again) if backwards else again:
        await library.hear(api, event, event_id, library.DECEMBER_9)
    items = await library.inbox(api, "p")
    assert {item["kind"]: item["text"] for item in items} == {
        "fine.assessed": (
            "“Jane Eyre” was recorded as lost. You've been charged $135.00 in all. "
            "Price: $100.00. Replacement: $20.00. Overdue fine: $15.00. To pay: $135.00. "
            "If you find it, please bring it back."
        ),
        "fine.paid": "“Jane Eyre”: your payment of $135.00 was received. Thank you.",
    }
    assert len(items) == 2


async def test_a_found_item_gives_one_notification_of_its_price_and_its_fine(
    api: Api, lending: Lending
) -> None:
    await library.hear(api, library.title(), "e-0", library.DECEMBER_9)
    lending.loans["loan-1"] = {"title_id": "title-1"}
    lending.charges = {
        "charge-1": {"amount_cents": 0, "outstanding_cents": 0, "refund_due_cents": 10_000},
        "charge-3": {"amount_cents": 750, "outstanding_cents": 0, "refund_due_cents": 750},
    }
    for number, event in enumerate(of_loss(FineAdjusted, PRICE, LATE), start=1):
        await library.hear(api, event, f"e-{number}", library.DECEMBER_9)
    [told] = await library.texts(api, "p")
    assert told == (
        "“Jane Eyre” was found, so its price is no longer charged. Your fine for it was lowered to "
        "$7.50. You'll get $107.50 back."
    )


async def test_fines_of_one_return_give_one_notification_that_names_three_of_many_titles(
    api: Api, lending: Lending
) -> None:
    lending.loans["loan-1"] = {"title_id": "title-1"}
    charges = [f"charge-{number}" for number in range(1, 6)]
    for number, charge_id in enumerate(charges, start=1):
        amounts = {"amount_cents": 100, "outstanding_cents": 100 if number > 1 else 0}
        lending.charges[charge_id] = {"kind": "fine", **amounts}
        name = samples.title(1, f"Book {number}").model_copy(update={"title_id": f"title-{number}"})
        await library.hear(api, name, f"t-{number}", library.DECEMBER_9)
    others = [
        {**LATE, "charge_id": charge_id, "title_id": charge_id.replace("charge", "title")}
        for charge_id in charges[1:]
    ]
    for count in (1, 3, 4):
        event = library.fine("charge-1", "p", others=others[:count])
        await library.hear(api, event, f"e-{count}", f"2020-12-09T0{count}:00:00+08:00")
    assert await library.texts(api, "p") == [
        "“Book 1”, “Book 2”, “Book 3” and 2 more: you've been fined $5.00. To pay: $4.00.",
        "“Book 1”, “Book 2”, “Book 3” and “Book 4”: you've been fined $4.00. To pay: $3.00.",
        "“Book 1” and “Book 2”: you've been fined $2.00. To pay: $1.00.",
    ]


async def test_a_later_change_of_a_charge_does_not_change_its_notification(
    api: Api, lending: Lending
) -> None:
    now = {"amount_cents": 450, "outstanding_cents": 0, "refund_due_cents": 300}
    lending.charges["charge-1"] = now
    lending.loans["loan-1"] = {"id": "loan-1", "title_id": "title-1"}
    await library.hear(api, library.title(), "e-0", library.DECEMBER_9)
    events = [
        library.charge(FinePaid, "p"),
        library.charge(FineWaived, "p"),
        library.charge(FineAdjusted, "p"),
        library.charge(FineAdjusted, "p", lowered_cents=0, refunded_cents=300),
        library.charge(FineAdjusted, "p", lowered_cents=0, cancelled_cents=300),
    ]
    for number, event in enumerate(events):
        await library.hear(api, event, f"e-{number + 1}", f"2020-12-09T1{number}:00:00+08:00")
    cancelled, refunded, adjusted, waived, paid = await library.texts(api, "p")
    assert paid == "“Jane Eyre”: your payment of $7.50 was received. Thank you."
    assert waived == "“Jane Eyre”: $2.00 of a charge was waived, so you don't pay it."
    assert adjusted == "“Jane Eyre”: a charge was lowered to $4.50. You'll get $3.00 back."
    assert refunded == "“Jane Eyre”: $3.00 was refunded to you."
    assert cancelled.startswith(
        "“Jane Eyre”: the library cancelled the record of your payment of $3.00."
    )


async def test_a_hold_fee_is_notified_without_a_loan(api: Api, lending: Lending) -> None:
    lending.charges["charge-1"] = {"amount_cents": 330, "outstanding_cents": 330}
    event = library.fine("charge-1", "p", kind="hold-fee", loan_id="", hold_id="h", spans=())
    await library.hear(api, event, "e-1", library.DECEMBER_9)
    [told] = await library.texts(api, "p")
    assert told.startswith("You've been charged $3.30 for collecting a reserved item.")
    assert [path for path, _ in lending.asked] == ["/v1/charges/charge-1"]


async def test_a_loss_is_notified_unless_the_copy_was_found_meanwhile(
    api: Api, lending: Lending
) -> None:
    lending.loans["loan-1"] = {"state": "lost", "due_on": "2020-12-04"}
    lending.loans["loan-2"] = {"state": "returned", "due_on": "2020-12-04"}
    await library.hear(api, library.lost("loan-1", "p"), "e-1", library.DECEMBER_9)
    await library.hear(api, library.lost("loan-2", "p"), "e-2", library.DECEMBER_9)
    [told] = await library.texts(api, "p")
    assert "recorded as lost" in told


@pytest.mark.parametrize("kind", ["fine", "lost"])
async def test_a_charge_that_was_cancelled_meanwhile_is_not_notified_as_nothing(
    api: Api, lending: Lending, kind: str
) -> None:
    lending.charges["charge-1"] = {"amount_cents": 0, "outstanding_cents": 0}
    await library.hear(api, library.fine("charge-1", "p", kind=kind), "e-1", library.DECEMBER_9)
    assert await library.texts(api, "p") == []


@pytest.mark.parametrize("kind", [None, "lost", "lost-processing"])
async def test_a_settled_charge_that_is_cancelled_later_is_not_sent_with_its_amount_of_nothing(
    api: Api, lending: Lending, kind: str | None
) -> None:
    """Neither again in an e-mail, nor in the inbox of those who got it so from a former release."""
    paid = Assessed(charge_id="charge-1", charge_kind=kind, amount_cents=5000, outstanding_cents=0)
    lending.charges["charge-1"] = {"amount_cents": 0, "outstanding_cents": 0}
    run = Run(api.app.state.unit_of_work, Origin(now=datetime.fromisoformat(library.DECEMBER_9)))
    assert await paid.current(run) is None
    known = Known({}, {}, {}, {}, ZoneInfo("Asia/Hong_Kong"))
    texts = replace(paid, amount_cents=0).texts(known)
    assert texts == ["{title}: a charge was cancelled in full."]
