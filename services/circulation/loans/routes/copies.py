"""Routes of a copy as desks and stations meet it: what it is, and who has or waits for it."""

import asyncio
from datetime import date, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation.catalogue import store as catalogue_store
from services.circulation.catalogue.routes.copies import CopyDetail
from services.circulation.catalogue.routes.titles import TitleOut
from services.circulation.fields import BarcodePath, Today
from services.circulation.holds import store as holds_store
from services.circulation.holds.routes.models import HoldOut
from services.circulation.loans import queries
from services.circulation.loans.routes.loans import LoanOut
from services.circulation.loans.store import loans as store
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.hold import Hold
from shared.audit_trail import shows_patrons
from shared.auth import Desk, Staff
from shared.http.bodies import from_attributes
from shared.http.dependencies import Db
from shared.http.problems import NotFound
from shared.http.recording import Seen
from shared.mongo import Database
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class Whereabouts(BaseModel):
    """A copy with its title, and the loan or the hold that it has now."""

    copy_: CopyDetail = Field(serialization_alias="copy")
    title: TitleOut
    loan: LoanOut | None = Field(
        description="The open loan, or the one that ended with the loss of the copy; null: none."
    )
    hold: HoldOut | None = Field(
        description="The hold that the copy is set aside, kept or in transit for; null: none."
    )


@router.get("/copies/{barcode}/whereabouts")
@refuses(NotFound)
@shows_patrons
async def get_whereabouts(
    barcode: BarcodePath, _caller: Staff, db: Db, today: Today, seen: Seen
) -> Whereabouts:
    """Get a copy by its barcode, with its title and the patron who has it or is to get it."""
    copy = await catalogue_store.find_copy(db, barcode)
    if copy is None:
        raise NotFound("copy")
    title, loan, lost, hold = await asyncio.gather(
        catalogue_store.find_title(db, copy.title_id),
        store.find_of_copy(db, copy.id, store.OPEN),
        store.find_of_copy(db, copy.id, store.LOST),
        _hold(db, copy),
    )
    if title is None:
        raise NotFound("title")
    loan = loan or lost
    left = await queries.renewals_left(db, [loan] if loan else [], today)
    seen += [item.patron_id for item in (loan, hold) if item]
    return Whereabouts(
        copy_=CopyDetail.of(copy),
        title=TitleOut.of(title),
        loan=LoanOut.of(loan, left) if loan else None,
        hold=HoldOut.of(hold, None) if hold else None,
    )


class ItemOut(BaseModel):
    """A copy with its title and its queue, without anything about patrons."""

    copy_: CopyDetail = Field(serialization_alias="copy")
    title: TitleOut
    due_on: date | None = Field(description="Due date of its open loan; null: it is not on loan.")
    due_at: datetime | None = Field(
        description="Time from which a loan by hours is overdue; null: by days, or not on loan."
    )
    waiting: int = Field(description="Holds that wait for its title.")


@router.get("/copies/{barcode}/item")
@refuses(NotFound)
async def get_item(barcode: BarcodePath, _caller: Desk, db: Db) -> ItemOut:
    """Get a copy by its barcode, as a self-service station shows it."""
    copy = await catalogue_store.find_copy(db, barcode)
    if copy is None:
        raise NotFound("copy")
    title, loan, waiting = await asyncio.gather(
        catalogue_store.find_title(db, copy.title_id),
        store.find_of_copy(db, copy.id, store.OPEN),
        holds_store.count_waiting(db, [copy.title_id]),
    )
    if title is None:
        raise NotFound("title")
    return ItemOut(
        copy_=CopyDetail.of(copy),
        title=TitleOut.of(title),
        due_on=loan.due_on if loan else None,
        due_at=loan.due_time.at if loan and loan.due_time else None,
        waiting=waiting.get(copy.title_id, 0),
    )


class GateOut(BaseModel):
    """The answer to a security gate about a copy, without anything about patrons."""

    barcode: str
    may_leave: bool = Field(description="True: the copy is on loan.")


@router.get("/copies/{barcode}/gate")
@refuses(NotFound)
async def get_gate(barcode: BarcodePath, _caller: Desk, db: Db) -> GateOut:
    """Tell a security gate, or a guard at the door, whether a copy may leave the library."""
    copy = await catalogue_store.find_copy(db, barcode)
    if copy is None:
        raise NotFound("copy")
    return GateOut(barcode=copy.barcode, may_leave=copy.state is CopyState.ON_LOAN)


class StepOut(BaseModel):
    """A step in the past of a copy."""

    on: date
    what: str = Field(
        description="`lent`, `lost`, `returned`, `moved`, `received`, `recovered`, "
        "`damaged`, `withdrawn`, `missing`, `in-process`, or `owner`: another branch owns it."
    )
    branch: str | None = Field(description="Branch where it then was; null: not known.")
    came_from: str | None = Field(
        description="Branch that it left, or that owned it before; null: another step."
    )


class CopyHistory(BaseModel):
    """The past of a copy, the newest step first."""

    items: list[StepOut]


@router.get("/copies/{barcode}/history")
@refuses(NotFound)
async def get_copy_history(barcode: BarcodePath, _caller: Staff, db: Db) -> CopyHistory:
    """List what happened to a copy: its last 20 steps, its last return and its present loan.

    Loans that are over are not listed: they are deleted, so that nobody learns who read what.
    """
    copy = await catalogue_store.find_copy(db, barcode)
    if copy is None:
        raise NotFound("copy")
    steps = await queries.past_of_copy(db, copy)
    return CopyHistory(items=[from_attributes(StepOut, one) for one in steps])


async def _hold(db: Database, copy: Copy) -> Hold | None:
    return await holds_store.find(db, copy.hold_id) if copy.hold_id else None
