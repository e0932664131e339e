"""Consumers: record what other services publish, and notify patrons.

Circulation is asked before the use case, never inside it. While circulation is away the consumer
waits, so that no notification names an amount that the account does not show.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date

from pydantic import BaseModel

from services.notices import queries
from services.notices.domain.notification import About, Cause, whole_milliseconds
from services.notices.usecases.catch_up import CatchUp, catch_up
from services.notices.usecases.note_patron import note_patron
from services.notices.usecases.note_preferences import note_preferences
from services.notices.usecases.note_title import note_activity, note_title
from services.notices.usecases.tell_patron import TellPatron, tell_patron
from services.notices.usecases.tell_patrons import TellPatrons, begin_telling, tell_patrons
from shared.bus.subscriptions import Subscriptions
from shared.clock import library_day
from shared.contracts.accounts import (
    PatronBlocked,
    PatronErased,
    PatronRegistered,
    PatronSnapshot,
    PatronUnblocked,
    PatronUpdated,
    PreferencesChanged,
)
from shared.contracts.circulation import (
    ChargeSnapshot,
    FineAdjusted,
    FineAssessed,
    FinePaid,
    FinesResumed,
    FinesSuspended,
    FineWaived,
    HoldCancelled,
    HoldChanged,
    HoldExpired,
    HoldReady,
    HoldSnapshot,
    LoanDueDateChanged,
    LoanDueSoon,
    LoanLost,
    LoanOverdue,
    SuspensionSnapshot,
    TitleCatalogued,
)
from shared.contracts.event import Event
from shared.contracts.events import (
    ActivityPublished,
    ActivityRescheduled,
    RecordingReleased,
    RegistrationCancelled,
    RegistrationConfirmed,
)
from shared.contracts.notices import (
    BranchClosed,
    BranchClosureChanged,
    BranchReopened,
    BranchSnapshot,
)
from shared.owners import path_to
from shared.unit_of_work import Busy, Run

subscriptions = Subscriptions()

PAGE = 200
"""Number of patrons notified in one transaction."""

PAGES_IN_HAND = 50
"""Number of pages after which an event is put back, so that other partitions get their turn."""


class FineStatement(BaseModel):
    """Circulation's answer: a loan's fine on a day."""

    as_of: date
    amount_cents: int
    suspended: bool
    resumes_on: date | None = None
    overdue: bool


class Charge(BaseModel):
    """Circulation's answer: a charge in its present state."""

    amount_cents: int
    outstanding_cents: int
    refund_due_cents: int = 0


class Loan(BaseModel):
    """Circulation's answer: the data of a loan that its charge lacks."""

    title_id: str


class LoanNow(BaseModel):
    """Circulation's answer: a loan in its present state."""

    state: str
    due_on: date


class PatronPage(BaseModel):
    """An owner's answer: a page of the patrons to notify."""

    class Item(BaseModel):
        """A patron to notify."""

        patron_id: str
        branches: tuple[str, ...] | None = None

    items: Sequence[Item]
    next: str | None = None


# ---- known patrons and titles -------------------------------------------------------------------


@subscriptions.to(PatronRegistered, PatronUpdated, PatronBlocked, PatronUnblocked, PatronErased)
async def know_patron(event: PatronSnapshot, run: Run) -> None:
    """Store a patron's language; delete the data of an erased patron."""
    await run(note_patron, event)


@subscriptions.to(PreferencesChanged)
async def know_preferences(event: PreferencesChanged, run: Run) -> None:
    """Store a patron's preferences, then notify of earlier events that they cover."""
    await run(note_preferences, event)
    await run(catch_up, CatchUp(event.patron_id, event.version))


@subscriptions.to(TitleCatalogued)
async def know_title(event: TitleCatalogued, run: Run) -> None:
    """Store a book's title."""
    await run(note_title, event)


@subscriptions.to(ActivityPublished)
async def know_activity(event: ActivityPublished, run: Run) -> None:
    """Store an activity's title and its start."""
    await run(note_activity, event)


