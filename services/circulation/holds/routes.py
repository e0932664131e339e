"""Routes that place and change holds, and show queues and shelves to staff."""

from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator

from services.circulation.borrowers.commands import ask_for_patron
from services.circulation.catalogue import store as catalogue_store
from services.circulation.catalogue.routes.copies import CallNumberOut
from services.circulation.fields import (
    Barcode,
    BranchCode,
    Id,
    OverrideIn,
    Today,
    Volume,
    WorkId,
    day_of,
    reason_of,
)
from services.circulation.holds import store
from services.circulation.holds.commands.holds import AmendHold, QueuedHold, amend_hold, cancel_hold
from services.circulation.holds.commands.placing import (
    HoldEffect,
    PlaceHold,
    place_hold,
    preview_hold,
)
from services.circulation.holds.queries import likely_ready
from services.circulation.refusals import (
    AvailableNow,
    CardExpired,
    EndsBeforeToday,
    HoldEnded,
    HoldExists,
    HoldLimit,
    HoldNotWaiting,
    NoSuchBranch,
    NoSuchCopy,
    NoSuchHold,
    NoSuchPatron,
    NoSuchTitle,
    NoSuchVolume,
    NoSuchWork,
    NotInThisState,
    OnSiteOnly,
    PatronBlocked,
    PickupAtOwner,
    TitleOnLoan,
    WhichVolume,
)
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold, HoldState
from services.circulation.rules.ready_date import SHARE
from shared.audit_trail import shows_patrons
from shared.auth import Patron, PatronOrStaff, PatronStaffOrService, Staff, may_see
from shared.http.bodies import Body, Day
from shared.http.dependencies import Db, Preview, Run
from shared.http.paging import Page, PageQuery, page_of
from shared.mongo import Database
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class HoldIn(Body):
    """A title, volume, copy or work to reserve, and the branch where it is to be collected."""

    title_id: str | None = Field(default=None, min_length=1, max_length=64)
    volume: Volume | None = Field(
        default=None,
        description="With `title_id`: the volume, as the title lists it. Needed if each copy is "
        "one.",
    )
    barcode: Barcode | None = Field(
        default=None, description="Instead of `title_id`: the only copy that is wanted."
    )
    work_id: WorkId | None = Field(
        default=None,
        description="Instead of `title_id`: a work, of which any edition is wanted.",
    )
    pickup_branch: BranchCode
    expires_on: Day | None = Field(
        default=None, description="Last day on which the patron wants the title; null: no last day."
    )
    patron_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Id of the patron that the hold is for: any for staff, one with a linked card "
        "for patrons; null: the caller.",
    )
    override: OverrideIn | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if sum(one is not None for one in (self.title_id, self.barcode, self.work_id)) != 1:
            raise ValueError("has one of title_id, barcode and work_id")
        if self.volume is not None and self.title_id is None:
            raise ValueError("a volume is given with title_id only")
        return self


class HoldChange(Body):
    """The fields to change; a field that is not given stays as it is."""

    pickup_branch: BranchCode | None = None
    expires_on: Day | None = None
    frozen: bool | None = Field(
        default=None,
        description="True freezes the hold: it is passed over. False unfreezes it. Null: "
        "unchanged.",
    )
    frozen_until: Day | None = Field(
        default=None,
        description="With `frozen`: first day on which the hold may be served again; null: "
        "frozen until it is unfrozen.",
    )


class LikelyReadyOut(BaseModel):
    """The day by which a share of such holds is ready: an estimate, never a promise."""

    day: date
    share: float

    @classmethod
    def of(cls, day: date | None) -> "LikelyReadyOut | None":
        """Build the response from a day; None: too little is known."""
        return None if day is None else cls(day=day, share=SHARE)


