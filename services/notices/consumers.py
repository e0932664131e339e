"""Door 2: what notices hears, and whom it tells.

A question to circulation is asked before the use case, never inside it. While circulation is
away the listener waits, so that no notification says of money what the account does not.
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
from shared.bus import Hears
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
from shared.contracts.notices import BranchClosureChanged, BranchReopened
from shared.unit_of_work import Busy, Run

hears = Hears()

PAGE = 200
"""How many patrons are told in one transaction."""

PAGES_IN_HAND = 50
"""After how many pages an event is put back, so that other partitions have their turn."""


class FineStatement(BaseModel):
    """Circulation's answer: what a loan's fine would be on a day."""

    as_of: date
    amount_cents: int
    suspended: bool
    resumes_on: date | None = None
    overdue: bool


class Charge(BaseModel):
    """Circulation's answer: a charge as it stands."""

    amount_cents: int
    outstanding_cents: int
    refund_due_cents: int = 0


class Loan(BaseModel):
    """Circulation's answer: a loan, as far as its charge does not say it."""

    title_id: str


class LoanNow(BaseModel):
    """Circulation's answer: a loan as it stands."""

    state: str
    due_on: date


class PatronPage(BaseModel):
    """An owner's answer: patrons whom something is about."""

    class Item(BaseModel):
        """One of them."""

        patron_id: str

    items: Sequence[Item]
    next: str | None = None


# ---- what is known of patrons and titles --------------------------------------------------------


@hears(PatronRegistered, PatronUpdated, PatronBlocked, PatronUnblocked, PatronErased)
async def know_patron(event: PatronSnapshot, run: Run) -> None:
    """Keep the language; forget who is erased."""
    await run(note_patron, event)


@hears(PreferencesChanged)
async def know_preferences(event: PreferencesChanged, run: Run) -> None:
    """Keep what is followed, then tell of what happened before this was known here."""
    await run(note_preferences, event)
    await run(catch_up, CatchUp(event.patron_id, event.version))


@hears(TitleCatalogued)
async def know_title(event: TitleCatalogued, run: Run) -> None:
    """Keep a book's title."""
    await run(note_title, event)


@hears(ActivityPublished)
async def know_activity(event: ActivityPublished, run: Run) -> None:
    """Keep an activity's title, and when it begins."""
    await run(note_activity, event)


# ---- one patron's loans and charges -------------------------------------------------------------


