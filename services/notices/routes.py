"""HTTP routes: branches, closures, notices and the inbox."""

import datetime as dt
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.notices import queries
from services.notices.domain import branch as rules
from services.notices.domain.branch import Branch, Terms
from services.notices.domain.closure import ClosureState
from services.notices.domain.notice import Notice
from services.notices.queries import Told
from services.notices.usecases.amend_closure import AmendClosure, amend_closure
from services.notices.usecases.announce_reopening import (
    AnnounceReopening,
    TakeBackReopening,
    announce_reopening,
    take_back_reopening,
)
from services.notices.usecases.change_hours import ChangeHours, change_hours
from services.notices.usecases.close_branches import CloseBranches, close_branches
from services.notices.usecases.publish_notice import PublishNotice, publish_notice
from services.notices.usecases.read_notification import ReadNotification, read_notification
from services.notices.usecases.register_branch import RegisterBranch, register_branch
from services.notices.usecases.withdraw_closure import WithdrawClosure, withdraw_closure
from shared.auth import Patron, Staff
from shared.clock import library_day
from shared.contracts.notices import BranchSnapshot
from shared.http.bodies import Body
from shared.http.dependencies import BusinessTime, Db, Preview, Run
from shared.http.paging import PageQuery
from shared.unit_of_work import UseCase

router = APIRouter(prefix="/v1")

C = TypeVar("C")

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,10}$")]
Kind = Literal["central", "major", "district", "small", "mobile", "station"]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
Id = Annotated[str, StringConstraints(max_length=100)]
Weekday = Annotated[
    int, Field(ge=1, le=7, description="Weekday as in ISO 8601: 1 is Monday, 7 is Sunday.")
]

# ---- bodies and answers -------------------------------------------------------------------------


class HoursBody(Body):
    """Opening hours on one weekday; a weekday may have several."""

    weekday: Weekday
    opens: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    closes: str = Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")

    def hours(self) -> rules.Hours:
        """Return the hours as a domain value."""
        return rules.Hours(self.weekday - 1, self.opens, self.closes)


WeekBody = Annotated[list[HoursBody], Field(max_length=28)]


class BranchBody(Body):
    """A new branch."""

    code: Code
    name: Name
    kind: Kind
    hours: WeekBody = Field(
        description="Weekly opening hours. The branch is closed on weekdays without an entry."
    )


class HoursChangeBody(Body):
    """A change of a branch's weekly hours."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    hours: WeekBody
    from_: dt.date | None = Field(
        default=None, alias="from", description="First day of the new hours; null: today."
    )


class ReliefBody(Body):
    """Relief for patrons during a closure."""

    extra_renewals: int | None = Field(default=None, ge=0, le=100)


class _ScopeBody(Body):
    branches: list[Code] | None = Field(default=None, max_length=1000)
    kinds: list[Kind] | None = Field(default=None, max_length=6)

    @property
    def codes_and_kinds(self) -> tuple[frozenset[str], frozenset[str]]:
        """The codes and the kinds that name the branches."""
        return frozenset(self.branches or ()), frozenset(self.kinds or ())


class ClosureBody(_ScopeBody):
    """A closure of the branches named by code or by kind."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    from_: dt.date = Field(alias="from", description="First closed day.")
    reopened_on: dt.date | None = Field(
        default=None, description="First open day; null: no end is announced."
    )
    reason: Line
    relief: ReliefBody | None = None

    @model_validator(mode="after")
    def _names_branches(self) -> "ClosureBody":
        if not (self.branches or self.kinds):
            raise ValueError("name the branches, by code or by kind")
        return self


class ReopeningBody(_ScopeBody):
    """The reopening of some or all branches under a closure, and its terms."""

    reopened_on: dt.date | None = Field(
        description="First open day; null: the announced reopening is cancelled, before its day."
    )
    services: list[Line] = Field(default=[], max_length=50)
    measures: list[Line] = Field(default=[], max_length=50)
    hours: WeekBody | None = Field(
        default=None,
        description="Special opening hours from that day on; null: the weekly hours apply.",
    )
    capacity: int | None = Field(default=None, ge=0, le=1_000_000)
    stagger_days: int = Field(
        default=1,
        ge=1,
        le=60,
        description="Number of first open days over which the due dates that the closure moves "
        "are spread.",
    )

    @model_validator(mode="after")
    def _terms_need_a_day(self) -> "ReopeningBody":
        if self.reopened_on is None and self.model_fields_set - {
            "reopened_on",
            "branches",
            "kinds",
        }:
            raise ValueError("what is taken back has no terms")
        return self


