"""Reads of closures, and the effect that a change would have, for its preview."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from services.notices.branches import store as branches_store
from services.notices.closures import store
from services.notices.closures.refusals import NoSuchClosure
from services.notices.closures.rules import ClosureState, state_of
from services.notices.kinds.reopenings import Reopening
from services.notices.patrons import store as patrons_store
from services.notices.patrons.rules import whole_milliseconds
from shared.clock import library_day
from shared.contracts.notices import BranchSnapshot
from shared.deadlines import allowed
from shared.http.paging import Page, page_of
from shared.mongo import Database
from shared.owners import OwnerAway
from shared.refusals import or_refuse
from shared.unit_of_work import Run

EFFECT_SECONDS = 25.0
"""Time limit for circulation to examine the loans of some branches."""
ACTIVITIES_SECONDS = 1.0
"""Time limit for events to find the activities in a closure."""
ROOMS_SECONDS = 5.0
"""Time limit for events to try out the change in the study rooms of some branches."""
SESSIONS_AT_MOST = 100
"""Maximum number of sessions in study rooms that are listed."""
QUESTION_BYTES = 150_000
"""Maximum bytes of snapshots in one request; a request may have 256 KiB."""


async def get(db: Database, closure_id: str) -> ClosureState:
    """Return a closure and the end of each branch under it. Raises NoSuchClosure."""
    found = or_refuse(await store.find_one(db, closure_id), NoSuchClosure)
    return state_of(found, await branches_store.find_in_closures(db, [closure_id]))


async def page_of_closures(db: Database, branch: str | None, page: Page) -> dict[str, Any]:
    """Return a page of the closures, newest first, of one branch or of all."""
    found = await store.find_before(db, branch, page.after, page.limit + 1)
    covered = await branches_store.find_in_closures(db, [one.id for one in found])
    states = [state_of(one, covered) for one in found]
    return page_of(states, page, lambda state: str(state.closure.id))


class DueDateMoves(BaseModel):
    """Number of due dates that move from one day to another."""

    model_config = ConfigDict(populate_by_name=True)

    from_: date = Field(alias="from")
    to: date
    loans: int


class LendingEffect(BaseModel):
    """Circulation's response: the effect of a change on loans and fines. Money in cents."""

    as_of: date = Field(description="Day for which accruing fines are calculated.")
    open_loans: int = Field(
        default=0, description="Number of open loans of the branches that the change concerns."
    )
    loans_moved: int = 0
    due_date_moves: list[DueDateMoves] = []
    shelf_dates_moved: int = Field(
        default=0, description="Number of ready holds whose last day to be collected moves."
    )
    accruing_before_cents: int = 0
    accruing_after_cents: int = 0
    fines_lowered: int = Field(
        default=0, description="Number of assessed fines that the change lowers."
    )
    credited_cents: int = 0
    not_charged_cents: int = Field(
        default=0,
        description="Cents that are not charged: the fall in accruing fines plus "
        "`credited_cents`. Negative if more accrues.",
    )
    currency: str = "HKD"

    def plus(self, other: "LendingEffect") -> "LendingEffect":
        """Return the sum of the effects on different branches."""
        moves: Counter[tuple[date, date]] = Counter()
        for move in (*self.due_date_moves, *other.due_date_moves):
            moves[move.from_, move.to] += move.loans
        sums = {
            name: getattr(self, name) + getattr(other, name)
            for name, field in type(self).model_fields.items()
            if field.annotation is int
        }
        return self.model_copy(
            update={
                **sums,
                "due_date_moves": [
                    DueDateMoves(from_=from_, to=to, loans=loans)
                    for (from_, to), loans in sorted(moves.items())
                ],
            }
        )


class ActivityInside(BaseModel):
    """An activity that falls into a closure."""

    id: str
    title: str
    type: str
    venue: str
    branch: str
    starts_at: datetime
    ends_at: datetime | None
    registered: int = Field(description="Number of patrons who have a place.")
    waiting: int = Field(description="Number of patrons on the waiting list.")


class ActivitiesInside(BaseModel):
    """Events' answer: activities of closed branches on days on which they are closed."""

    items: list[ActivityInside] = Field(
        description="The first activities, ordered by their start, at most 100."
    )
    total: int = Field(description="Number of all these activities.")


class SessionInside(BaseModel):
    """A session of a study room that would not take place."""

    branch: str
    starts_at: datetime
    ends_at: datetime
    season: str | None = Field(description="Name of the season; null: the session is booked.")
    patrons: int = Field(description="Number of bookings, or of admission cards of the season.")