@hears(LoanOverdue)
async def warn_patron(event: LoanOverdue, run: Run) -> None:
    """Tell of an overdue loan, with what its fine is at this moment.

    Nothing is said of a loan that circulation no longer knows, or no longer takes for overdue.
    """
    today = library_day(run.now, run.settings.zone)
    answer = await run.owners.get(
        "circulation",
        f"/v1/loans/{event.loan_id}/fine-statement",
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


@hears(LoanDueSoon)
async def remind_patron(event: LoanDueSoon, run: Run) -> None:
    """Tell of a loan that is due soon, unless it is back or due on another day by now."""
    answer = await run.owners.get("circulation", f"/v1/loans/{event.loan_id}", now=run.now)
    if answer is None:
        return
    loan = LoanNow.model_validate(answer)
    if (loan.state, loan.due_on) != ("open", event.due_on):
        return
    about = About(loan_id=event.loan_id, title_id=event.title_id, due_on=event.due_on)
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@hears(LoanDueDateChanged)
async def tell_new_due_date(event: LoanDueDateChanged, run: Run) -> None:
    """Tell of a due date that a closure has moved."""
    about = About(
        loan_id=event.loan_id,
        title_id=event.title_id,
        due_on=event.due_on,
        previous_due_on=event.previous_due_on,
    )
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@hears(LoanLost)
async def tell_loss(event: LoanLost, run: Run) -> None:
    """Tell that a loan is recorded as lost, unless it was found by now."""
    answer = await run.owners.get("circulation", f"/v1/loans/{event.loan_id}", now=run.now)
    if answer is None or LoanNow.model_validate(answer).state != "lost":
        return
    about = About(loan_id=event.loan_id, title_id=event.title_id)
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@hears(FineAssessed)
async def tell_fine(event: FineAssessed, run: Run) -> None:
    """Tell of a charge as it stands at this moment.

    Where its last day was a suspended one, fines are suspended for the loan: the sum is left to
    the account, as no letter names money then.
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


@hears(FineAdjusted)
async def tell_adjustment(event: FineAdjusted, run: Run) -> None:
    """Tell of a charge that was lowered, as it stands at this moment; or of money given back."""
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


@hears(FinePaid)
async def acknowledge_payment(event: FinePaid, run: Run) -> None:
    """Tell of a payment, as a receipt: what was paid then, whatever became of the charge since."""
    about = replace(await _about(event, run), amount_cents=event.paid_cents)
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@hears(FineWaived)
async def tell_waiver(event: FineWaived, run: Run) -> None:
    """Tell of what was waived."""
    about = replace(await _about(event, run), amount_cents=event.waived_cents)
    await run(tell_patron, _telling(event, event.patron_id, about, run))


async def _charge(event: ChargeSnapshot, run: Run) -> Charge | None:
    """The charge as it stands at this moment."""
    answer = await run.owners.get("circulation", f"/v1/charges/{event.charge_id}", now=run.now)
    return None if answer is None else Charge.model_validate(answer)


async def _about(event: ChargeSnapshot, run: Run) -> About:
    """What a charge is for. The title is known by its loan; a hold fee has none."""
    loan = None
    if event.loan_id:
        loan = await run.owners.get("circulation", f"/v1/loans/{event.loan_id}", now=run.now)
    kind = "lost-processing" if event.processing else event.kind
    return About(
        loan_id=event.loan_id or None,
        title_id=None if loan is None else Loan.model_validate(loan).title_id,
        charge_id=event.charge_id,
        charge_kind=None if kind == "fine" else kind,
    )


@hears(HoldReady)
async def call_patron(event: HoldReady, run: Run) -> None:
    """Tell that a reserved item can be collected, and until when."""
    await run(tell_patron, _telling(event, event.patron_id, _of_hold(event), run))


@hears(HoldChanged)
async def tell_new_last_day(event: HoldChanged, run: Run) -> None:
    """Tell that a closure has moved the last day to collect an item; of other changes nothing."""
    if event.state == "ready":
        await run(tell_patron, _telling(event, event.patron_id, _of_hold(event), run))


@hears(HoldExpired)
async def tell_end(event: HoldExpired, run: Run) -> None:
    """Tell that a hold is over: nobody came for the item, or it could not be had in time."""
    about = replace(_of_hold(event), uncollected=event.uncollected)
    await run(tell_patron, _telling(event, event.patron_id, about, run))


@hears(HoldCancelled)
async def tell_cancellation(event: HoldCancelled, run: Run) -> None:
    """Tell of a hold that the staff cancelled. What the patron did they know."""
    if event.by == "staff":
        await run(tell_patron, _telling(event, event.patron_id, _of_hold(event), run))


def _of_hold(event: HoldSnapshot) -> About:
    return About(
        hold_id=event.hold_id,
        title_id=event.title_id,
        branch=event.pickup_branch,
        shelf_until=event.shelf_until,
    )


# ---- one patron's places in activities ----------------------------------------------------------


@hears(RegistrationConfirmed)
async def tell_place(event: RegistrationConfirmed, run: Run) -> None:
    """Tell who waited of their place. Who got one at once was answered so."""
    if event.waited:
        about = About(activity_id=event.activity_id)
        await run(tell_patron, _telling(event, event.patron_id, about, run))


@hears(RegistrationCancelled)
async def tell_called_off(event: RegistrationCancelled, run: Run) -> None:
    """Tell that what the patron registered for is cancelled. Who withdrew knows of it."""
    if event.by == "activity":
        about = About(activity_id=event.activity_id)
        await run(tell_patron, _telling(event, event.patron_id, about, run))


# ---- what concerns many -------------------------------------------------------------------------


@hears(FinesSuspended, FinesResumed)
async def tell_borrowers(event: SuspensionSnapshot, run: Run) -> None:
    """Tell the patrons who have loans in the scope of a suspension at this moment."""
    about = About(
        suspension_id=event.suspension_id, starts_on=event.starts_on, resumes_on=event.resumes_on
    )
    listed = f"/v1/fine-suspensions/{event.suspension_id}/patrons"
    await _tell_those_of(_cause(event, about, run), "circulation", listed, run)


@hears(ActivityRescheduled)
async def tell_registered(event: ActivityRescheduled, run: Run) -> None:
    """Tell who has a place or waits for one when and where an activity takes place now."""
    await run(note_activity, event)
    about = About(activity_id=event.activity_id, begins_at=event.starts_at, venue=event.venue)
    listed = f"/v1/activities/{event.activity_id}/registrations"
    await _tell_those_of(_cause(event, about, run), "events", listed, run)


@hears(BranchReopened)
async def tell_followers(event: BranchReopened, run: Run) -> None:
    """Tell those who follow this branch, and nobody else."""
    about = About(branch=event.branch, reopened_on=event.reopened_on)
    await _tell_all(_cause(event, about, run, branch=event.branch), run)


@hears(BranchClosureChanged)
async def tell_that_it_stays_closed(event: BranchClosureChanged, run: Run) -> None:
    """Tell those who follow this branch that it won't reopen as announced, if that is the change.

    Another day is told by branch.reopened.
    """
    if queries.is_for_followers(event):
        about = About(branch=event.branch)
        await _tell_all(_cause(event, about, run, branch=event.branch), run)


@hears(RecordingReleased)
async def tell_interested(event: RecordingReleased, run: Run) -> None:
    """Tell those who follow activities of this type."""
    await run(note_activity, event)
    about = About(activity_id=event.activity_id)
    await _tell_all(_cause(event, about, run, activity_type=event.type), run)


async def _tell_those_of(cause: Cause, owner: str, path: str, run: Run) -> None:
    """Tell the patrons whom an owner lists at this moment."""
    await run(begin_telling, cause)
    async for told, paged in _pages_to_tell(run):
        params = {"limit": str(PAGE)} | ({"after": told.after} if told.after else {})
        answer = await run.owners.get(owner, path, now=run.now, params=params)
        page = PatronPage.model_validate(answer or {"items": []})
        patron_ids = tuple(item.patron_id for item in page.items)
        await paged(tell_patrons, TellPatrons(told.id, told.after, patron_ids, page.next))


async def _tell_all(cause: Cause, run: Run) -> None:
    await run(begin_telling, cause)
    async for told, paged in _pages_to_tell(run):
        found = await queries.next_followers(run.database, told, PAGE)
        following = found[-1] if len(found) == PAGE else None
        await paged(tell_patrons, TellPatrons(told.id, told.after, tuple(found), following))


async def _pages_to_tell(run: Run) -> AsyncIterator[tuple[Cause, Run]]:
    """For each page still to be told of this event: how far the telling has come, and a run.

    The progress is kept with the cause. Raises Busy after PAGES_IN_HAND; the event comes again and
    is told on from there.
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
