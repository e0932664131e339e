"""Compose the text of a notification, from the same facts in each language.

While fines are suspended, no sentence about a fine names an amount, and none in any language asks
for money: the account shows what accrued before, the notification does not. Amounts paid, waived,
lowered or refunded are always named, because they ask for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime

from services.notices.domain.phrases import PHRASES, Phrases


@dataclass(frozen=True)
class Facts:
    """Facts of a notification, with names as people know them and amounts as text."""

    title: str | None = None
    """Title of the item on loan; None if not known yet."""
    activity: str | None = None
    begins_at: datetime | None = None
    """Start of the activity in the library's time zone."""
    previous_begins_at: datetime | None = None
    """Previously announced value, if it changed; the same for all `previous_` fields."""
    venue: str | None = None
    previous_venue: str | None = None
    branch: str | None = None
    libraries: tuple[str, ...] = ()
    """Names of the libraries whose loans it concerns."""
    due_on: date | None = None
    previous_due_on: date | None = None
    notice: int = 1
    """Ordinal of this overdue notice, counted from 1."""
    as_of: date | None = None
    suspended: bool = False
    amount: str | None = None
    """Amount, such as `$7.50`; None if nothing is owed."""
    outstanding: str | None = None
    refund: str | None = None
    """Amount to be refunded of what was paid."""
    refunded: bool = False
    """True if the amount was refunded."""
    charge_kind: str = "fine"
    starts_on: date | None = None
    previous_starts_on: date | None = None
    resumes_on: date | None = None
    previous_resumes_on: date | None = None
    reopened_on: date | None = None
    previous_reopened_on: date | None = None
    open_again: bool = False
    """True if the branch does not close, or no longer does."""
    collect_from: date | None = None
    """First day on which a closed branch is open again; None if it is open."""
    shelf_until: date | None = None
    """Last day on which a reserved item is kept; None if no end is announced."""
    uncollected: bool = False


def message(kind: str, told: Sequence[Facts], language: str) -> str:
    """Return the text of a notification of several things of one `kind`, one after another."""
    phrases = PHRASES.get(language, PHRASES["en"])
    return phrases.between.join(text(kind, facts, language) for facts in told)


def text(kind: str, facts: Facts, language: str) -> str:
    """Return the text of a notification of `kind` (a topic), in English for an unknown language."""
    phrases = PHRASES.get(language, PHRASES["en"])
    said = {name: _said(getattr(facts, name), phrases) for name in _NAMES}
    of_hold = kind.startswith("hold.") or facts.charge_kind == "hold-fee"
    item = phrases.reserved if of_hold else phrases.item
    said["title"] = phrases.quoted.format(facts.title) if facts.title else item
    one = phrases.activity if kind == "recording.released" else phrases.joined
    said["libraries"] = said["libraries"] or phrases.libraries
    said["activity"] = phrases.quoted.format(facts.activity) if facts.activity else one
    return phrases.between.join(
        sentence.format(**said) for sentence in _sentences(kind, facts, phrases)
    )


_NAMES = tuple(field.name for field in fields(Facts))


def _said(value: object, phrases: Phrases) -> str:
    if isinstance(value, datetime):
        return phrases.moment(value)
    if isinstance(value, date):
        return phrases.day(value)
    if isinstance(value, tuple):
        *others, last = value or ("",)
        return phrases.and_.join([*filter(None, [phrases.comma.join(others)]), last])
    return "" if value is None else str(value)


def _sentences(kind: str, facts: Facts, phrases: Phrases) -> list[str]:
    if kind.startswith("loan."):
        return _of_loan(kind, facts, phrases)
    if kind.startswith("fine."):
        return _of_charge(kind, facts, phrases)
    match kind:
        case "fines.suspended":
            instead = facts.previous_starts_on is not None
            first = phrases.suspended_instead if instead else phrases.suspended
            return [first, *_again(facts, phrases)]
        case "fines.resumed":
            return [_resumed(facts, phrases)]
        case "branch.reopened" | "branch.closed" | "branch.closure-changed":
            return [_of_branch(facts, phrases)]
        case "recording.released":
            return [phrases.released]
        case "registration.confirmed":
            return [phrases.placed_at if facts.begins_at else phrases.placed, phrases.withdraw]
        case "registration.cancelled":
            return [phrases.called_off_at if facts.begins_at else phrases.called_off]
        case "activity.rescheduled":
            moved = phrases.moved_to if facts.previous_begins_at else phrases.rescheduled
            elsewhere = [phrases.other_venue] if facts.previous_venue else []
            return [moved, *elsewhere, phrases.withdraw]
    return [_of_hold(kind, facts, phrases) or phrases.other]


