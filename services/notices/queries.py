"""Queries of the notices service."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel, ConfigDict, Field

from services.notices import store
from services.notices.domain import branch as rules
from services.notices.domain import wording
from services.notices.domain.branch import Branch
from services.notices.domain.closure import ClosureState, state_of
from services.notices.domain.notice import Notice
from services.notices.domain.notification import (
    About,
    Cause,
    Notification,
    whole_milliseconds,
)
from services.notices.domain.patron import DEFAULT_LANGUAGE
from services.notices.domain.refusals import BadCursor, NoSuchBranch, NoSuchClosure
from services.notices.domain.reopening import Closed, closed_days
from services.notices.domain.wording import Facts
from services.notices.store import Activity
from shared.clock import library_day, parse_instant
from shared.contracts.notices import BranchReopened, BranchSnapshot
from shared.http.paging import Page, page_of
from shared.money import dollars
from shared.mongo import Database
from shared.owners import OwnerAway
from shared.unit_of_work import Run

EFFECT_SECONDS = 25.0
"""Time limit for circulation to examine the loans of some branches."""
ACTIVITIES_SECONDS = 1.0
"""Time limit for events to find the activities in a closure."""
QUESTION_BYTES = 150_000
"""Maximum bytes of snapshots in one request; a request may have 256 KiB."""


@dataclass(frozen=True)
class Told:
    """A notification with its text."""

    notification: Notification
    text: str
    title: str | None
    """Title of the book or activity, or the branch's name, if known."""


class DueDateMoves(BaseModel):
    """Number of due dates that move from one day to another."""

    model_config = ConfigDict(populate_by_name=True)

    from_: date = Field(alias="from")
    to: date
    loans: int


class LendingEffect(BaseModel):
    """Circulation's answer: the effect of a change on loans and fines. Money in cents."""

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


@dataclass(frozen=True)
class ClosureEffect:
    """The effect that a change of a closure would have."""

    state: ClosureState
    lending: LendingEffect
    notifications: int
    """Number of notifications that the change would cause.

    They are for loans and ready holds whose last day moves, for fines that become less, and for
    followers of branches that reopen.
    """
    activities: ActivitiesInside | None
    """Activities in the closure; None if events does not answer."""


async def branch(db: Database, code: str) -> Branch:
    """The branch with this code. Raises NoSuchBranch."""
    found = await store.read_branch(db, code)
    if found is None:
        raise NoSuchBranch([code])
    return found


async def branches(db: Database, page: Page) -> dict[str, Any]:
    """A page of the branches, in order of code."""
    found = await store.branches_after(db, page.after, page.limit + 1)
    return page_of(found, page, lambda branch: str(branch.id))


async def closure(db: Database, closure_id: str) -> ClosureState:
    """A closure and the end of each branch under it. Raises NoSuchClosure."""
    found = await store.read_closure(db, closure_id)
    if found is None:
        raise NoSuchClosure
    return state_of(found, await store.branches_in_closures(db, [closure_id]))


async def closures(db: Database, branch: str | None, page: Page) -> dict[str, Any]:
    """A page of the closures, newest first, of one branch or of all."""
    found = await store.closures_before(db, branch, page.after, page.limit + 1)
    covered = await store.branches_in_closures(db, [one.id for one in found])
    states = [state_of(one, covered) for one in found]
    return page_of(states, page, lambda state: str(state.closure.id))


async def notices(db: Database, branch: str | None, page: Page) -> dict[str, Any]:
    """Return a page of the notices, newest first, or of those for `branch`. Raises BadCursor."""
    after = None
    if page.after is not None:
        day, _, notice_id = page.after.partition("_")
        try:
            after = (date.fromisoformat(day).isoformat(), notice_id)
        except ValueError:
            raise BadCursor from None
    found = await store.notices_before(db, branch, after, page.limit + 1)
    return page_of(found, page, _notice_cursor)


def _notice_cursor(notice: Notice) -> str:
    return f"{notice.date.isoformat()}_{notice.id}"


async def inbox(db: Database, patron_id: str, page: Page, zone: ZoneInfo) -> dict[str, Any]:
    """A page of a patron's notifications in their language, newest first. Raises BadCursor."""
    after = None
    if page.after is not None:
        instant, _, rest = page.after.partition("_")
        happened, _, notification_id = rest.rpartition("_")
        try:
            after = (parse_instant(instant), happened, notification_id)
        except ValueError:
            raise BadCursor from None
    found = await store.inbox(db, patron_id, after, page.limit + 1)
    return page_of(await in_words(db, patron_id, found, zone), page, _inbox_cursor)


def _inbox_cursor(told: Told) -> str:
    one = told.notification
    at = one.at.astimezone(UTC)
    # Without a plus sign, which a query would have to escape.
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z_{one.happened}_{one.id}"


async def in_words(
    db: Database, patron_id: str, found: Sequence[Notification], zone: ZoneInfo
) -> list[Told]:
    """Return notifications with their text, in the patron's language and with the known titles.

    Times are in the library's time zone.
    """
    if not found:
        return []
    abouts = [about for one in found for about in (one.about, *one.also)]
    patron = await store.read_patron(db, patron_id)
    codes = {a.branch for a in abouts if a.branch} | {c for a in abouts for c in a.branches or ()}
    known = Known(
        titles=await store.title_names(db, {a.title_id for a in abouts if a.title_id}),
        activities=await store.activities(db, {a.activity_id for a in abouts if a.activity_id}),
        branches=await store.branch_names(db, codes),
        zone=zone,
    )
    language = patron.speaks if patron else DEFAULT_LANGUAGE
    told = []
    for one in found:
        first, *also = (_facts(about, known) for about in (one.about, *one.also))
        title = first.title or first.activity or first.branch
        told.append(Told(one, wording.message(one.kind, [first, *also], language), title))
    return told