class HoldOut(BaseModel):
    """A hold."""

    id: str
    patron_id: str
    title_id: str = Field(
        description="With `any_edition`: the edition of its copy or, until it has one, one of the "
        "work."
    )
    volume: str | None = Field(description="The volume that is wanted; null: no volume.")
    barcode: str | None = Field(description="The only copy that is wanted; null: any.")
    work_id: str | None = Field(description="Work of the title; null: none.")
    any_edition: bool = Field(description="True if any edition of the work is wanted.")
    pickup_branch: str
    state: HoldState
    position: int | None = Field(
        description="Position among the holds that wait for the same copies, 1 is next; null: the "
        "hold does not wait."
    )
    placed_at: datetime
    expires_on: date | None = Field(
        description="Last day on which the patron wants the title while the hold waits; null: no "
        "last day."
    )
    frozen: bool
    frozen_until: date | None
    copy_id: str | None
    ready_on: date | None
    shelf_until: date | None = Field(
        description="Last day to collect the copy; null: not ready, or no reopening is announced."
    )
    likely_ready_by: LikelyReadyOut | None = Field(
        default=None,
        description="Given where holds are read: when it is likely ready while it waits; null: too "
        "little is known.",
    )
    version: int

    @classmethod
    def of(cls, hold: Hold, position: int | None, likely: date | None = None) -> "HoldOut":
        """Build the response from a hold."""
        return cls(
            id=hold.id,
            patron_id=hold.patron_id,
            title_id=hold.title_id,
            volume=hold.volume,
            barcode=hold.barcode,
            work_id=hold.work_id,
            any_edition=hold.any_edition,
            pickup_branch=hold.pickup_branch,
            state=hold.state,
            position=position,
            placed_at=hold.placed_at,
            expires_on=hold.expires_on,
            frozen=hold.frozen,
            frozen_until=hold.frozen_until,
            copy_id=hold.copy_id,
            ready_on=hold.ready_on,
            shelf_until=hold.shelf_until,
            likely_ready_by=LikelyReadyOut.of(likely),
            version=hold.version,
        )

    @classmethod
    def at(cls, queued: QueuedHold) -> "HoldOut":
        """Build the response from a hold with its position in the queue."""
        return cls.of(queued.hold, queued.position)


class HoldEffectOut(BaseModel):
    """The effect of a hold that was not placed."""

    title_id: str
    pickup_branch: str
    position: int | None = Field(
        description="Position in the queue, 1 is next; null: a copy would be set aside at once."
    )
    likely_ready_by: LikelyReadyOut | None = None
    fee_cents: int = Field(description="Fee when the copy is collected, in cents; 0: no fee.")
    currency: str = "HKD"
    open_holds: int = Field(description="The patron's open holds, with this one.")
    max_holds: int = Field(description="Most open holds that the patron may have.")

    @classmethod
    def of(cls, effect: HoldEffect, likely: date | None) -> "HoldEffectOut":
        """Build the response from the effect."""
        hold = effect.queued.hold
        return cls(
            title_id=hold.title_id,
            pickup_branch=hold.pickup_branch,
            position=effect.queued.position,
            likely_ready_by=LikelyReadyOut.of(likely),
            fee_cents=effect.fee_cents,
            open_holds=effect.open_holds,
            max_holds=effect.max_holds,
        )


class HoldList(BaseModel):
    """All open holds of a patron."""

    items: list[HoldOut]


class ToFetchOut(BaseModel):
    """A copy that staff have to fetch from a shelf for a hold."""

    barcode: str
    copy_id: str
    title_id: str
    title: str
    volume: str | None = Field(description="Volume of the copy; null: none.")
    call_number: CallNumberOut | None
    shelf_location: str | None
    category: str
    hold_id: str
    pickup_branch: str = Field(description="Code of the branch where the patron collects the copy.")
    placed_at: datetime = Field(description="Time at which the hold was placed.")

    @classmethod
    def of(cls, copy: Copy, title: str, hold: Hold) -> "ToFetchOut":
        """Build the response from a copy, the name of its title, and its hold."""
        return cls(
            barcode=copy.barcode,
            copy_id=copy.id,
            title_id=copy.title_id,
            title=title,
            volume=copy.volume,
            call_number=CallNumberOut.of(copy),
            shelf_location=copy.record.shelf_location if copy.record else None,
            category=copy.category,
            hold_id=hold.id,
            pickup_branch=hold.pickup_branch,
            placed_at=hold.placed_at,
        )


