"""Holds: reserving a title, and what the staff see of queues and shelves."""

from dataclasses import replace
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.circulation import queries
from services.circulation.domain.hold import Hold, HoldState
from services.circulation.domain.refusals import NoSuchHold, NoSuchPatron
from services.circulation.routes.fields import BranchCode, Day, Id, day_of
from services.circulation.routes.patrons import ask_for_patron
from services.circulation.usecases.amend_hold import AmendHold, amend_hold
from services.circulation.usecases.cancel_hold import CancelHold, cancel_hold
from services.circulation.usecases.place_hold import Place, PlaceHold, place_hold
from shared.auth import Caller, Patron, PatronOrStaff, Staff, may_see
from shared.http import Body, Db, Page, PageQuery, Run, page_of
from shared.mongo import Database

router = APIRouter(prefix="/v1")


class HoldIn(Body):
    """A title to be collected at a branch."""

    title_id: str = Field(min_length=1, max_length=64)
    pickup_branch: BranchCode
    expires_on: Day | None = Field(default=None, description="Last day on which it is wanted.")
    patron_id: str | None = Field(
        default=None, min_length=1, max_length=64, description="For whom; staff say it."
    )


class HoldChange(Body):
    """What is to be changed; what is not given stays as it is."""

    pickup_branch: BranchCode | None = None
    expires_on: Day | None = None
    frozen: bool | None = Field(default=None, description="Whether it is passed over.")
    frozen_until: Day | None = Field(
        default=None, description="With `frozen`: first day after that; null: until told."
    )


class HoldOut(BaseModel):
    """A hold."""

    id: str
    patron_id: str
    title_id: str
    pickup_branch: str
    state: HoldState
    position: int | None = Field(description="1 is next in line; null: it waits no longer.")
    placed_at: datetime
    expires_on: date | None = Field(description="Last day on which it is wanted, while it waits.")
    frozen: bool
    frozen_until: date | None
    copy_id: str | None
    ready_on: date | None
    shelf_until: date | None = Field(
        description="Last day to collect it; null: not ready, or no reopening is announced."
    )
    version: int

    @classmethod
    def of(cls, hold: Hold, position: int | None) -> "HoldOut":
        """From the hold."""
        return cls(
            id=hold.id,
            patron_id=hold.patron_id,
            title_id=hold.title_id,
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
            version=hold.version,
        )

    @classmethod
    def at(cls, place: Place) -> "HoldOut":
        """From the hold with its place in the queue."""
        return cls.of(place.hold, place.position)


class HoldList(BaseModel):
    """All of a patron's that are open."""

    items: list[HoldOut]


class HoldPage(BaseModel):
    """Some holds, and where the next ones begin."""

    items: list[HoldOut]
    next: str | None


async def _out(db: Database, holds: list[Hold]) -> list[HoldOut]:
    positions = await queries.positions(db, holds)
    return [HoldOut.of(hold, positions.get(hold.id)) for hold in holds]


@router.post("/holds", status_code=201)
async def post_hold(body: HoldIn, caller: PatronOrStaff, run: Run) -> HoldOut:
    """Reserve a title: the patron for themselves, staff for whom they name.

    Where a copy is free it is kept, or sent to the pick-up branch, at once. 404 `no-such-title`,
    `no-such-patron` or `unknown-branch`; 409 `patron-blocked`, `hold-limit`, `hold-exists`,
    `title-on-loan` or `ends-before-today`.
    """
    patron_id = _for_whom(body, caller)
    command = PlaceHold(
        patron_id, body.title_id, body.pickup_branch, body.expires_on, day_of(None, run)
    )
    try:
        place = await run(place_hold, command)
    except NoSuchPatron:
        patron = await ask_for_patron(run.owners, patron_id, run.now)
        if patron is None:
            raise
        place = await run(place_hold, replace(command, patron=patron))
    return HoldOut.at(place)


def _for_whom(body: HoldIn, caller: Caller) -> str:
    """The patron's id. Raises NoSuchPatron, also where a patron names somebody else."""
    patron_id = body.patron_id or (caller.id if "patron" in caller.roles else None)
    if patron_id is None or not may_see(caller, patron_id):
        raise NoSuchPatron
    return patron_id


@router.patch("/holds/{hold_id}")
async def patch_hold(hold_id: Id, body: HoldChange, caller: PatronOrStaff, run: Run) -> HoldOut:
    """Change the pick-up branch, the last day, or whether the hold is passed over for a time.

    A frozen hold keeps its place. 409 `hold-ended`, `hold-not-waiting` or `ends-before-today`.
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
async def delete_hold(hold_id: Id, caller: PatronOrStaff, run: Run) -> HoldOut:
    """Cancel a hold: the patron their own, staff anyone's. 409 `hold-ended`."""
    command = CancelHold(
        hold_id=hold_id,
        patron_id=None if "staff" in caller.roles else caller.id,
        on=day_of(None, run),
    )
    return HoldOut.of(await run(cancel_hold, command), None)


@router.get("/me/holds")
async def get_my_holds(caller: Patron, db: Db) -> HoldList:
    """The patron's open holds, each with its position."""
    return HoldList(items=await _out(db, await queries.holds_of(db, caller.id)))


@router.get("/holds/{hold_id}")
async def get_hold(hold_id: Id, caller: PatronOrStaff, db: Db) -> HoldOut:
    """A hold."""
    hold = await queries.hold(db, hold_id)
    if hold is None or not may_see(caller, hold.patron_id):
        raise NoSuchHold
    return (await _out(db, [hold]))[0]


@router.get("/holds")
async def get_holds(
    _caller: Staff,
    db: Db,
    page: PageQuery,
    patron: Annotated[str, Query(min_length=1, max_length=64)],
) -> HoldPage:
    """A patron's open holds."""
    found = [hold for hold in await queries.holds_of(db, patron) if hold.id > (page.after or "")]
    return HoldPage(**page_of(await _out(db, found[: page.limit + 1]), page, lambda out: out.id))


@router.get("/titles/{title_id}/holds")
async def get_queue(title_id: Id, _caller: Staff, db: Db, page: PageQuery) -> HoldPage:
    """Who waits for a title, or has a copy on its way or on the shelf, in turn."""
    found = await queries.queue(db, title_id, page.limit, page.after)
    return await _page(db, found, page, {hold.id: str(hold.place) for hold in found})


@router.get("/holds/shelves/{branch}")
async def get_shelf(branch: Id, _caller: Staff, db: Db, page: PageQuery) -> HoldPage:
    """What can be collected at a branch."""
    found = await queries.shelf(db, branch, page.limit, page.after)
    return await _page(db, found, page, {hold.id: hold.id for hold in found})


async def _page(db: Database, found: list[Hold], page: Page, cursors: dict[str, str]) -> HoldPage:
    return HoldPage(**page_of(await _out(db, found), page, lambda out: cursors[out.id]))
