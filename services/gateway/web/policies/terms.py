"""The terms of a policy row in the words of librarians, as forms and lists show them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from services.gateway.web import forms
from services.gateway.web.page_request import PageRequest
from shared.translations import marked

Kind = Literal[
    "number", "days", "hours", "minutes", "money", "percent", "yes", "unit", "dates", "rates"
]


@dataclass(frozen=True)
class Term:
    """A term of a policy row."""

    name: str
    """Its name in the API."""
    kind: Kind
    label: str
    usual: bool = False
    """True if most libraries set it: the form shows it at once."""


@dataclass(frozen=True)
class Change:
    """A term that differs between two rows."""

    term: Term
    old: Any
    new: Any


GROUPS: Mapping[str, tuple[Term, ...]] = {
    marked("Loans"): (
        Term("loan_days", "days", marked("Loan period"), usual=True),
        Term("renewals_allowed", "number", marked("Number of renewals"), usual=True),
        Term("renewal_days", "days", marked("Period of a renewal"), usual=True),
        Term("max_loans", "number", marked("Most items on loan"), usual=True),
        Term("lendable", "yes", marked("May be taken home"), usual=True),
        Term("loan_hours", "hours", marked("Loan period by hours")),
        Term("renewal_hours", "hours", marked("Period of a renewal by hours")),
        Term("counts_open_days", "yes", marked("Only open days of the library count")),
        Term("fixed_due_dates", "dates", marked("Fixed due dates")),
        Term("latest_due_dates", "dates", marked("Latest due dates")),
        Term("renewal_from_due_date", "yes", marked("Renewals count from the due date")),
        Term("renews_automatically", "yes", marked("Renewed automatically on the due date")),
        Term("max_loans_of_category", "number", marked("Most items of this kind on loan")),
        Term("max_loans_at_branch", "number", marked("Most items on loan from one library")),
    ),
    marked("Fines"): (
        Term("fine_per_day_cents", "money", marked("Fine for a day or period"), usual=True),
        Term("fine_cap_cents", "money", marked("Highest fine for an item"), usual=True),
        Term("grace_days", "days", marked("Grace period"), usual=True),
        Term("block_over_cents", "money", marked("Unpaid sum that blocks"), usual=True),
        Term("charge_every", "number", marked("Length of a period")),
        Term("charge_unit", "unit", marked("Unit of the period")),
        Term("charge_completed", "yes", marked("A period costs only when it is over")),
        Term("fine_tiers", "rates", marked("Later rates")),
        Term("fine_minimum_cents", "money", marked("Lowest fine that is charged")),
        Term("fine_cap_at_price", "yes", marked("At most the price of the item")),
        Term("patron_fine_cap_cents", "money", marked("Highest unpaid fines of a reader")),
        Term("grace_forgiven", "yes", marked("Days of grace never cost")),
        Term("grace_minutes", "minutes", marked("Grace for loans by hours")),
        Term("count_closed_days", "yes", marked("Closed days are charged")),
        Term("lost_after_days", "days", marked("Lost when overdue for")),
        Term("lost_processing_percent", "percent", marked("Cost of replacing, of the price")),
    ),
    marked("Reservations"): (
        Term("max_holds", "number", marked("Most reservations"), usual=True),
        Term("hold_fee_cents", "money", marked("Reservation fee"), usual=True),
        Term("hold_shelf_days", "days", marked("Kept on the shelf for open days"), usual=True),
        Term("max_holds_per_day", "number", marked("Most new reservations in 24 hours")),
        Term("max_holds_of_title", "number", marked("Most reservations of one title")),
        Term("hold_waits_days", "days", marked("Ends when waiting for")),
        Term("hold_only_if_out", "yes", marked("Only while no copy is available")),
        Term("pickup_at_owner", "yes", marked("Collected only where a copy belongs")),
    ),
}
"""All terms, by the part of the form that has them."""
TERMS = tuple(term for terms in GROUPS.values() for term in terms)
MEASURES: Mapping[Kind, str] = {
    "days": marked("days"),
    "hours": marked("hours"),
    "minutes": marked("minutes"),
    "money": "$",
    "percent": "%",
    "dates": marked("one a line, such as 2021-06-30"),
    "rates": marked("from which period on, one a line, such as 8: 1.00"),
}
"""Units of terms in forms."""
UNITS = {"hour": marked("hour"), "day": marked("day"), "week": marked("week")}
SCOPE = ("patron_category", "copy_category", "branch_kind")
"""The fields that say to which loans a row applies."""

_RATE = re.compile(r"(\d{1,5})\s*[:：]\s*\$?(\d{1,5}(?:\.\d\d)?)")


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Return the terms of a row that differ from those of another."""
    return [
        Change(term, old[term.name], new[term.name])
        for term in TERMS
        if old[term.name] != new[term.name]
    ]


def typed(request: PageRequest) -> dict[str, Any]:
    """Return the terms of a form as the API takes them; what is malformed as it was typed."""
    scope = {name: request.text(name) or None for name in SCOPE}
    return scope | {term.name: _typed(request, term) for term in TERMS}


def _typed(request: PageRequest, term: Term) -> Any:
    text = request.text(term.name)
    if term.kind == "yes":
        return bool(text)
    if term.kind == "money":
        cents = forms.cents(request, term.name)
        return text or None if cents is None else cents
    if term.kind == "unit":
        return text
    if term.kind == "dates":
        return sorted(set(forms.lines(request, term.name)))
    if term.kind == "rates":
        return _rates(forms.lines(request, term.name)) or text or []
    return request.number(term.name)


def _rates(lines: Sequence[str]) -> list[dict[str, int]]:
    """Return the rates of some lines; none if a line is malformed."""
    found = [_RATE.fullmatch(line) for line in lines]
    rates = {int(one[1]): round(float(one[2]) * 100) for one in found if one}
    if None in found or any(period < 2 for period in rates):
        return []
    return [{"from_period": period, "cents": rates[period]} for period in sorted(rates)]


def as_typed(row: Mapping[str, Any], term: Term) -> str:
    """Return a term as a form has it."""
    value = row[term.name]
    if value is None or value is False:
        return ""
    if term.kind == "money":
        return _dollars(value)
    if term.kind == "dates":
        return "\n".join(value)
    if term.kind == "rates":
        return "\n".join(f"{one['from_period']}: {_dollars(one['cents'])}" for one in value)
    return str(value)


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"
