"""Fines: the cost of an overdue loan, with every overdue day accounted for."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from services.circulation.rules.calendar import DAY, Calendar, Cause, merge
from services.circulation.rules.policy import Policy
from services.circulation.rules.suspension import FineSuspension
from services.circulation.rules.terms import MINUTES_OF_DAY, charged_cents, period_length


class Disposition(StrEnum):
    """Classification of an overdue day."""

    SUSPENDED = "suspended"
    CLOSED = "closed"
    GRACE = "grace"
    CHARGED = "charged"
    CAPPED = "capped"


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring overdue days with one disposition, and their causes.

    When a branch stays closed, or fines stay suspended, for several causes in a row, the days form
    one span that names each cause. Splitting a closure in two therefore never changes a statement's
    days.
    """

    from_: date
    to: date
    disposition: Disposition
    causes: tuple[Cause, ...]
    amount_cents: int = 0

    @property
    def days(self) -> int:
        """Number of days, both ends included."""
        return (self.to - self.from_).days + 1

    @property
    def cause(self) -> Cause:
        """First cause."""
        return self.causes[0]


@dataclass(frozen=True, slots=True)
class Statement:
    """A fine with its explanation."""

    due_on: date | None
    """Day after which days are overdue; None while the branch is closed with no end announced."""
    charged_days: int
    amount_cents: int
    spans: tuple[Span, ...]

    @property
    def ends_suspended(self) -> bool:
        """True if fines were suspended on the last overdue day."""
        return bool(self.spans) and self.spans[-1].disposition is Disposition.SUSPENDED


@dataclass(frozen=True, slots=True)
class Late:
    """Times of day of a loan by hours, in minutes after midnight in the library's time zone."""

    due: int
    """Time on the due date from which the loan is overdue."""
    until: int
    """Time on the day of the return, renewal or loss; 1440 is the end of that day."""


def statement(
    *,
    due_on: date,
    until: date,
    policy: Policy,
    calendar: Calendar,
    suspensions: Iterable[FineSuspension],
    late: Late | None = None,
) -> Statement:
    """Return the fine of a loan due on `due_on` and returned (or looked at) on `until`.

    `calendar` is the lending branch's, `suspensions` are those that concern it, `policy` is the row
    the loan was made under. `late` has the times of a loan by hours, which is overdue on its due
    date already. The cost of computing it grows with the number of spans, not of days.
    """
    due = calendar.next_open(due_on)
    if due is None or not is_late(due, until, late):
        return Statement(due, charged_days=0, amount_cents=0, spans=())
    overdue = list(_lay_out(due if late else due + DAY, until, policy, calendar, suspensions))
    spans = tuple(_price(overdue, policy, late))
    charged = [span for span in spans if span.disposition is Disposition.CHARGED]
    return Statement(
        due,
        charged_days=sum(span.days for span in charged),
        amount_cents=sum(span.amount_cents for span in charged),
        spans=spans,
    )


def is_late(due: date, until: date, late: Late | None) -> bool:
    """Return whether a loan due on an open day `due` is overdue on `until`."""
    return until > due or (until == due and late is not None and late.until > late.due)


def _lay_out(
    day: date,
    last: date,
    policy: Policy,
    calendar: Calendar,
    suspensions: Iterable[FineSuspension],
) -> Iterator[Span]:
    """Yield the days from `day` to `last` as suspended, closed or charged spans, not yet priced."""
    for stretch in merge(suspensions):
        if stretch.last < day:
            continue
        if stretch.first > last:
            break
        if stretch.first > day:
            yield from _counted(day, stretch.first - DAY, policy, calendar)
        first, to = max(day, stretch.first), min(last, stretch.last)
        causes = tuple(suspension.cause for suspension in stretch.within(first, to))
        yield Span(first, to, Disposition.SUSPENDED, causes)
        if to == last:
            return
        day = to + DAY
    yield from _counted(day, last, policy, calendar)


def _counted(day: date, last: date, policy: Policy, calendar: Calendar) -> Iterator[Span]:
    """Yield days that no suspension covers; closed ones are free unless the policy counts them."""
    by_policy = (policy.cause,)
    if not policy.count_closed_days:
        for first, to, causes in calendar.closed_runs(day, last):
            if first > day:
                yield Span(day, first - DAY, Disposition.CHARGED, by_policy)
            yield Span(first, to, Disposition.CLOSED, causes)
            if to == last:
                return
            day = to + DAY
    yield Span(day, last, Disposition.CHARGED, by_policy)