class AmendmentBody(Body):
    """The correction of a closure: its first day, its reason or both."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    from_: dt.date | None = Field(default=None, alias="from", description="First closed day.")
    reason: Line | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "AmendmentBody":
        if self.from_ is None and self.reason is None:
            raise ValueError("say the first day, the reason or both")
        return self


class WithdrawalBody(_ScopeBody):
    """The withdrawal of a closure, for the named branches or for all."""

    in_error: bool = Field(
        description="True: the closure should never have been recorded, and the due dates that "
        "it moved are restored. False: the closure no longer counts from today on, and the due "
        "dates stay."
    )
    reason: Line


class NoticeBody(_ScopeBody):
    """A notice of the branches named by code or kind; of the whole library if none is named."""

    title: Name
    content: Text
    date: dt.date | None = Field(default=None, description="Date of the notice; null: today.")


class HoursOut(BaseModel):
    """Opening hours on one weekday."""

    weekday: Weekday
    opens: str
    closes: str

    @classmethod
    def of(cls, hours: rules.Hours) -> "HoursOut":
        """Build the answer from a branch's hours."""
        return cls(weekday=hours.weekday + 1, opens=hours.opens, closes=hours.closes)


class DayClosureOut(BaseModel):
    """The closure that closes a branch on a day."""

    id: str
    from_: dt.date = Field(serialization_alias="from")
    reopened_on: dt.date | None
    reason: str

    @classmethod
    def of(cls, closure: rules.BranchClosure) -> "DayClosureOut":
        """Build the answer from a branch's closure."""
        return cls(
            id=closure.closure_id,
            from_=closure.now.starts_on,
            reopened_on=closure.now.reopened_on,
            reason=closure.now.reason,
        )


class BranchOut(BaseModel):
    """A branch, and what a visitor finds there on one day."""

    code: str
    name: str
    kind: str
    version: int
    weekly_hours: list[HoursOut]
    on: dt.date
    open: bool
    hours: list[HoursOut] = Field(
        description="Opening hours on the day `on`; special hours if they are in force."
    )
    services: list[str]
    measures: list[str]
    capacity: int | None = Field(description="Maximum number of visitors inside; null: no limit.")
    closure: DayClosureOut | None
    opens_on: dt.date | None = Field(
        description="First open day after the closure; null: the branch is not closed, or no end "
        "is announced."
    )

    @classmethod
    def of(cls, branch: Branch, on: dt.date) -> "BranchOut":
        """Build the answer from a branch as it is on a day."""
        day = rules.day_of(branch, on)
        closure = day.closure
        return cls(
            code=branch.id,
            name=branch.name,
            kind=branch.kind,
            version=branch.version,
            weekly_hours=[HoursOut.of(hours) for hours in branch.hours],
            on=day.on,
            open=day.open,
            hours=[HoursOut.of(hours) for hours in day.hours],
            services=list(day.services),
            measures=list(day.measures),
            capacity=day.capacity,
            closure=None if closure is None else DayClosureOut.of(closure),
            opens_on=rules.opens_after_closure(branch, on),
        )


class CoveredOut(BaseModel):
    """A branch under a closure."""

    branch: str
    name: str
    kind: str
    reopened_on: dt.date | None
    withdrawn: rules.Withdrawal | None


