"""Routes that place and change holds, and show queues and shelves to staff."""

from dataclasses import replace
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from services.circulation.borrowers.commands import ask_for_patron, with_newest_state
from services.circulation.calendars.queries import check_branches
from services.circulation.catalogue import store as catalogue_store
from services.circulation.fields import (
    Id,
    Today,
    day_of,
    reason_of,
)
from services.circulation.holds import refusals, store
from services.circulation.holds.commands.holds import AmendHold, amend_hold, cancel_hold
from services.circulation.holds.commands.placing import (
    PlaceHold,
    place_hold,
    preview_hold,
)
from services.circulation.holds.queries import likely_if_placed, likely_ready
from services.circulation.holds.routes.models import (
    AwaitedOut,
    HoldChange,
    HoldEffectOut,
    HoldIn,
    HoldList,
    HoldOut,
    HoldPage,
    LikelyReadyOut,
    LikelyTitleOut,
    LikelyTitles,
    ToFetchOut,
    ToFetchPage,
)
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
    NoSuchTitle,
    NotInThisState,
    OnSiteOnly,
    PatronBlocked,
    PickupAtOwner,
    TitleOnLoan,
)
from services.circulation.rules.hold import Hold
from shared.audit_trail import shows_patrons
from shared.auth import Patron, PatronOrStaff, PatronStaffOrService, Staff, may_see
from shared.http.dependencies import Db, Preview, Run
from shared.http.paging import Page, PageQuery, page_of
from shared.mongo import Database
from shared.refusals import or_refuse, refuses

router = APIRouter(prefix="/v1")

MOST_AWAITED = 5000
"""Barcodes of a kind that a desk keeps to work without a network: some 75 kB."""


async def _out(db: Database, holds: list[Hold], on: date | None = None) -> list[HoldOut]:
    """Build the responses; with their likely days if `on` gives the library day."""
    positions = await store.positions(db, holds)
    likely = await likely_ready(db, holds, positions, on) if on else {}
    names = await catalogue_store.find_names(db, {hold.title_id for hold in holds})
    return [
        HoldOut.of(hold, positions.get(hold.id), likely.get(hold.id), names.get(hold.title_id))
        for hold in holds
    ]


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
    refusals.NoSuchVolume,
    refusals.WhichVolume,
    NoSuchCopy,
    NotInThisState,
    refusals.NoSuchWork,
    refusals.NoSuchPatron,
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
    patron_id = or_refuse(body.patron_id or asking, refusals.NoSuchPatron)
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

    async def place(may_be_behind: bool) -> HoldOut | HoldEffectOut:
        return await act(replace(command, may_be_behind=may_be_behind))

    try:
        return await with_newest_state(run, place)
    except refusals.NoSuchPatron:
        if asking not in (None, patron_id):
            raise
        patron = await ask_for_patron(run.owners, patron_id, run.now)
        if patron is None:
            raise
        return await act(replace(command, patron=patron))


@router.get("/titles/likely-ready")
async def get_likely_titles(
    db: Db,
    today: Today,
    ids: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=64)], ...],
        Query(alias="id", max_length=20),
    ] = (),
    pickup_branch: Annotated[str, Query(max_length=40, pattern=r"^[A-Za-z0-9-]*$")] = "",
) -> LikelyTitles:
    """Say of up to 20 titles by when a hold that is placed now is likely ready.

    A title is left out if a copy is available, if many wait for it, or if too little is known.
    Without `pickup_branch` the hold is collected where the title's own copy belongs.
    """
    found = await likely_if_placed(db, ids, pickup_branch, today)
    items = [
        LikelyTitleOut(title_id=title_id, likely_ready_by=likely)
        for title_id, day in found.items()
        if (likely := LikelyReadyOut.of(day))
    ]
    return LikelyTitles(items=items)


@router.patch("/holds/{hold_id}")
@refuses(
    refusals.NoSuchHold, NoSuchBranch, PickupAtOwner, HoldEnded, HoldNotWaiting, EndsBeforeToday
)
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
@refuses(refusals.NoSuchHold, HoldEnded)
async def delete_hold(hold_id: Id, caller: PatronOrStaff, run: Run) -> HoldOut:
    """Cancel a hold: patrons their own and those of linked patrons, staff any."""
    asking = None if "staff" in caller.roles else caller.id
    return HoldOut.of(await run(cancel_hold, hold_id, asking, day_of(None, run)), None)


@router.get("/me/holds")
async def get_my_holds(caller: Patron, db: Db, today: Today) -> HoldList:
    """List the patron's open holds, each with its position."""
    return HoldList(items=await _out(db, await store.find_open_of(db, caller.id), today))


@router.get("/holds/{hold_id}")
@refuses(refusals.NoSuchHold)
@shows_patrons
async def get_hold(hold_id: Id, caller: PatronStaffOrService, db: Db, today: Today) -> HoldOut:
    """Get a hold with its position."""
    hold = await store.find(db, hold_id)
    if hold is None or not may_see(caller, hold.patron_id):
        raise refusals.NoSuchHold
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


@router.get("/holds/awaited/{branch}")
@refuses(NoSuchBranch)
async def get_awaited(branch: Id, _caller: Staff, db: Db, run: Run) -> AwaitedOut:
    """List the barcodes that a desk needs to work without a network, at most 5,000 of each kind."""
    await check_branches(run, {branch})
    waiting, kept, complete = await store.find_awaited(db, branch, MOST_AWAITED)
    return AwaitedOut(waiting=waiting, kept=kept, complete=complete)


async def _page(db: Database, found: list[Hold], page: Page, cursors: dict[str, str]) -> HoldPage:
    return HoldPage(**page_of(await _out(db, found), page, lambda out: cursors[out.id]))
