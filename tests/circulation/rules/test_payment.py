"""The states of a payment, and what a payment and a refund are for."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.circulation.refusals import NoRefundDue, NothingToPay, PaymentOver
from services.circulation.rules.charge import Charge, ChargeKind, new_charge
from services.circulation.rules.payment import (
    Payment,
    PaymentState,
    Step,
    begin_payment,
    begin_refund,
    settle_refund,
    take_cash,
    take_step,
)

AT = datetime(2020, 12, 8, 4, tzinfo=UTC)
ALLOWED = {
    ("pending", "authorise"): "authorised",
    ("pending", "release"): "declined",
    ("authorised", "authorise"): "authorised",
    ("authorised", "settle"): "paid",
    ("authorised", "release"): "declined",
    ("paid", "settle"): "paid",
    ("declined", "release"): "declined",
    ("pending", "drop"): "not-received",
    ("not-received", "drop"): "not-received",
}


def fine(charge_id: str, cents: int) -> Charge:
    return new_charge(charge_id, "p1", ChargeKind.FINE, cents, date(2020, 12, 7), loan_id="l1")


def payment(state: PaymentState = PaymentState.PENDING) -> Payment:
    begun = begin_payment("pay-1", "p1", [fine("c1", 450), fine("c2", 300)], AT)
    return replace(begun, state=state)


@pytest.mark.parametrize("state", PaymentState)
@pytest.mark.parametrize("step", Step)
def test_money_is_taken_only_for_an_authorised_payment_and_each_step_is_taken_once(
    state: PaymentState, step: Step
) -> None:
    before = payment(state)
    leads_to = ALLOWED.get((state.value, step.value))
    if leads_to is None:
        with pytest.raises(PaymentOver):
            take_step(before, step)
    else:
        after = take_step(before, step)
        assert after.state.value == leads_to
        assert after.version == (1 if leads_to == state.value else 2)


def test_a_payment_pays_all_that_is_outstanding() -> None:
    begun = payment()
    assert begun.cents == 750
    assert [(part.charge_id, part.cents) for part in begun.parts] == [("c1", 450), ("c2", 300)]


def test_a_payment_with_a_settled_charge_is_refused() -> None:
    with pytest.raises(NothingToPay):
        begin_payment("pay-1", "p1", [fine("c1", 450), fine("c2", 0)], AT)


def test_cash_is_taken_at_once_and_given_back_at_once() -> None:
    taken = take_cash("pay-1", "p1", [fine("c1", 450)], AT, cents=450, by="s1")
    assert (taken.state, taken.in_cash, taken.cents) == (PaymentState.PAID, True, 450)
    due = replace(fine("c1", 450), refund_due_cents=300)
    refund = begin_refund("r1", due, taken, 450, AT, by="s1")
    assert (refund.settled, refund.in_cash) == (True, True)


def test_a_refund_gives_all_that_is_due_back_once() -> None:
    due = replace(fine("c1", 450), refund_due_cents=300)
    refund = begin_refund("r1", due, payment(PaymentState.PAID), 450, AT, by="s1")
    assert (refund.payment_id, refund.charge_id, refund.cents) == ("pay-1", "c1", 300)
    given = settle_refund(refund)
    assert (given.settled, given.version) == (True, 2)
    assert settle_refund(given) is given
    with pytest.raises(NoRefundDue):
        begin_refund("r2", fine("c1", 450), payment(PaymentState.PAID), 450, AT, by="s1")
