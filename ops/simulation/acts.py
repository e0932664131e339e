"""The acts of a simulated city, in the order of business time, with the events of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from ops.simulation.books import Books
from ops.simulation.city import (
    CLOSES,
    FIRST_DAY,
    OPENS,
    City,
    Place,
    Plan,
    card_of,
)
from ops.simulation.days import Day
from ops.simulation.holds import expire_holds, move_shelf_days
from ops.simulation.loans import Watch, give_notices, move_due_dates
from services.circulation.catalogue.events import catalogued
from services.circulation.rules.suspension import FineSuspension, notice_resumption
from services.circulation.suspensions import events as suspensions_events
from shared.contracts import Event
from shared.contracts.accounts import PatronRegistered
from shared.contracts.calendars import Announcement, ClosureOut, Hours
from shared.contracts.notices import BranchClosed, BranchRegistered

CLOSED_AT, JOBS_AT = 5 * 3600, 6 * 3600
"""Seconds after midnight at which closures are announced and jobs run."""
STORMS = 1 / 60
"""Probability that all branches are closed for a storm on a day."""
WORKS_DAYS = 10
"""Days for which a branch is closed for works, in the middle of a simulation of 30 days or more."""
FREE_DAYS = 7
"""Days for which fines are suspended, in the second third of such a simulation."""
NOTICE_DAYS = 7
"""Days before their first day at which works and a suspension of fines are announced."""


@dataclass(frozen=True, slots=True)
class Act:
    """One call of the API with its outcome and its events."""

    at: datetime
    verb: str
    fields: dict[str, Any]
    events: list[Event]
    outcome: Any = None
    """Answer of the library's rules: codes of refusals, empty where they refuse nothing; the state
    of a registration. Of a new title its number, of an activity its id."""


class Simulation:
    """A simulated city with its books, which have the state after the last act."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.city = City(plan)
        self.books = Books(self.city)

    def acts(self) -> Iterator[Act]:
        """Yield all acts once: first what the city has, then what happens on each day."""
        yield from _founding(self.city)
        books, watch = self.books, Watch()
        day = Day(books, watch)
        closures = list(_closures(self.city, self.plan.chance("closures")))
        for number in range(self.plan.days):
            today = FIRST_DAY + timedelta(number)
            for closure in closures:
                if closure.announced_on == today:
                    yield _close(books, watch, closure, self.plan.at(today, CLOSED_AT))
            if today == _announced_on(self.plan):
                yield _suspend_fines(books, self.plan.at(today, CLOSED_AT))
            at = self.plan.at(today, JOBS_AT)
            _resume_fines(books, today)
            give_notices(books, watch, at)
            expire_holds(books, today)
            yield Act(at, "run-jobs", {}, books.take_recorded())
            for done in day.of(today):
                yield Act(done.at, done.verb, done.fields, books.take_recorded(), done.outcome)


def _founding(city: City) -> Iterator[Act]:
    """Yield the registration of branches, titles and patrons, on the day before the first."""
    for place in city.places:
        event = BranchRegistered(version=1, **_branch(place))
        fields: dict[str, Any] = {"code": place.code, "name": place.name, "kind": place.kind}
        fields["hours"] = [
            {"weekday": one.weekday + 1, "opens": one.opens, "closes": one.closes}
            for one in event.hours
        ]
        yield Act(city.founded, "register-branch", fields, [event])
    for number in range(city.titles):
        title = city.title(number)
        copies = [city.copy(copy) for copy in city.copies_of(number)]
        fields = {
            "title": title.title,
            "authors": list(title.authors),
            "kind": title.kind,
            "copies": [
                {
                    "barcode": copy.barcode,
                    "category": copy.category,
                    "branch": copy.branch_code,
                    "price_cents": copy.price_cents,
                }
                for copy in copies
            ],
        }
        at = city.founded + timedelta(hours=1)
        yield Act(at, "add-title", fields, [catalogued(title, copies)], number)
    for number in range(city.plan.patrons):
        patron, at = city.patron(number), city.registered_at(number)
        fields = {
            "card_number": card_of(number),
            "name": f"Patron {number}",
            "category": patron.category,
            "home_branch": city.home_of(number),
            "language": city.language_of(number),
        }
        registered = PatronRegistered(
            version=1,
            patron_id=patron.id,
            category=patron.category,
            home_branch=fields["home_branch"],
            language=fields["language"],
            status="active",
            card_digest="",
        )
        yield Act(at, "register-patron", fields, [registered])