class ClosureOut(BaseModel):
    """A closure with its announced end."""

    id: str
    branches: list[str]
    kinds: list[str]
    from_: dt.date = Field(serialization_alias="from")
    reopened_on: dt.date | None = Field(
        description="First day on which all its branches are open again; null: no end is "
        "announced for one of them."
    )
    reason: str
    relief: ReliefBody | None
    recorded_at: dt.datetime
    withdrawn: bool = Field(description="True if the closure was withdrawn for all its branches.")
    covered: list[CoveredOut]

    @classmethod
    def of(cls, state: ClosureState) -> "ClosureOut":
        """Build the answer from a closure's state."""
        closure = state.closure
        extra = closure.extra_renewals
        return cls(
            id=closure.id,
            branches=list(closure.branches),
            kinds=list(closure.kinds),
            from_=closure.starts_on,
            reopened_on=state.reopened_on,
            reason=closure.reason,
            relief=None if extra is None else ReliefBody(extra_renewals=extra),
            recorded_at=closure.recorded_at,
            withdrawn=state.withdrawn,
            covered=[CoveredOut(**vars(one)) for one in state.covered],
        )


class ClosureEffectOut(BaseModel):
    """The effect that a change of a closure would have; nothing has changed."""

    closure: ClosureOut = Field(
        description="The closure after the change; the id of a new closure is only temporary."
    )
    lending: queries.LendingEffect
    notifications: int = Field(
        description="Number of notifications: for due dates and last days to collect that move, "
        "for fines that are lowered, and for followers of branches that reopen."
    )
    activities: queries.ActivitiesInside | None = Field(
        description="Activities, not cancelled, that would fall into the closure; null: not "
        "known, because the events service does not answer."
    )

    @classmethod
    def of(cls, effect: queries.ClosureEffect) -> "ClosureEffectOut":
        """Build the answer from a closure's effect."""
        return cls(
            closure=ClosureOut.of(effect.state),
            lending=effect.lending,
            notifications=effect.notifications,
            activities=effect.activities,
        )


class NoticeOut(BaseModel):
    """A notice."""

    id: str
    title: str
    content: str
    branches: list[str] = Field(description="Branch codes; empty: the whole library.")
    date: dt.date
    published_at: dt.datetime

    @classmethod
    def of(cls, notice: Notice) -> "NoticeOut":
        """Build the answer from a notice."""
        return cls(
            id=notice.id,
            title=notice.title,
            content=notice.content,
            branches=list(notice.branches),
            date=notice.date,
            published_at=notice.published_at,
        )


class InboxItemOut(BaseModel):
    """A notification, in the patron's language."""

    id: str
    kind: str = Field(description="Topic of the event that caused the notification.")
    at: dt.datetime
    read: bool
    text: str
    about: dict[str, Any] = Field(
        description="Facts that the text is about: ids, days, amounts in cents."
    )
    also: list[dict[str, Any]] = Field(
        default=[],
        description="Facts about other things of the same moment that the same text tells.",
    )

    @classmethod
    def of(cls, told: Told) -> "InboxItemOut":
        """Build the answer from a notification; facts that do not apply are left out of `about`."""
        one = told.notification
        about, *also = (
            {name: value for name, value in vars(said).items() if value is not None}
            for said in (one.about, *one.also)
        )
        if told.title is not None:
            about["title"] = told.title
        return cls(
            id=one.id,
            kind=one.kind,
            at=one.at,
            read=one.read,
            text=told.text,
            about=about,
            also=also,
        )


class BranchPage(BaseModel):
    """A page of branches."""

    items: list[BranchOut]
    next: str | None


class ClosurePage(BaseModel):
    """A page of closures."""

    items: list[ClosureOut]
    next: str | None


class NoticePage(BaseModel):
    """A page of notices."""

    items: list[NoticeOut]
    next: str | None


class InboxPage(BaseModel):
    """A page of an inbox."""

    items: list[InboxItemOut]
    next: str | None


# ---- branches -----------------------------------------------------------------------------------


@router.post("/branches", status_code=201, tags=["branches"])
async def post_branch(body: BranchBody, caller: Staff, now: BusinessTime, run: Run) -> BranchOut:
    """Register a branch. 409 `branch-exists`, 422 `bad-hours`."""
    today = library_day(now, run.settings.zone)
    hours = tuple(one.hours() for one in body.hours)
    command = RegisterBranch(body.code, body.name, body.kind, hours, today)
    return BranchOut.of(await run(register_branch, command), today)