# ---- one patron's loans and charges -------------------------------------------------------------


@subscriptions.to(LoanOverdue)
async def warn_patron(event: LoanOverdue, run: Run) -> None:
    """Notify of an overdue loan, with its fine at this moment.

    No notification is sent if circulation no longer knows the loan, or no longer counts it as
    overdue.
    """
    today = library_day(run.now, run.settings.zone)
    answer = await run.owners.get(
        "circulation",
        path_to("v1", "loans", event.loan_id, "fine-statement"),
        now=run.now,
        params={"as_of": today.isoformat()},
    )
    if answer is None:
        return
    statement = FineStatement.model_validate(answer)
    if not statement.overdue:
        return
    about = About(
        loan_id=event.loan_id,
        title_id=event.title_id,
        due_on=event.due_on,
        notice=event.notice if event.notice > 1 else None,
        as_of=statement.as_of,
        suspended=statement.suspended,
        amount_cents=None if statement.suspended else statement.amount_cents,
        resumes_on=statement.resumes_on if statement.suspended else None,
    )
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@subscriptions.to(LoanDueSoon)
async def remind_patron(event: LoanDueSoon, run: Run) -> None:
    """Notify of a loan that is due soon, unless it is returned or due on another day by now."""
    answer = await run.owners.get("circulation", path_to("v1", "loans", event.loan_id), now=run.now)
    if answer is None:
        return
    loan = LoanNow.model_validate(answer)
    if (loan.state, loan.due_on) != ("open", event.due_on):
        return
    about = About(loan_id=event.loan_id, title_id=event.title_id, due_on=event.due_on)
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@subscriptions.to(LoanDueDateChanged)
async def tell_new_due_date(event: LoanDueDateChanged, run: Run) -> None:
    """Notify of a due date that a closure has moved."""
    about = About(
        loan_id=event.loan_id,
        title_id=event.title_id,
        due_on=event.due_on,
        previous_due_on=event.previous_due_on,
    )
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@subscriptions.to(LoanLost)
async def tell_loss(event: LoanLost, run: Run) -> None:
    """Notify of a loan recorded as lost, unless it has been found by now."""
    answer = await run.owners.get("circulation", path_to("v1", "loans", event.loan_id), now=run.now)
    if answer is None or LoanNow.model_validate(answer).state != "lost":
        return
    about = About(loan_id=event.loan_id, title_id=event.title_id)
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@subscriptions.to(FineAssessed)
async def tell_fine(event: FineAssessed, run: Run) -> None:
    """Notify of a charge in its present state.

    If the last day of a fine was a suspended one, fines are suspended for the loan. The
    notification then names no amount; the account shows it.
    """
    charge = await _charge(event, run)
    if charge is None:
        return
    suspended = bool(event.spans) and event.spans[-1].disposition == "suspended"
    about = replace(
        await _about(event, run),
        due_on=event.due_on if event.kind == "fine" else None,
        suspended=suspended,
        amount_cents=None if suspended else charge.amount_cents,
        outstanding_cents=None if suspended else charge.outstanding_cents,
    )
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@subscriptions.to(FineAdjusted)
async def tell_adjustment(event: FineAdjusted, run: Run) -> None:
    """Notify of a lowered charge in its present state, or of a refund."""
    charge = await _charge(event, run)
    if charge is None:
        return
    refunded = event.refunded_cents > 0
    about = replace(
        await _about(event, run),
        amount_cents=event.refunded_cents if refunded else charge.amount_cents,
        refunded=refunded or None,
        refund_due_cents=charge.refund_due_cents or None,
    )
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@subscriptions.to(FinePaid)
async def acknowledge_payment(event: FinePaid, run: Run) -> None:
    """Notify of a payment: the amount paid then, not the present state of the charge."""
    about = replace(await _about(event, run), amount_cents=event.paid_cents)
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@subscriptions.to(FineWaived)
async def tell_waiver(event: FineWaived, run: Run) -> None:
    """Notify of a waiver."""
    about = replace(await _about(event, run), amount_cents=event.waived_cents)
    await run(tell_patron, _telling(event, event.patron_id, about, run))