@dataclass(frozen=True)
class Known:
    """Known names by id or code, and the library's time zone."""

    titles: Mapping[str, str]
    activities: Mapping[str, Activity]
    branches: Mapping[str, str]
    zone: ZoneInfo


def _facts(about: About, known: Known) -> Facts:
    activity = known.activities.get(about.activity_id or "")
    begins_at = about.begins_at or (activity.starts_at if activity else None)
    return Facts(
        title=known.titles.get(about.title_id or ""),
        activity=activity.name if activity else None,
        begins_at=_here(begins_at, known.zone),
        previous_begins_at=_here(about.previous_begins_at, known.zone),
        venue=about.venue,
        previous_venue=about.previous_venue,
        branch=known.branches.get(about.branch or "", about.branch),
        libraries=tuple(sorted(known.branches.get(code, code) for code in about.branches or ())),
        due_on=about.due_on,
        previous_due_on=about.previous_due_on,
        notice=about.notice or 1,
        as_of=about.as_of,
        suspended=bool(about.suspended),
        amount=_sum(about.amount_cents),
        outstanding=_sum(about.outstanding_cents),
        refund=_sum(about.refund_due_cents),
        refunded=bool(about.refunded),
        charge_kind=about.charge_kind or "fine",
        starts_on=about.starts_on,
        previous_starts_on=about.previous_starts_on,
        resumes_on=about.resumes_on,
        previous_resumes_on=about.previous_resumes_on,
        reopened_on=about.reopened_on,
        previous_reopened_on=about.previous_reopened_on,
        open_again=bool(about.open_again),
        collect_from=about.collect_from,
        shelf_until=about.shelf_until,
        uncollected=bool(about.uncollected),
    )


def _here(instant: datetime | None, zone: ZoneInfo) -> datetime | None:
    return instant.astimezone(zone) if instant else None


def _sum(cents: int | None) -> str | None:
    return dollars(cents) if cents else None


async def effect(run: Run, state: ClosureState, events: Sequence[BranchSnapshot]) -> ClosureEffect:
    """Return the effect of a change of closures that would publish `events`.

    Circulation computes the effect on loans and fines by the functions that carry the change out.
    Each loan belongs to one branch, so the branches are sent in portions and the effects are added
    up. Raises OwnerAway.
    """
    latest = {event.branch: event for event in events}
    lending = LendingEffect(as_of=library_day(run.now, run.settings.zone))
    for some in _portions([event.body() for event in latest.values()]):
        question = b'{"branches":[' + b",".join(some) + b"]}"
        answer = await run.owners.ask(
            "circulation", "/v1/effects", question, now=run.now, within=EFFECT_SECONDS
        )
        lending = lending.plus(LendingEffect.model_validate(answer))
    followers = [
        await store.followers_now(run.database, event.branch, whole_milliseconds(run.now))
        for event in latest.values()
        if news_for_followers(event, lending.as_of)
    ]
    of_lending = lending.loans_moved + lending.shelf_dates_moved + lending.fines_lowered
    try:
        inside = await activities_inside(run, state)
    except OwnerAway:
        inside = None
    return ClosureEffect(state, lending, of_lending + sum(followers), inside)


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
        within=ACTIVITIES_SECONDS,
    )
    return ActivitiesInside.model_validate(answer)


def news_for_followers(event: BranchSnapshot, today: date) -> About | None:
    """Return the facts for followers of a branch about a change of its closures, None for none.

    They are notified of each announced reopening, and of each change after which the branch does
    not reopen on the day announced before, for example because another closure lasts longer.
    """
    before = _closed_days(event, event.version - 1, today)
    after = _closed_days(event, event.version, today)
    previous = before.reopened_on if before else None
    reopened_on = after.reopened_on if after else None
    if isinstance(event, BranchReopened):
        reopened_on = reopened_on if after else event.reopened_on
        if reopened_on is None and previous is None:
            return None
    elif previous is None or previous == reopened_on:
        return None
    return About(
        branch=event.branch,
        reopened_on=reopened_on,
        previous_reopened_on=previous if previous != reopened_on else None,
        open_again=True if reopened_on is None and after is None else None,
    )


def _closed_days(event: BranchSnapshot, version: int, today: date) -> Closed | None:
    """Return the closed days until the next reopening, as announced up to `version`."""
    closed = []
    for closure in event.closures:
        said = [one for one in closure.announcements if one.version <= version]
        if said:
            closed.append(Closed(said[-1].from_ or closure.from_, said[-1].reopened_on))
    return closed_days(closed, today)


async def opens_after_closure(db: Database, code: str, day: date) -> date | None:
    """Return the first day to collect items at a branch that is closed on `day`.

    None if the branch is not closed, no end is announced, or the branch is not known.
    """
    found = await store.read_branch(db, code)
    return None if found is None else rules.opens_after_closure(found, day)


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


async def telling(db: Database, event_id: str) -> Cause | None:
    """Return the cause of an event with its progress; None before the first notification."""
    return await store.read_cause(db, event_id)


async def next_followers(db: Database, cause: Cause, limit: int) -> list[str]:
    """Return the next page of patrons who may be notified of `cause`, in order of id."""
    return await store.followers(db, cause, limit)