def _of_hold(kind: str, facts: Facts, phrases: Phrases) -> str:
    """Return the sentence of a notification about a hold; empty for any other."""
    match kind:
        case "hold.ready" if facts.collect_from:
            return phrases.ready_from_until if facts.shelf_until else phrases.ready_from
        case "hold.ready":
            return phrases.ready_until if facts.shelf_until else phrases.ready
        case "hold.changed" if facts.collect_from and facts.shelf_until:
            return phrases.kept_from
        case "hold.changed":
            return phrases.kept_until if facts.shelf_until else phrases.kept_on
        case "hold.expired":
            return phrases.uncollected if facts.uncollected else phrases.unserved
        case "hold.cancelled":
            return phrases.cancelled
    return ""


def _of_loan(kind: str, facts: Facts, phrases: Phrases) -> list[str]:
    overdue = phrases.overdue if facts.notice == 1 else phrases.still_overdue
    match kind:
        case "loan.due-soon":
            return [phrases.due_soon]
        case "loan.overdue" if facts.suspended:
            return [overdue, phrases.not_counted, *_again(facts, phrases)]
        case "loan.overdue":
            return [overdue, phrases.accrued if facts.amount else phrases.nothing_accrued]
        case "loan.due-date-changed" if _earlier(facts):
            return [phrases.restored]
        case "loan.due-date-changed":
            return [phrases.moved]
        case "loan.lost":
            return [phrases.lost]
    return [phrases.other]


def _of_charge(kind: str, facts: Facts, phrases: Phrases) -> list[str]:
    match kind:
        case "fine.assessed" if facts.charge_kind != "fine":
            left = phrases.left_to_pay if facts.outstanding else phrases.nothing_left
            return [_charged(facts.charge_kind, phrases), left]
        case "fine.assessed" if facts.suspended:
            return [phrases.fine_suspended]
        case "fine.assessed":
            return [phrases.fine if facts.outstanding else phrases.fine_settled]
        case "fine.adjusted" if facts.refunded:
            return [phrases.refunded]
        case "fine.adjusted":
            due_back = [phrases.refund_due] if facts.refund else []
            return [phrases.lowered if facts.amount else phrases.dropped, *due_back]
        case "fine.paid":
            return [phrases.paid]
        case "fine.waived":
            return [phrases.waived]
    return [phrases.other]


def _again(facts: Facts, phrases: Phrases) -> list[str]:
    """Return when fines are counted again, and that a day announced before no longer holds."""
    if facts.previous_resumes_on:
        replaced = facts.resumes_on is not None
        return [phrases.counted_again_instead if replaced else phrases.not_counted_again]
    return [phrases.counted_again] if facts.resumes_on else []


def _resumed(facts: Facts, phrases: Phrases) -> str:
    if facts.starts_on and facts.resumes_on and facts.resumes_on <= facts.starts_on:
        return phrases.not_suspended  # withdrawn: no day of it is free
    return phrases.resumed_instead if facts.previous_resumes_on else phrases.resumed


def _of_branch(facts: Facts, phrases: Phrases) -> str:
    """Return when a branch reopens, and that it does not on the day announced before."""
    if facts.reopened_on:
        return phrases.reopened_instead if facts.previous_reopened_on else phrases.reopened
    if facts.open_again:
        return phrases.not_closed
    return phrases.stays_closed_on if facts.previous_reopened_on else phrases.stays_closed


def _charged(kind: str, phrases: Phrases) -> str:
    return {
        "lost": phrases.price,
        "lost-processing": phrases.processing,
        "hold-fee": phrases.hold_fee,
    }[kind]


def _earlier(facts: Facts) -> bool:
    """Return whether a due date moved earlier, which happens only when an error is corrected."""
    return bool(facts.due_on and facts.previous_due_on and facts.due_on < facts.previous_due_on)