async def _charge(event: ChargeSnapshot, run: Run) -> Charge | None:
    """Return the charge in its present state, None if circulation does not know it."""
    answer = await run.owners.get(
        "circulation", path_to("v1", "charges", event.charge_id), now=run.now
    )
    return None if answer is None else Charge.model_validate(answer)


async def _about(event: ChargeSnapshot, run: Run) -> About:
    """Return the facts of a charge. The title comes from its loan; a hold fee has no loan."""
    loan = None
    if event.loan_id:
        loan = await run.owners.get(
            "circulation", path_to("v1", "loans", event.loan_id), now=run.now
        )
    kind = "lost-processing" if event.processing else event.kind
    return About(
        loan_id=event.loan_id or None,
        title_id=None if loan is None else Loan.model_validate(loan).title_id,
        charge_id=event.charge_id,
        charge_kind=None if kind == "fine" else kind,
    )


@subscriptions.to(HoldReady)
async def call_patron(event: HoldReady, run: Run) -> None:
    """Notify that a reserved item can be collected.

    The notification says until when and, if the branch is closed, from when.
    """
    await run(tell_patron, _telling(event, event.patron_id, await _of_kept(event, run), run))


@subscriptions.to(HoldChanged)
async def tell_new_last_day(event: HoldChanged, run: Run) -> None:
    """Notify that a closure moved the last day to collect an item. Other changes are ignored."""
    if event.state == "ready":
        await run(tell_patron, _telling(event, event.patron_id, await _of_kept(event, run), run))


@subscriptions.to(HoldExpired)
async def tell_end(event: HoldExpired, run: Run) -> None:
    """Notify of the end of a hold: nobody collected the item, or it was not available in time."""
    about = replace(_of_hold(event), uncollected=event.uncollected)
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@subscriptions.to(HoldCancelled)
async def tell_cancellation(event: HoldCancelled, run: Run) -> None:
    """Notify of a hold that staff cancelled; patrons know of their own cancellations."""
    if event.by == "staff":
        await run(tell_patron, _telling(event, event.patron_id, _of_hold(event), run))


def _of_hold(event: HoldSnapshot) -> About:
    return About(
        hold_id=event.hold_id,
        title_id=event.title_id,
        branch=event.pickup_branch,
        shelf_until=event.shelf_until,
    )


async def _of_kept(event: HoldSnapshot, run: Run) -> About:
    """Return the facts of a hold whose item is kept on the shelf."""
    today = library_day(run.now, run.settings.zone)
    opens = await queries.opens_after_closure(run.database, event.pickup_branch, today)
    return replace(_of_hold(event), collect_from=opens)


# ---- one patron's registrations for activities --------------------------------------------------


@subscriptions.to(RegistrationConfirmed)
async def tell_place(event: RegistrationConfirmed, run: Run) -> None:
    """Notify a patron from the waiting list of their place; others had it in the answer."""
    if event.waited:
        about = About(activity_id=event.activity_id)
        await run(tell_patron, _telling(event, event.patron_id, about, run))


@subscriptions.to(RegistrationCancelled)
async def tell_called_off(event: RegistrationCancelled, run: Run) -> None:
    """Notify of a cancelled activity; a patron who withdrew is not notified."""
    if event.by == "activity":
        about = About(activity_id=event.activity_id)
        await run(tell_patron, _telling(event, event.patron_id, about, run))


# ---- events that concern many patrons -----------------------------------------------------------