@router.patch("/branches/{code}", tags=["branches"])
async def patch_branch(
    code: Id, body: HoursChangeBody, caller: Staff, now: BusinessTime, run: Run
) -> BranchOut:
    """Change the weekly hours; special hours in force end.

    404 `no-such-branch`, 422 `bad-hours`.
    """
    today = library_day(now, run.settings.zone)
    hours = tuple(one.hours() for one in body.hours)
    command = ChangeHours(code, hours, body.from_ or today)
    return BranchOut.of(await run(change_hours, command), today)


@router.get("/branches", tags=["branches"])
async def get_branches(
    page: PageQuery, now: BusinessTime, run: Run, on: dt.date | None = None
) -> BranchPage:
    """List all branches in order of code, each as it is on a day (default: today)."""
    day = on or library_day(now, run.settings.zone)
    found = await queries.branches(run.database, page)
    items = [BranchOut.of(branch, day) for branch in found["items"]]
    return BranchPage(items=items, next=found["next"])


@router.get("/branches/{code}", tags=["branches"])
async def get_branch(code: Id, now: BusinessTime, run: Run, on: dt.date | None = None) -> BranchOut:
    """Return a branch as a visitor finds it on a day (default: today). 404 `no-such-branch`."""
    day = on or library_day(now, run.settings.zone)
    return BranchOut.of(await queries.branch(run.database, code), day)


# ---- closures -----------------------------------------------------------------------------------


@router.post(
    "/closures",
    status_code=201,
    tags=["closures"],
    responses={
        200: {
            "model": ClosureEffectOut,
            "description": "Effect that the change would have (`preview=true`).",
        }
    },
)
async def post_closure(
    body: ClosureBody, caller: Staff, run: Run, preview: Preview
) -> ClosureOut | ClosureEffectOut:
    """Close branches; closures may overlap, and may be in the past.

    404 `no-such-branch`; 409 `no-branch-covered`, `reopened-before-closed`, or `closed-already`
    naming the branches.
    """
    codes, kinds = body.codes_and_kinds
    command = CloseBranches(
        branches=codes,
        kinds=kinds,
        starts_on=body.from_,
        reopened_on=body.reopened_on,
        reason=body.reason,
        extra_renewals=body.relief.extra_renewals if body.relief else None,
    )
    return await _done(close_branches, command, run, preview)


@router.patch("/closures/{closure_id}", tags=["closures"])
async def patch_closure(
    closure_id: Id, body: AmendmentBody, caller: Staff, run: Run, preview: Preview
) -> ClosureOut | ClosureEffectOut:
    """Correct a closure's first day or reason.

    409 `closure-withdrawn` or `reopened-before-closed`.
    """
    command = AmendClosure(closure_id, body.from_, body.reason)
    return await _done(amend_closure, command, run, preview)


@router.post("/closures/{closure_id}/reopening", tags=["closures"])
async def post_reopening(
    closure_id: Id,
    body: ReopeningBody,
    caller: Staff,
    run: Run,
    preview: Preview,
) -> ClosureOut | ClosureEffectOut:
    """Announce when branches under a closure reopen: the named ones, or all still closed.

    With `reopened_on` null an announced reopening is taken back, if it has not come.

    409 `reopened-already` for a named branch that has reopened. 409 `not-in-closure`,
    `nothing-to-reopen`, `closure-withdrawn` or `reopened-before-closed`; 422 `bad-hours`.
    """
    codes, kinds = body.codes_and_kinds
    today = library_day(run.now, run.settings.zone)
    if body.reopened_on is None:
        taken_back = TakeBackReopening(closure_id, codes, kinds, today)
        return await _done(take_back_reopening, taken_back, run, preview)
    terms = Terms(
        closure_id=closure_id,
        starts_on=body.reopened_on,
        services=tuple(body.services),
        measures=tuple(body.measures),
        capacity=body.capacity,
        hours=None if body.hours is None else tuple(one.hours() for one in body.hours),
        stagger_days=body.stagger_days,
    )
    command = AnnounceReopening(terms, codes, kinds, today)
    return await _done(announce_reopening, command, run, preview)