class StudyRoomsEffect(BaseModel):
    """Events' answer: what a change would do to sessions in study rooms."""

    items: list[SessionInside] = Field(
        default=[], description="The first sessions, ordered by their start, at most 100."
    )
    total: int = Field(default=0, description="Number of all these sessions.")
    bookings_ended: int = 0
    bookings_restored: int = Field(
        default=0,
        description="Number of bookings that a closure ended, and that would count again.",
    )

    def plus(self, other: "StudyRoomsEffect") -> "StudyRoomsEffect":
        """Return the sum of the effects on different branches."""
        items = sorted([*self.items, *other.items], key=lambda one: (one.starts_at, one.branch))
        return StudyRoomsEffect(
            items=items[:SESSIONS_AT_MOST],
            total=self.total + other.total,
            bookings_ended=self.bookings_ended + other.bookings_ended,
            bookings_restored=self.bookings_restored + other.bookings_restored,
        )


@dataclass(frozen=True)
class ClosureEffect:
    """The effect that a change of a closure would have."""

    state: ClosureState
    lending: LendingEffect
    notifications: int
    """Number of notifications that the change would cause.

    They are for loans and ready holds whose last day moves, for fines that become less, for
    followers of branches that reopen, and for bookings in study rooms that end or count again.
    """
    activities: ActivitiesInside | None
    """Activities in the closure; None if events does not answer."""
    study_rooms: StudyRoomsEffect | None
    """Sessions in study rooms; None if events does not answer."""


async def effect_of(
    run: Run, state: ClosureState, events: Sequence[BranchSnapshot]
) -> ClosureEffect:
    """Return the effect of a change of closures that would publish `events`.

    Circulation computes the effect on loans and fines by the functions that carry the change out.
    Each loan belongs to one branch, so the branches are sent in portions and the effects are added
    up. Raises OwnerAway.
    """
    latest = {event.branch: event for event in events}
    lending = LendingEffect(as_of=library_day(run.now, run.settings.zone))
    portions = list(_portions([event.body() for event in latest.values()]))
    for some in portions:
        question = b'{"branches":[' + b",".join(some) + b"]}"
        answer = await run.owners.ask(
            "circulation", "/v1/effects", question, now=run.now, within=EFFECT_SECONDS
        )
        lending = lending.plus(LendingEffect.model_validate(answer))
    followers = [
        await patrons_store.count_followers(run.database, event.branch, whole_milliseconds(run.now))
        for event in latest.values()
        if Reopening.after(event, lending.as_of)
    ]
    of_lending = lending.loans_moved + lending.shelf_dates_moved + lending.fines_lowered
    try:
        inside = await activities_inside(run, state)
    except OwnerAway:
        inside = None
    rooms = await _in_study_rooms(run, portions)
    of_rooms = rooms.bookings_ended + rooms.bookings_restored if rooms else 0
    notifications = of_lending + sum(followers) + of_rooms
    return ClosureEffect(state, lending, notifications, inside, rooms)


async def _in_study_rooms(run: Run, portions: Iterable[list[bytes]]) -> StudyRoomsEffect | None:
    """Return what events would do to sessions in study rooms; None if it does not answer."""
    effect = StudyRoomsEffect()
    for some in portions:
        question = b'{"branches":[' + b",".join(some) + b"]}"
        try:
            answer = await run.owners.ask(
                "events", "/v1/effects/study-rooms", question, now=run.now, within=ROOMS_SECONDS
            )
        except OwnerAway:
            return None
        effect = effect.plus(StudyRoomsEffect.model_validate(answer))
    return effect


async def activities_inside(run: Run, state: ClosureState) -> ActivitiesInside:
    """Return the activities at the branches of a closure while it lasts, as events lists them.

    Past and cancelled activities are left out. Raises OwnerAway.
    """
    today = library_day(run.now, run.settings.zone)
    starts_on = max(state.closure.starts_on, today)
    by_end: dict[date | None, list[str]] = {}
    for one in state.covered:
        lasts = one.reopened_on is None or one.reopened_on > starts_on
        if lasts and not one.withdrawn:
            by_end.setdefault(one.reopened_on, []).append(one.branch)
    if not by_end:
        return ActivitiesInside(items=[], total=0)
    closed = [
        {"branches": codes, "starts_on": starts_on, "reopened_on": end}
        for end, codes in by_end.items()
    ]
    answer = await run.owners.ask(
        "events",
        "/v1/effects/activities",
        orjson.dumps({"closed": closed}),
        now=run.now,
        within=allowed(ACTIVITIES_SECONDS),
    )
    return ActivitiesInside.model_validate(answer)


def _portions(bodies: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the bodies in portions that keep to the size limit of a request."""
    portion: list[bytes] = []
    for body in bodies:
        if portion and sum(map(len, portion)) + len(body) > QUESTION_BYTES:
            yield portion
            portion = []
        portion.append(body)
    if portion:
        yield portion
