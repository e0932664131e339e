"""Seasons of the study rooms: when patrons apply, when the places are drawn, and the cards."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal

from services.events.seasons import refusals
from services.events.seasons.rules import ballot as ballot_rules
from services.events.seasons.rules.ballot import Entry, Outcome, Room

State = Literal["applied", "granted", "standby", "withdrawn"]
"""`applied` until the draw; then `granted` with an admission card, or `standby` in line for a place
that becomes free; `withdrawn` ends it."""
Ending = Literal["patron", "erased", "purged"]
"""Cause of an application's end: withdrawn by the patron, patron erased, or season long over."""

PATRONS_KEPT = timedelta(days=90)
"""Time after the end of a season for which its applications, cards and seats are kept."""
BALLOT_KEPT = timedelta(days=730)
"""Time after the end of a season for which it is kept with its ballot, which names nobody."""

MOST_APPLICATIONS = 20_000
"""Number of applications for one season; its list is one document."""


@dataclass(frozen=True, slots=True)
class Session:
    """A part of each day for which a card gives one place: times such as `09:00`."""

    opens: str
    closes: str


@dataclass(frozen=True, kw_only=True)
class Season:
    """A season of the study rooms. Days are dates in the library's time zone."""

    id: str
    name: str
    rooms: Sequence[Room]
    sessions: Sequence[Session]
    applications_from: date
    applications_until: date
    """Last day of receipt."""
    draw_on: date
    """First day on which the places may be drawn."""
    valid_from: date
    valid_until: date
    """Last day of the admission cards."""
    commitment: str
    """Hash of the seed, published from the beginning."""
    grace_minutes: int = 15
    """Minutes for which a place is held in a session before it goes to the standby list."""
    applications: int = 0
    """Number of applications that have not been withdrawn."""
    closed_at: datetime | None = None
    """Time at which the list of applications was closed and published."""
    list_hash: str | None = None
    """Hash of the closed list."""
    drawn_at: datetime | None = None
    seed: str | None = None
    """Revealed by the draw."""
    unfinished_since: datetime | None = None
    """Business time of a draw whose result is not yet in every application; a job continues."""
    version: int = 1

    def room(self, branch: str) -> Room:
        """Return the room of a branch. Raises NoSuchRoom."""
        for room in self.rooms:
            if room.branch == branch:
                return room
        raise refusals.NoSuchRoom


@dataclass(frozen=True, kw_only=True)
class Seed:
    """The secret seed of a season's ballot until the draw; no list is built from it."""

    id: str
    """Id of the season."""
    seed: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Ballot:
    """The closed list of a season's applications."""

    id: str
    """Id of the season."""
    entries: Sequence[Entry]


@dataclass(frozen=True, kw_only=True)
class Application:
    """A patron's application for one season. It is deleted when it ends; its entry is not."""

    id: str
    season_id: str
    patron_id: str
    branch: str
    category: str
    """The patron's category at the time of applying, which the quotas count."""
    applied_at: datetime
    code: str = field(default="", repr=False)
    """Secret code of the admission card."""
    paper_number: str | None = None
    """Number of an application by post, as staff keyed it in; None: applied online."""
    received_on: date | None = None
    """Day of receipt of an application by post."""
    state: State = "applied"
    standby_number: int | None = None
    """Place in the order of the standby list, from 1. It never changes."""
    version: int = 1

    @property
    def entry(self) -> Entry:
        """The application as it is published in the list."""
        return Entry(self.id, self.category, self.branch)


def check_season(season: Season) -> None:
    """Raise BadSeason if the days, the sessions or the quotas contradict each other."""
    days = (
        season.applications_from,
        season.applications_until,
        season.draw_on,
        season.valid_from,
        season.valid_until,
    )
    sessions = [edge for one in season.sessions for edge in (one.opens, one.closes)]
    branches = [room.branch for room in season.rooms]
    if (
        list(days) != sorted(days)
        or season.draw_on == season.applications_until
        or sessions != sorted(set(sessions))
        or len(branches) != len(set(branches))
        or any(sum(room.quotas.values()) > room.places for room in season.rooms)
    ):
        raise refusals.BadSeason


def check_application(
    season: Season, branch: str, *, today: date, received_on: date | None
) -> None:
    """Check that a patron can apply for a room.

    An application by post counts by its day of receipt, and may be keyed in until the list is
    closed. Raises ApplicationsNotOpen, ApplicationsClosed, ReceivedInFuture or NoSuchRoom.
    """
    season.room(branch)
    if season.closed_at is not None or season.applications >= MOST_APPLICATIONS:
        raise refusals.ApplicationsClosed
    if received_on is not None and received_on > today:
        raise refusals.ReceivedInFuture
    day = received_on or today
    if day < season.applications_from:
        raise refusals.ApplicationsNotOpen
    if day > season.applications_until:
        raise refusals.ApplicationsClosed


def close(
    season: Season, entries: Sequence[Entry], *, today: date, at: datetime
) -> tuple[Season, Ballot]:
    """Close the list of applications. Raises ApplicationsClosed or ApplicationsStillOpen."""
    if season.closed_at is not None:
        raise refusals.ApplicationsClosed
    if today <= season.applications_until:
        raise refusals.ApplicationsStillOpen
    listed = sorted(entries, key=lambda one: one.id)
    closed = replace(
        season, closed_at=at, list_hash=ballot_rules.list_hash(listed), version=season.version + 1
    )
    return closed, Ballot(id=season.id, entries=listed)


def reveal(season: Season, seed: str, *, today: date, at: datetime) -> Season:
    """Return the season with its seed revealed, which decides the draw.

    Raises ApplicationsStillOpen while the list is not closed, TooEarlyToDraw or DrawnAlready.
    """
    if season.drawn_at is not None:
        raise refusals.DrawnAlready
    if season.closed_at is None:
        raise refusals.ApplicationsStillOpen
    if today < season.draw_on:
        raise refusals.TooEarlyToDraw
    return replace(season, drawn_at=at, seed=seed, unfinished_since=at, version=season.version + 1)


def settled(season: Season, *, unfinished: bool) -> Season:
    """Return the season after some applications got their result."""
    since = season.unfinished_since if unfinished else None
    return replace(season, unfinished_since=since, version=season.version + 1)


def result(application: Application, outcome: Outcome) -> Application:
    """Return an application with the result of the draw of its room."""
    if application.id in outcome.granted:
        return grant(application)
    number = outcome.standby.index(application.id) + 1
    return replace(
        application, state="standby", standby_number=number, version=application.version + 1
    )


def grant(application: Application) -> Application:
    """Return an application with an admission card."""
    return replace(
        application, state="granted", standby_number=None, version=application.version + 1
    )


def check_withdrawal(season: Season, today: date) -> None:
    """Raise SeasonOver if the season is over."""
    if today > season.valid_until:
        raise refusals.SeasonOver


def withdraw(application: Application) -> Application:
    """Return the last state of an application."""
    return replace(application, state="withdrawn", version=application.version + 1)
