"""Terms of a policy row that few libraries set, and what being late costs under them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

ChargeUnit = Literal["hour", "day", "week"]

HOURS_OF_DAY = 24
MINUTES_OF_DAY = HOURS_OF_DAY * 60


@dataclass(frozen=True, slots=True)
class FineTier:
    """Another rate, from a charge period on."""

    from_period: int
    """Ordinal of the first period at this rate: 2 or more, since the row's own rate comes first."""
    cents: int
    """Cents for each period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionalTerms:
    """Terms that few rows set. A document leaves out those with their default value.

    The defaults are the meaning of rows stored before the term existed, so they never change.
    Money is in cents. docs/policies.md has an example of each.
    """

    charge_every: int = 1
    """Length of a charge period, in units. `fine_per_day_cents` is the rate of each period."""
    charge_unit: ChargeUnit = "day"
    """Days that are closed or suspended are free and belong to no period."""
    charge_completed: bool = False
    """True: a period costs once it is over; False: once it begins."""
    fine_tiers: tuple[FineTier, ...] = ()
    """Later rates, in the order of their periods."""
    fine_minimum_cents: int = 0
    """A fine below this sum is not charged at all."""
    fine_cap_at_price: bool = False
    """True: a fine is at most the price of the copy as recorded at check-out, if there is one."""
    patron_fine_cap_cents: int | None = None
    """Sum of a patron's unpaid fines that a new fine may not exceed; None: no limit."""
    grace_forgiven: bool = False
    """True: the days of grace never cost; False: with one day more all of them are charged."""
    grace_minutes: int = 0
    """Added to the days of grace where time is counted in hours or minutes."""

    loan_hours: int | None = None
    """Hours of a loan, in place of `loan_days`: it is due at a time of day; None: by days."""
    renewal_hours: int | None = None
    """Hours of a renewal of such a loan; None: `loan_hours`."""
    counts_open_days: bool = False
    """True: `loan_days` and `renewal_days` count open days of the lending branch."""
    fixed_due_dates: tuple[date, ...] = ()
    """Due dates in order, such as ends of terms: a loan by days is due on the next one.
    After the last one, `loan_days` counts."""
    latest_due_dates: tuple[date, ...] = ()
    """Dates in order: no loan is due after the next one. After the last one there is no limit."""
    renewal_from_due_date: bool = False
    """True: a renewal counts from the present due date; False: from the day of renewal.
    An overdue loan is renewed from that day in any case."""
    lendable: bool = True
    """False: copies are for use in the library only, and cannot be reserved."""
    max_loans_of_category: int | None = None
    """Most open loans of a patron of copies of the category of the next one; None: no limit."""
    max_loans_at_branch: int | None = None
    """Most open loans of a patron that the lending branch lent; None: no limit."""
    max_holds_per_day: int | None = None
    """Most holds that a patron may place within 24 hours; None: no limit."""
    max_holds_of_title: int | None = None
    """Most open holds of a patron on one title or its volumes; None: no limit."""
    hold_waits_days: int | None = None
    """Days after which a hold that still waits ends; None: none but those the patron chooses."""
    hold_only_if_out: bool = False
    """True: a hold is refused while a copy is available."""
    pickup_at_owner: bool = False
    """True: a hold is collected at a library that owns a copy; False: at any."""
    renews_automatically: bool = False
    """True: a loan by days is renewed on its due date if it can be and the patron wants it."""


def charged_cents(terms: OptionalTerms, rate: int, units: int, period: int) -> int:
    """Return the cents for being late, before any cap.

    `units` is the chargeable time and `period` the length of a charge period, both in days or both
    in minutes; `rate` is the cents for the first period.
    """
    periods = units // period if terms.charge_completed else -(-units // period)
    cents, first = 0, 1
    for tier in terms.fine_tiers:
        cents += rate * max(min(periods, tier.from_period - 1) - first + 1, 0)
        rate, first = tier.cents, tier.from_period
    return cents + rate * max(periods - first + 1, 0)


def period_length(terms: OptionalTerms, day: int) -> int:
    """Return the length of a charge period if a day has `day` units: 1, or 1440 minutes.

    Periods of hours need minutes.
    """
    if terms.charge_unit == "hour":
        return terms.charge_every * day // HOURS_OF_DAY
    return terms.charge_every * (7 if terms.charge_unit == "week" else 1) * day


def dollars(cents: int) -> str:
    """Return an amount as statements show it: `$1.50`."""
    return f"${cents / 100:,.2f}"


def describe_rates(terms: OptionalTerms, rate: int) -> Iterator[str]:
    """Yield the rates as statements name them: `$1.50 a day`, and those of later periods."""
    number, unit = terms.charge_every, terms.charge_unit
    daily = number == 1 and unit == "day"
    when = "completed" if terms.charge_completed else "started"
    if daily:
        each = "a day"
    else:
        each = f"for each {when} {unit}" if number == 1 else f"for each {when} {number} {unit}s"
    yield f"{dollars(rate)} {each}"
    for tier in terms.fine_tiers:
        yield f"{dollars(tier.cents)} from {'day' if daily else 'period'} {tier.from_period}"


def describe_free(terms: OptionalTerms, grace_days: int) -> Iterator[str]:
    """Yield the terms under which being late costs nothing, as statements name them."""
    grace = [f"{grace_days} days"] if grace_days else []
    if terms.grace_minutes:
        grace.append(f"{terms.grace_minutes} minutes")
    if grace:
        forgiven = " that never cost" if terms.grace_forgiven else ""
        yield f"{' and '.join(grace)} of grace{forgiven}"
    if terms.fine_minimum_cents:
        yield f"nothing below {dollars(terms.fine_minimum_cents)}"