@dataclass(frozen=True)
class _Closure:
    branches: tuple[str, ...]
    announced_on: date
    first: date
    reopened_on: date
    reason: str


def _closures(city: City, chance: Random) -> Iterator[_Closure]:
    """Yield the closures of a simulation: storms of one day, and works at one branch."""
    everywhere = tuple(place.code for place in city.places)
    for number in range(city.plan.days):
        if chance.random() < STORMS:
            day = FIRST_DAY + timedelta(number)
            yield _Closure(everywhere, day, day, day + timedelta(1), "Storm warning")
    if city.plan.days >= 3 * WORKS_DAYS:
        first = FIRST_DAY + timedelta(city.plan.days // 2)
        yield _Closure(
            (chance.choice(everywhere[1:]),),
            first - timedelta(NOTICE_DAYS),
            first,
            first + timedelta(WORKS_DAYS),
            "Improvement works",
        )


def _close(books: Books, watch: Watch, closure: _Closure, at: datetime) -> Act:
    """Announce a closure, and move the due dates and shelf days that it moves."""
    city = books.city
    closure_id = books.identifier(at)
    for code in closure.branches:
        calendar = books.announce(
            closure_id, code, (closure.first, closure.reopened_on), closure.reason, at
        )
        closures = tuple(
            ClosureOut(
                closure_id=one.id,
                from_=one.starts_on,
                reason=one.reason,
                announcements=tuple(
                    Announcement(version=each.version, at=each.at, reopened_on=each.reopened_on)
                    for each in one.announcements
                ),
            )
            for one in calendar.closures
        )
        fields = _branch(city.by_code[code])
        books.record(
            BranchClosed(
                version=calendar.version, closures=closures, closure_id=closure_id, **fields
            )
        )
        move_shelf_days(books, code, at.date())
        move_due_dates(books, watch, code)
    fields = {
        "branches": list(closure.branches),
        "from": closure.first.isoformat(),
        "reopened_on": closure.reopened_on.isoformat(),
        "reason": closure.reason,
    }
    return Act(at, "close", fields, books.take_recorded())


def _announced_on(plan: Plan) -> date | None:
    """Return the day on which a suspension of fines is announced, if the simulation has one."""
    if plan.days < 3 * WORKS_DAYS:
        return None
    return FIRST_DAY + timedelta(plan.days // 3 - NOTICE_DAYS)


def _suspend_fines(books: Books, at: datetime) -> Act:
    """Announce a week before that fines are suspended: no fine was assessed for its days yet."""
    first = at.date() + timedelta(NOTICE_DAYS)
    suspension = FineSuspension(
        id=books.identifier(at),
        starts_on=first,
        resumes_on=first + timedelta(FREE_DAYS),
        reason="Amnesty week",
    )
    books.suspensions.append(suspension)
    books.record(suspensions_events.suspended(suspension))
    fields = {
        "starts_on": first.isoformat(),
        "resumes_on": (first + timedelta(FREE_DAYS)).isoformat(),
        "reason": suspension.reason,
    }
    return Act(at, "suspend-fines", fields, books.take_recorded())


def _resume_fines(books: Books, on: date) -> None:
    """Publish, once for each suspension, that it has ended."""
    for at, suspension in enumerate(books.suspensions):
        noticed = notice_resumption(suspension, on)
        if noticed is not suspension:
            books.suspensions[at] = noticed
            books.record(suspensions_events.resumed(noticed))


def _branch(place: Place) -> dict[str, Any]:
    """Return the fields that all events of a branch have in common."""
    opens, closes = f"{OPENS:%H:%M}", f"{CLOSES:%H:%M}"
    return {
        "branch": place.code,
        "name": place.name,
        "kind": place.kind,
        "hours": tuple(
            Hours(weekday=weekday - 1, opens=opens, closes=closes)
            for weekday in range(1, 8)
            if weekday not in place.closed
        ),
    }
