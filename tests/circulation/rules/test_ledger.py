"""The ledger balances after every change, in any order of changes."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.circulation.refusals import MoreThanOutstanding, NoRefundDue, Refusal
from services.circulation.rules.charge import Charge, ChargeKind, new_charge
from services.circulation.rules.ledger import (
    Entry,
    EntryKind,
    Occasion,
    Posting,
    assessed,
    is_refund,
    lower,
    pay,
    refund,
    waive,
)

DAY = date(2021, 3, 5)
THEN = Occasion(on=DAY, at=datetime(2021, 3, 5, 4, tzinfo=UTC), by="s1", reason="asked")


def charge(cents: int = 1000) -> Charge:
    return new_charge("c1", "p1", ChargeKind.FINE, cents, DAY, loan_id="l1")


def amounts(posting: Posting | None) -> dict[str, int]:
    assert posting is not None
    return {entry.kind.value: entry.amount_cents for entry in posting.entries}


def money(charge: Charge) -> tuple[int, int, int, int, int]:
    return (
        charge.amount_cents,
        charge.outstanding_cents,
        charge.paid_cents,
        charge.waived_cents,
        charge.refund_due_cents,
    )


def check(charge: Charge, entries: list[Entry]) -> None:
    """Check the invariants of a charge and its ledger."""
    total = {
        kind: sum(entry.amount_cents for entry in entries if entry.kind is kind)
        for kind in EntryKind
    }
    assert min(money(charge)) >= 0
    assert charge.amount_cents == charge.outstanding_cents + charge.paid_cents + charge.waived_cents
    owed = sum(entry.amount_cents for entry in entries if not is_refund(entry))
    assert owed == charge.outstanding_cents
    assert total[EntryKind.REFUND_DUE] + total[EntryKind.REFUND] == -charge.refund_due_cents
    charged = (EntryKind.CHARGE, EntryKind.CREDIT, EntryKind.REFUND_DUE)
    assert charge.amount_cents == sum(total[kind] for kind in charged)
    assert charge.waived_cents == -total[EntryKind.WAIVER]
    assert charge.paid_cents == -total[EntryKind.PAYMENT] + total[EntryKind.REFUND_DUE]
    assert len({entry.id for entry in entries}) == len(entries)


STEPS: dict[str, Callable[[Charge, int], Posting | None]] = {
    "pay": lambda charge, cents: pay(charge, cents, THEN),
    "waive": lambda charge, cents: waive(charge, cents, THEN),
    "lower": lambda charge, cents: lower(charge, cents, THEN),
    "refund": lambda charge, cents: refund(charge, cents, THEN),
}


@settings(deadline=None)
@given(
    cents=st.integers(1, 13_000),
    steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(1, 13_000)), max_size=12),
)
def test_the_ledger_balances_after_every_change(cents: int, steps: list[tuple[str, int]]) -> None:
    posting = assessed(charge(cents), THEN.at)
    now, entries = posting.charge, list(posting.entries)
    check(now, entries)
    for name, amount in steps:
        try:
            step = STEPS[name](now, amount)
        except Refusal:
            continue
        if step is None:
            continue
        assert step.charge.version == now.version + 1
        assert step.charge.amount_cents <= now.amount_cents, "more was charged after the fact"
        assert step.owed_cents == step.charge.outstanding_cents - now.outstanding_cents
        now = step.charge
        entries += step.entries
        check(now, entries)


@pytest.mark.parametrize(
    ("paid", "waived", "to", "entries", "after"),
    [
        (0, 0, 400, {"credit": -600}, (400, 400, 0, 0, 0)),
        (0, 0, 0, {"credit": -1000}, (0, 0, 0, 0, 0)),
        (300, 0, 400, {"credit": -600}, (400, 100, 300, 0, 0)),
        (1000, 0, 400, {"refund-due": -600}, (400, 0, 400, 0, 600)),
        (700, 0, 400, {"credit": -300, "refund-due": -300}, (400, 0, 400, 0, 300)),
        (0, 1000, 400, {"credit": -600, "waiver": 600}, (400, 0, 0, 400, 0)),
        (700, 300, 800, {"refund-due": -200}, (800, 0, 500, 300, 200)),
        (
            700,
            300,
            200,
            {"credit": -100, "waiver": 100, "refund-due": -700},
            (200, 0, 0, 200, 700),
        ),
    ],
    ids=[
        "nothing paid: less is owed",
        "nothing is charged any more",
        "a part was paid: less of the rest is owed",
        "all was paid: what is above is due back",
        "more was paid than is charged now",
        "all was waived: less of it was",
        "what was paid comes back before less is waived",
        "and then less is waived",
    ],
)
def test_lowering_a_charge_credits_it_and_makes_the_paid_excess_a_refund_due(
    paid: int, waived: int, to: int, entries: dict[str, int], after: tuple[int, ...]
) -> None:
    before = charge()
    before = pay(before, paid, THEN).charge if paid else before
    before = waive(before, waived, THEN).charge if waived else before
    lowered = lower(before, to, THEN)
    assert amounts(lowered) == entries
    assert lowered is not None
    assert money(lowered.charge) == after


def test_a_charge_is_never_raised() -> None:
    assert lower(charge(), 1000, THEN) is None
    assert lower(charge(), 1500, THEN) is None


def test_a_waiver_cannot_exceed_the_amount_owed() -> None:
    paid = pay(charge(), 600, THEN).charge
    with pytest.raises(MoreThanOutstanding, match=r"\$4\.00"):
        waive(paid, 401, THEN)
    assert waive(paid, 400, THEN).charge.outstanding_cents == 0


def test_a_pending_payment_of_a_lowered_charge_is_settled_first() -> None:
    lowered = lower(charge(), 600, THEN)
    assert lowered is not None
    paid = pay(lowered.charge, 1000, THEN)
    assert amounts(paid) == {"credit": 400, "payment": -1000, "refund-due": -400}
    assert money(paid.charge) == (600, 0, 600, 0, 400)


def test_a_refund_pays_the_refund_due_once() -> None:
    lowered = lower(pay(charge(), 1000, THEN).charge, 300, THEN)
    assert lowered is not None
    refunded = refund(lowered.charge, 700, THEN)
    assert amounts(refunded) == {"refund": 700}
    assert refunded.owed_cents == 0
    with pytest.raises(NoRefundDue):
        refund(refunded.charge, 700, THEN)


def test_an_entry_has_its_time_author_and_reason() -> None:
    [entry] = waive(charge(), 10, THEN).entries
    assert (entry.on, entry.at, entry.by, entry.reason) == (DAY, THEN.at, "s1", "asked")