class ToFetchPage(BaseModel):
    """A page of copies to fetch; send `next` as `after` for the next page."""

    items: list[ToFetchOut]
    next: str | None


class HoldPage(BaseModel):
    """A page of holds; send `next` as `after` for the next page."""

    items: list[HoldOut]
    next: str | None


async def _out(db: Database, holds: list[Hold], on: date | None = None) -> list[HoldOut]:
    """Build the responses; with their likely days if `on` gives the library day."""
    positions = await store.positions(db, holds)
    likely = await likely_ready(db, holds, positions, on) if on else {}
    return [HoldOut.of(hold, positions.get(hold.id), likely.get(hold.id)) for hold in holds]


@router.post(
    "/holds",
    status_code=201,
    responses={
        200: {
            "model": HoldEffectOut,
            "description": "Effect that the hold would have (`preview=true`).",
        }
    },
)
@refuses(
    NoSuchTitle,
    NoSuchVolume,
    WhichVolume,
    NoSuchCopy,
    NotInThisState,
    NoSuchWork,
    NoSuchPatron,
    NoSuchBranch,
    PatronBlocked,
    CardExpired,
    HoldLimit,
    HoldExists,
    TitleOnLoan,
    OnSiteOnly,
    AvailableNow,
    PickupAtOwner,
    EndsBeforeToday,
)
async def post_hold(
    body: HoldIn, caller: PatronOrStaff, run: Run, preview: Preview
) -> HoldOut | HoldEffectOut:
    """Reserve a title, a volume, a copy or any edition of a work.

    Patrons reserve for themselves or a linked patron, staff for the one they name.

    With `preview=true`, returns the effect and changes nothing.

    A free copy is set aside at once. The hold is `to-fetch` until staff or a station scan the copy
    with a return or an arrival. The hold is then `ready`, or the copy is sent to the pick-up
    branch.
    """
    asking = caller.id if "patron" in caller.roles else None
    patron_id = body.patron_id or asking
    if patron_id is None:
        raise NoSuchPatron
    wanted = body.model_dump(exclude={"patron_id", "override"})
    command = PlaceHold(
        **wanted,
        patron_id=patron_id,
        on=day_of(None, run),
        asking=asking,
        override=reason_of(body.override, caller),
    )

    async def act(command: PlaceHold) -> HoldOut | HoldEffectOut:
        if preview:
            effect, _events = await run.try_out(preview_hold, command)
            queued = effect.queued
            places = {queued.hold.id: queued.position} if queued.position else {}
            likely = await likely_ready(run.database, [queued.hold], places, command.on)
            return HoldEffectOut.of(effect, likely.get(queued.hold.id))
        return HoldOut.at(await run(place_hold, command))

    try:
        return await act(command)
    except NoSuchPatron:
        if asking not in (None, patron_id):
            raise
        patron = await ask_for_patron(run.owners, patron_id, run.now)
        if patron is None:
            raise
        return await act(replace(command, patron=patron))


@router.patch("/holds/{hold_id}")
@refuses(NoSuchHold, NoSuchBranch, PickupAtOwner, HoldEnded, HoldNotWaiting, EndsBeforeToday)
async def patch_hold(hold_id: Id, body: HoldChange, caller: PatronOrStaff, run: Run) -> HoldOut:
    """Change a hold's pick-up branch or last day, or freeze or unfreeze it.

    A frozen hold is passed over and keeps its place.
    """
    command = AmendHold(
        hold_id=hold_id,
        patron_id=None if "staff" in caller.roles else caller.id,
        on=day_of(None, run),
        pickup_branch=body.pickup_branch,
        sets_expiry="expires_on" in body.model_fields_set,
        expires_on=body.expires_on,
        frozen=body.frozen,
        frozen_until=body.frozen_until,
    )
    return HoldOut.at(await run(amend_hold, command))