def _price(spans: list[Span], policy: Policy, late: Late | None) -> Iterator[Span]:
    """Yield the spans with grace, rates, cap and minimum applied to the chargeable ones."""
    chargeable = [span for span in spans if span.disposition is Disposition.CHARGED]
    bill = _Bill(
        policy,
        sum(span.days for span in chargeable),
        by_minutes=late is not None or policy.charge_unit == "hour",
        head=late.due if late and chargeable and chargeable[0] is spans[0] else 0,
        tail=MINUTES_OF_DAY - late.until
        if late and chargeable and spans[-1] is chargeable[-1]
        else 0,
    )
    before = 0
    for span in spans:
        if span.disposition is not Disposition.CHARGED:
            yield span
            continue
        after = before + span.days
        for disposition, first, end in bill.parts(before, after):
            yield Span(
                span.from_ + timedelta(days=first - before),
                span.from_ + timedelta(days=end - before - 1),
                disposition,
                span.causes,
                bill.owed(end) - bill.owed(first),
            )
        before = after


class _Bill:
    """The cost of the first chargeable days of a statement under its policy row.

    `head` and `tail` are the minutes of the first and the last day that are not overdue.
    """

    def __init__(
        self, policy: Policy, days: int, *, by_minutes: bool, head: int, tail: int
    ) -> None:
        self._policy, self._days = policy, days
        self._unit = MINUTES_OF_DAY if by_minutes else 1
        self._head, self._tail = head, tail
        self._period = period_length(policy, self._unit)
        grace = policy.grace_days * self._unit + (policy.grace_minutes if by_minutes else 0)
        in_grace = self._units(days) <= grace
        self._free_units = grace if in_grace or policy.grace_forgiven else 0
        self._free = bisect_right(range(1, days + 1), self._free_units, key=self._units)
        self._cap = policy.fine_cap_cents
        self._uncapped = days
        costs = policy.fine_per_day_cents or any(tier.cents for tier in policy.fine_tiers)
        if costs and self._cap is not None and self._cents(days) >= self._cap:
            # The day that reaches the cap is charged the rest.
            self._uncapped = bisect_left(range(days), self._cap, key=self._cents)
        if self.owed(days) < policy.fine_minimum_cents:
            self._free = days

    def _units(self, days: int) -> int:
        """Return the chargeable time of the first `days` days."""
        if not days:
            return 0
        return days * self._unit - self._head - (self._tail if days == self._days else 0)

    def _cents(self, days: int) -> int:
        units = max(self._units(days) - self._free_units, 0)
        return charged_cents(self._policy, self._policy.fine_per_day_cents, units, self._period)

    def owed(self, days: int) -> int:
        """Return the cents for the first `days` days."""
        if days <= self._free:
            return 0
        return self._cents(days) if self._cap is None else min(self._cents(days), self._cap)

    def parts(self, before: int, after: int) -> Iterator[tuple[Disposition, int, int]]:
        """Yield the dispositions of the days from `before` to `after`, with their first and end."""
        ends = (
            (Disposition.GRACE, self._free),
            (Disposition.CHARGED, max(self._uncapped, self._free)),
            (Disposition.CAPPED, after),
        )
        for disposition, end in ends:
            if before < (to := min(end, after)):
                yield disposition, before, to
                before = to


def as_document(fine: Statement) -> dict[str, Any]:
    """Return the statement in the form that clients, events and the store see.

    Dates are ISO strings.
    """
    return {
        "due_on": fine.due_on.isoformat() if fine.due_on else None,
        "charged_days": fine.charged_days,
        "amount_cents": fine.amount_cents,
        "spans": [
            {
                "from": span.from_.isoformat(),
                "to": span.to.isoformat(),
                "days": span.days,
                "disposition": span.disposition.value,
                "amount_cents": span.amount_cents,
                "cause": _cause_document(span.causes),
            }
            for span in fine.spans
        ],
    }


def from_document(document: Mapping[str, Any]) -> Statement:
    """Return the statement that `as_document` wrote."""
    return Statement(
        date.fromisoformat(document["due_on"]) if document["due_on"] else None,
        document["charged_days"],
        document["amount_cents"],
        tuple(
            Span(
                date.fromisoformat(span["from"]),
                date.fromisoformat(span["to"]),
                Disposition(span["disposition"]),
                tuple(
                    Cause(cause["kind"], cause["id"], cause["version"], cause["reason"])
                    for cause in (span["cause"], *span["cause"].get("also", ()))
                ),
                span["amount_cents"],
            )
            for span in document["spans"]
        ),
    )


def _cause_document(causes: tuple[Cause, ...]) -> dict[str, Any]:
    first, *others = (
        {"kind": cause.kind, "id": cause.id, "version": cause.version, "reason": cause.reason}
        for cause in causes
    )
    return {**first, "also": others} if others else first
