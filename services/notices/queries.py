"""What notices answers to questions."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from services.notices import store
from services.notices.domain import wording
from services.notices.domain.branch import Branch
from services.notices.domain.closure import ClosureState, state_of
from services.notices.domain.notice import Notice
from services.notices.domain.notification import Cause, Notification, whole_milliseconds
from services.notices.domain.patron import DEFAULT_LANGUAGE
from services.notices.domain.refusals import BadCursor, NoSuchBranch, NoSuchClosure
from services.notices.domain.wording import Facts
from shared.clock import library_day, parse_instant
from shared.contracts.notices import BranchClosureChanged, BranchReopened, BranchSnapshot
from shared.http import Page, page_of
from shared.money import dollars
from shared.mongo import Database
from shared.unit_of_work import Run

EFFECT_SECONDS = 25.0
"""In which circulation looks at the loans of some branches."""
QUESTION_BYTES = 150_000
"""Of snapshots in one question; a request may have 256 KiB."""


@dataclass(frozen=True)
class Told:
    """A notification in words."""

    notification: Notification
    text: str
    title: str | None
    """What it is about: the title of the book or activity, or the branch's name, if known."""


class DueDateMoves(BaseModel):
    """How many due dates move from one day to another."""

    model_config = ConfigDict(populate_by_name=True)

    from_: date = Field(alias="from")
    to: date
    loans: int


class LendingEffect(BaseModel):
    """Circulation's answer: what a change does to loans and fines. Money in cents."""

    as_of: date = Field(description="The day for which accruing fines are worked out.")
    open_loans: int = Field(default=0, description="Of the branches that it concerns.")
    loans_moved: int = 0
    due_date_moves: list[DueDateMoves] = []
    shelf_dates_moved: int = Field(default=0, description="Holds that are kept until another day.")
    accruing_before_cents: int = 0
    accruing_after_cents: int = 0
    fines_lowered: int = Field(default=0, description="Assessed fines of which less is owed.")
    credited_cents: int = 0
    not_charged_cents: int = Field(
        default=0, description="What no longer accrues, and what is credited."
    )
    currency: str = "HKD"

    def plus(self, other: "LendingEffect") -> "LendingEffect":
        """The effects on different branches together."""
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


@dataclass(frozen=True)
class ClosureEffect:
    """What a change of a closure would do."""

    state: ClosureState
    lending: LendingEffect
    notifications: int
    """For loans and ready holds whose last day moves, and for followers of branches that reopen."""


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
    """A page of the notices, newest first; `branch`: those that concern it. Raises BadCursor."""
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
        instant, _, notification_id = page.after.partition("_")
        try:
            after = (parse_instant(instant), notification_id)
        except ValueError:
            raise BadCursor from None
    found = await store.inbox(db, patron_id, after, page.limit + 1)
    return page_of(await in_words(db, patron_id, found, zone), page, _inbox_cursor)


def _inbox_cursor(told: Told) -> str:
    at = told.notification.at.astimezone(UTC)
    # Without a plus sign, which a query would have to escape.
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z_{told.notification.id}"


async def in_words(
    db: Database, patron_id: str, found: Sequence[Notification], zone: ZoneInfo
) -> list[Told]:
    """Notifications in the language of their patron, with the titles known by now.

    Times are told as the clocks of the library's time zone show them.
    """
    if not found:
        return []
    abouts = [one.about for one in found]
    patron = await store.read_patron(db, patron_id)
    titles = await store.title_names(db, {a.title_id for a in abouts if a.title_id})
    activities = await store.activities(db, {a.activity_id for a in abouts if a.activity_id})
    names = await store.branch_names(db, {a.branch for a in abouts if a.branch})
    language = patron.speaks if patron else DEFAULT_LANGUAGE
    told = []
    for one in found:
        about = one.about
        activity = activities.get(about.activity_id or "")
        facts = Facts(
            title=titles.get(about.title_id or ""),
            activity=activity.name if activity else None,
            begins_at=_here(about.begins_at or (activity.starts_at if activity else None), zone),
            venue=about.venue,
            branch=names.get(about.branch or "", about.branch),
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
            resumes_on=about.resumes_on,
            reopened_on=about.reopened_on,
            shelf_until=about.shelf_until,
            uncollected=bool(about.uncollected),
        )
        title = facts.title or facts.activity or facts.branch
        told.append(Told(one, wording.text(one.kind, facts, language), title))
    return told


def _here(instant: datetime | None, zone: ZoneInfo) -> datetime | None:
    return instant.astimezone(zone) if instant else None


def _sum(cents: int | None) -> str | None:
    return dollars(cents) if cents else None


async def effect(run: Run, state: ClosureState, events: Sequence[BranchSnapshot]) -> ClosureEffect:
    """What a change of closures would do that would publish `events`.

    Circulation says what becomes of loans and fines, by the functions that carry it out. A branch's
    loans are its own, so branches are asked about some at a time and added up. Raises OwnerAway.
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
        if is_for_followers(event)
    ]
    told = lending.loans_moved + lending.shelf_dates_moved + sum(followers)
    return ClosureEffect(state, lending, told)


def is_for_followers(event: BranchSnapshot) -> bool:
    """Whether who follows the branch is told: of a reopening, and of one that was taken back."""
    return isinstance(event, BranchReopened) or (
        isinstance(event, BranchClosureChanged) and event.change == "reopening-taken-back"
    )


def _portions(bodies: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The bodies in as many questions as the limit of a request's size makes of them."""
    portion: list[bytes] = []
    for body in bodies:
        if portion and sum(map(len, portion)) + len(body) > QUESTION_BYTES:
            yield portion
            portion = []
        portion.append(body)
    if portion:
        yield portion


async def telling(db: Database, event_id: str) -> Cause | None:
    """How far the telling of an event has come; None: it hasn't begun."""
    return await store.read_cause(db, event_id)


async def next_followers(db: Database, cause: Cause, limit: int) -> list[str]:
    """The next page of patrons who may be told of `cause`, in order of id."""
    return await store.followers(db, cause, limit)
