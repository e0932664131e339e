"""Activities of a simulation, by the rules of events' domain: places, waiting lists, attendance."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from ops.simulation.books import Books, OpenActivity, utc
from services.events.activities import rules as activities_rules
from services.events.activities.events import activity_fields, registration_fields
from services.events.activities.refusals import AlreadyRegistered, NotRegistered
from services.events.activities.rules import (
    Activity,
    Ending,
    Places,
    Registration,
    RegistrationState,
    cancel,
    check_open,
    check_takes_place,
)
from services.events.refusals import Refusal
from shared.contracts.events import (
    ActivityCancelled,
    ActivityPublished,
    RegistrationAttended,
    RegistrationCancelled,
    RegistrationConfirmed,
    RegistrationWaitlisted,
)

VENUE, ORGANISER = "Lecture room", "The library"
LASTS = timedelta(minutes=90)
COUNTED, ATTENDED = 0.9, 0.8
"""Shares of activities whose attendance is recorded, and of their patrons with places who come."""
EARLY = 1800
"""Seconds before an activity from which its patrons come."""


def publish(
    books: Books, branch: str, title: str, places: int, *, starts_at: datetime, at: datetime
) -> str:
    """Publish a talk at a branch; return its id."""
    activity = Activity(
        id=books.identifier(at),
        title=title,
        type="talk",
        venue=VENUE,
        branch=branch,
        starts_at=utc(starts_at),
        ends_at=utc(starts_at + LASTS),
        speaker=None,
        organiser=ORGANISER,
        language=None,
        enquiries=None,
        recording_from=None,
    )
    books.activities[activity.id] = OpenActivity(activity, Places(activity.id, places))
    books.record(ActivityPublished(**activity_fields(activity)))
    return activity.id


def register(books: Books, activity_id: str, patron: int, at: datetime) -> str:
    """Register a patron; return the state of the registration, or the code of the refusal."""
    known = books.activities[activity_id]
    try:
        check_open(known.activity, utc(at))
        if patron in known.registrations:
            raise AlreadyRegistered
    except Refusal as refusal:
        return refusal.code
    known.places, registration = activities_rules.register(
        known.places,
        registration_id=books.identifier(at),
        patron_id=books.city.patron_id(patron),
        at=utc(at),
    )
    known.registrations[patron] = registration
    if registration.state is RegistrationState.CONFIRMED:
        books.record(RegistrationConfirmed(**registration_fields(registration), waited=False))
    else:
        books.record(RegistrationWaitlisted(**registration_fields(registration)))
    return registration.state.value


def withdraw(books: Books, activity_id: str, patron: int, at: datetime) -> str:
    """Withdraw a patron's registration; return the code of the refusal, or an empty text."""
    known = books.activities[activity_id]
    try:
        if patron not in known.registrations:
            raise NotRegistered
        check_open(known.activity, utc(at))
    except Refusal as refusal:
        return refusal.code
    _end(books, known, patron, "patron")
    queue = {
        number: one
        for number, one in known.registrations.items()
        if one.state is RegistrationState.WAITLISTED
    }
    known.places, given = activities_rules.give(known.places, list(queue.values()), at=utc(at))
    for number, registration in zip(queue, given, strict=False):
        known.registrations[number] = registration
        books.record(RegistrationConfirmed(**registration_fields(registration), waited=True))
    return ""


def call_off(books: Books, activity_id: str, reason: str, at: datetime) -> str:
    """Cancel an activity; return the code of the refusal, or an empty text."""
    known = books.activities[activity_id]
    try:
        check_takes_place(known.activity)
    except Refusal as refusal:
        return refusal.code
    known.activity = cancel(known.activity, at=utc(at), reason=reason)
    books.record(ActivityCancelled(**activity_fields(known.activity), reason=reason))
    for patron in list(known.registrations):
        _end(books, known, patron, "activity")
    return ""


def attending(books: Books, activity_id: str, chance: Random) -> Iterator[tuple[int, int]]:
    """Yield the patrons whose attendance is recorded, and how many seconds early each comes."""
    if chance.random() > COUNTED:
        return
    for patron, registration in books.activities[activity_id].registrations.items():
        if registration.state is RegistrationState.CONFIRMED and chance.random() < ATTENDED:
            yield patron, chance.randrange(EARLY)


def attend(books: Books, activity_id: str, patron: int, at: datetime) -> str:
    """Record that a patron came; return the code of the refusal, or an empty text."""
    known = books.activities[activity_id]
    try:
        attended = activities_rules.attend(
            known.registrations[patron], known.activity, at=utc(at), zone=books.city.plan.zone
        )
    except Refusal as refusal:
        return refusal.code
    known.registrations[patron] = attended
    books.record(RegistrationAttended(**registration_fields(attended)))
    return ""


def close(books: Books, activity_id: str) -> None:
    """Count the patrons who did not come, if attendance was recorded, and forget the activity."""
    registrations = books.activities.pop(activity_id).registrations.values()
    if any(one.attended_at for one in registrations):
        books.no_shows += sum(
            one.state is RegistrationState.CONFIRMED and one.attended_at is None
            for one in registrations
        )


def _end(books: Books, known: OpenActivity, patron: int, by: Ending) -> None:
    registration: Registration = known.registrations.pop(patron)
    known.places, ended = activities_rules.end(known.places, registration)
    books.record(RegistrationCancelled(**registration_fields(ended), by=by))
