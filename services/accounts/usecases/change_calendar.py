"""Make, renew or end the link to a patron's calendar feed."""

from dataclasses import dataclass, replace

from services.accounts import store
from services.accounts.domain.calendar import Calendar
from services.accounts.domain.refusals import NoSuchPatron
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class MakeCalendar:
    """A new link to the patron's calendar feed, which replaces the one until now."""

    patron_id: str
    with_titles: bool


@dataclass(frozen=True)
class EndCalendar:
    """A patron who wants no link to their calendar feed any more."""

    patron_id: str


def make_calendar(work: Work, command: MakeCalendar) -> Calendar:
    """Store a new link and return it. Raises NoSuchPatron."""
    calendar = Calendar(new_id(), command.with_titles, work.now.replace(microsecond=0))
    _replace(work, command.patron_id, calendar)
    return calendar


def end_calendar(work: Work, command: EndCalendar) -> None:
    """Delete the link if there is one. Raises NoSuchPatron."""
    _replace(work, command.patron_id, None)


def _replace(work: Work, patron_id: str, calendar: Calendar | None) -> None:
    """Save the cardholder, which an erasure deletes: of two at once, one is retried."""
    holder = store.cardholder(work, patron_id)
    if holder is None or store.patron(work, patron_id) is None:
        raise NoSuchPatron
    if holder.calendar != calendar:
        changed = replace(holder, calendar=calendar, version=holder.version + 1)
        store.save_cardholders(work, changed)
