"""Fines: the cost of an overdue loan, with every overdue day accounted for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from services.circulation.rules.calendar import DAY, Calendar, Cause, merge
from services.circulation.rules.policy import Policy
from services.circulation.rules.suspension import FineSuspension


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


def statement(
    *,
    due_on: date,
    until: date,
    policy: Policy,
    calendar: Calendar,
    suspensions: Iterable[FineSuspension],
) -> Statement:
    """Return the fine of a loan due on `due_on` and returned (or looked at) on `until`.

    `calendar` is the lending branch's, `suspensions` are those that concern it, `policy` is the row
    the loan was made under. The cost of computing it grows with the number of spans, not of days.
    """
    due = calendar.next_open(due_on)
    if due is None or until <= due:
        return Statement(due, charged_days=0, amount_cents=0, spans=())
    overdue = list(_lay_out(due + DAY, until, policy, calendar, suspensions))
    spans = tuple(_price(overdue, policy))
    charged = [span for span in spans if span.disposition is Disposition.CHARGED]
    return Statement(
        due,
        charged_days=sum(span.days for span in charged),
        amount_cents=sum(span.amount_cents for span in charged),
        spans=spans,
    )


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


def _price(spans: list[Span], policy: Policy) -> Iterator[Span]:
    """Yield the spans with grace, rate and cap applied to the chargeable ones."""
    chargeable = sum(span.days for span in spans if span.disposition is Disposition.CHARGED)
    in_grace = chargeable <= policy.grace_days
    rate, left = policy.fine_per_day_cents, policy.fine_cap_cents
    for span in spans:
        if span.disposition is not Disposition.CHARGED:
            yield span
        elif in_grace:
            yield replace(span, disposition=Disposition.GRACE)
        elif left is None or rate == 0:
            yield replace(span, amount_cents=rate * span.days)
        else:
            paying = min(span.days, -(-left // rate))  # the day that reaches the cap pays the rest
            amount = min(rate * paying, left)
            left -= amount
            if paying:
                to = span.from_ + timedelta(days=paying - 1)
                yield replace(span, to=to, amount_cents=amount)
            if paying < span.days:
                from_ = span.from_ + timedelta(days=paying)
                yield replace(span, from_=from_, disposition=Disposition.CAPPED)


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