@router.delete("/holds/{hold_id}")
@refuses(NoSuchHold, HoldEnded)
async def delete_hold(hold_id: Id, caller: PatronOrStaff, run: Run) -> HoldOut:
    """Cancel a hold: patrons their own and those of linked patrons, staff any."""
    asking = None if "staff" in caller.roles else caller.id
    return HoldOut.of(await run(cancel_hold, hold_id, asking, day_of(None, run)), None)


@router.get("/me/holds")
async def get_my_holds(caller: Patron, db: Db, today: Today) -> HoldList:
    """List the patron's open holds, each with its position."""
    return HoldList(items=await _out(db, await store.find_open_of(db, caller.id), today))


@router.get("/holds/{hold_id}")
@refuses(NoSuchHold)
@shows_patrons
async def get_hold(hold_id: Id, caller: PatronStaffOrService, db: Db, today: Today) -> HoldOut:
    """Get a hold with its position."""
    hold = await store.find(db, hold_id)
    if hold is None or not may_see(caller, hold.patron_id):
        raise NoSuchHold
    return (await _out(db, [hold], today))[0]


@router.get("/holds")
@shows_patrons
async def get_holds(
    _caller: Staff,
    db: Db,
    page: PageQuery,
    patron: Annotated[str, Query(min_length=1, max_length=64)],
) -> HoldPage:
    """List a patron's open holds."""
    found = [hold for hold in await store.find_open_of(db, patron) if hold.id > (page.after or "")]
    return HoldPage(**page_of(await _out(db, found[: page.limit + 1]), page, lambda out: out.id))


@router.get("/titles/{title_id}/holds")
@shows_patrons
async def get_queue(title_id: Id, _caller: Staff, db: Db, page: PageQuery) -> HoldPage:
    """List a title's open holds in queue order, including those with a copy assigned.

    Holds on any edition of its work are among them.
    """
    after = int(page.after) if page.after and page.after.isdecimal() else 0
    title = await catalogue_store.find_title(db, title_id)
    work_id = title.work_id if title else None
    found = await store.find_queue(db, title_id, work_id, page.limit, after)
    return await _page(db, found, page, {hold.id: str(hold.place) for hold in found})


@router.get("/holds/shelves/{branch}")
@shows_patrons
async def get_shelf(branch: Id, _caller: Staff, db: Db, page: PageQuery) -> HoldPage:
    """List the holds that are ready to be collected at a branch."""
    found = await store.find_shelf(db, branch, page.limit, page.after)
    return await _page(db, found, page, {hold.id: hold.id for hold in found})


@router.get("/holds/to-fetch/{branch}")
async def get_to_fetch(branch: Id, _caller: Staff, db: Db, page: PageQuery) -> ToFetchPage:
    """List the copies that staff have to fetch from the shelves of a branch.

    A scan of the copy, with a return or an arrival, removes it from this list. Report a copy that
    is not on its shelf with `POST /v1/copies/{barcode}/removal` and the fault `missing`.
    """
    copies = await catalogue_store.find_to_fetch(db, branch, page.limit, page.after)
    names = await catalogue_store.find_names(db, {copy.title_id for copy in copies})
    holds = await store.find_some(db, {copy.hold_id for copy in copies if copy.hold_id})
    found = [
        ToFetchOut.of(copy, names.get(copy.title_id, ""), holds[copy.hold_id])
        for copy in copies
        if copy.hold_id in holds
    ]
    return ToFetchPage(**page_of(found, page, lambda out: out.copy_id))


async def _page(db: Database, found: list[Hold], page: Page, cursors: dict[str, str]) -> HoldPage:
    return HoldPage(**page_of(await _out(db, found), page, lambda out: cursors[out.id]))