@router.post("/closures/{closure_id}/withdrawal", tags=["closures"])
async def post_withdrawal(
    closure_id: Id,
    body: WithdrawalBody,
    caller: Staff,
    run: Run,
    preview: Preview,
) -> ClosureOut | ClosureEffectOut:
    """Withdraw a closure, for the named branches or for all.

    409 `closure-over`, `not-in-closure` or `nothing-to-withdraw`.
    """
    codes, kinds = body.codes_and_kinds
    today = library_day(run.now, run.settings.zone)
    command = WithdrawClosure(closure_id, codes, kinds, body.in_error, body.reason, today)
    return await _done(withdraw_closure, command, run, preview)


async def _done(
    use_case: UseCase[C, ClosureState], command: C, run: Run, preview: bool
) -> ClosureOut | ClosureEffectOut:
    """Run the use case, or for a preview return its effect and change nothing."""
    if not preview:
        return ClosureOut.of(await run(use_case, command))
    state, events = await run.try_out(use_case, command)
    snapshots = [event for event in events if isinstance(event, BranchSnapshot)]
    return ClosureEffectOut.of(await queries.effect(run, state, snapshots))


@router.get("/closures", tags=["closures"])
async def get_closures(
    caller: Staff, db: Db, page: PageQuery, branch: Annotated[Id | None, Query()] = None
) -> ClosurePage:
    """List closures, the last recorded first."""
    found = await queries.closures(db, branch, page)
    return ClosurePage(items=[ClosureOut.of(c) for c in found["items"]], next=found["next"])


@router.get("/closures/{closure_id}", tags=["closures"])
async def get_closure(closure_id: Id, caller: Staff, db: Db) -> ClosureOut:
    """Return a closure and the end of each branch under it. 404 `no-such-closure`."""
    return ClosureOut.of(await queries.closure(db, closure_id))


@router.get("/closures/{closure_id}/activities", tags=["closures"])
async def get_closure_activities(
    closure_id: Id, caller: Staff, run: Run
) -> queries.ActivitiesInside:
    """List activities in a closure, for staff to cancel or move. 404 `no-such-closure`."""
    state = await queries.closure(run.database, closure_id)
    return await queries.activities_inside(run, state)


# ---- notices ------------------------------------------------------------------------------------


@router.post("/notices", status_code=201, tags=["notices"])
async def post_notice(body: NoticeBody, caller: Staff, now: BusinessTime, run: Run) -> NoticeOut:
    """Publish a notice. 404 `no-such-branch`, 409 `no-branch-covered`."""
    codes, kinds = body.codes_and_kinds
    day = body.date or library_day(now, run.settings.zone)
    command = PublishNotice(body.title, body.content, codes, kinds, day)
    return NoticeOut.of(await run(publish_notice, command))


@router.get("/notices", tags=["notices"])
async def get_notices(
    db: Db, page: PageQuery, branch: Annotated[Id | None, Query()] = None
) -> NoticePage:
    """List notices, newest first; with `branch`, those of it and those of the whole library.

    422 `bad-cursor`.
    """
    found = await queries.notices(db, branch, page)
    return NoticePage(items=[NoticeOut.of(n) for n in found["items"]], next=found["next"])


# ---- the inbox ----------------------------------------------------------------------------------


@router.get("/me/inbox", tags=["inbox"])
async def get_inbox(request: Request, caller: Patron, db: Db, page: PageQuery) -> InboxPage:
    """List the patron's notifications, newest first. 422 `bad-cursor`."""
    found = await queries.inbox(db, caller.id, page, request.app.state.settings.zone)
    return InboxPage(items=[InboxItemOut.of(t) for t in found["items"]], next=found["next"])


@router.post("/me/inbox/{notification_id}/read", tags=["inbox"])
async def post_read(notification_id: Id, caller: Patron, run: Run) -> InboxItemOut:
    """Mark a notification as read; other patrons' notifications are not found."""
    one = await run(read_notification, ReadNotification(notification_id, caller.id))
    told = await queries.in_words(run.database, caller.id, [one], run.settings.zone)
    return InboxItemOut.of(told[0])