@subscriptions.to(FinesSuspended, FinesResumed)
async def tell_borrowers(event: SuspensionSnapshot, run: Run) -> None:
    """Notify the patrons who have loans in the scope of a suspension at this moment.

    Events of the same moment for several scopes become one notification for each patron.
    """
    about = About(
        suspension_id=event.suspension_id,
        version=event.version,
        starts_on=event.starts_on,
        resumes_on=event.resumes_on,
        previous_starts_on=event.previous_starts_on,
        previous_resumes_on=event.previous_resumes_on,
    )
    listed = path_to("v1", "fine-suspensions", event.suspension_id, "patrons")
    await _tell_those_of(_cause(event, about, run), "circulation", listed, run)


@subscriptions.to(ActivityRescheduled)
async def tell_registered(event: ActivityRescheduled, run: Run) -> None:
    """Notify the registered and waiting patrons of an activity's new time and place."""
    await run(note_activity, event)
    about = About(
        activity_id=event.activity_id,
        begins_at=event.starts_at,
        venue=event.venue,
        previous_begins_at=event.previous_starts_at,
        previous_venue=event.previous_venue,
    )
    listed = path_to("v1", "activities", event.activity_id, "registrations")
    await _tell_those_of(_cause(event, about, run), "events", listed, run)


@subscriptions.to(BranchReopened, BranchClosed, BranchClosureChanged)
async def tell_followers(event: BranchSnapshot, run: Run) -> None:
    """Notify the followers of a branch, and nobody else, of its reopening.

    They are also notified if it does not reopen on the day announced before, whatever the change
    was.
    """
    today = library_day(run.now, run.settings.zone)
    if about := queries.news_for_followers(event, today):
        await _tell_all(_cause(event, about, run, branch=event.branch), run)


@subscriptions.to(RecordingReleased)
async def tell_interested(event: RecordingReleased, run: Run) -> None:
    """Notify the followers of this type of activity of a released recording."""
    await run(note_activity, event)
    about = About(activity_id=event.activity_id)
    await _tell_all(_cause(event, about, run, activity_type=event.type), run)


async def _tell_those_of(cause: Cause, owner: str, path: str, run: Run) -> None:
    """Notify the patrons whom an owner lists at this moment."""
    await run(begin_telling, cause)
    async for told, paged in _pages_to_tell(run):
        params = {"limit": str(PAGE)} | ({"after": told.after} if told.after else {})
        answer = await run.owners.get(owner, path, now=run.now, params=params)
        page = PatronPage.model_validate(answer or {"items": []})
        patron_ids = tuple(item.patron_id for item in page.items)
        branches = {item.patron_id: item.branches for item in page.items if item.branches}
        await paged(tell_patrons, TellPatrons(told.id, told.after, patron_ids, page.next, branches))


async def _tell_all(cause: Cause, run: Run) -> None:
    await run(begin_telling, cause)
    async for told, paged in _pages_to_tell(run):
        found = await queries.next_followers(run.database, told, PAGE)
        following = found[-1] if len(found) == PAGE else None
        await paged(tell_patrons, TellPatrons(told.id, told.after, tuple(found), following))


async def _pages_to_tell(run: Run) -> AsyncIterator[tuple[Cause, Run]]:
    """Yield, for each page of this event still to be notified, its cause and a run.

    The progress is stored with the cause. Raises Busy after PAGES_IN_HAND pages; the event is then
    delivered again and continues from there.
    """
    paged = run.in_steps()
    for _ in range(PAGES_IN_HAND):
        cause = await queries.telling(run.database, run.event_id)
        if cause is None or cause.done:
            return
        yield cause, paged
    raise Busy("more patrons are to be told of this event")


def _telling(event: Event, patron_id: str, about: About, run: Run) -> TellPatron:
    return TellPatron(run.event_id, patron_id, event.topic, run.now, about)


def _cause(
    event: Event,
    about: About,
    run: Run,
    *,
    branch: str | None = None,
    activity_type: str | None = None,
) -> Cause:
    return Cause(
        id=run.event_id,
        version=1,
        kind=event.topic,
        at=whole_milliseconds(run.now),
        about=about,
        branch=branch,
        activity_type=activity_type,
    )
