"""Routes of copies: where a copy is, its arrival, removal and recovery."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation import store
from services.circulation.domain.copy import Copy, CopyState
from services.circulation.domain.refusals.branches import NoSuchBranch
from services.circulation.domain.refusals.copies import LostByPatron, NoSuchCopy, NotInThisState
from services.circulation.routes.fields import BarcodePath, BranchCode, day_of
from services.circulation.routes.holds import HoldOut
from services.circulation.usecases.commands.receive_copy import ReceiveCopy, receive_copy
from services.circulation.usecases.commands.recover_copy import RecoverCopy, recover_copy
from services.circulation.usecases.commands.take_out_copy import Fault, TakeOutCopy, take_out_copy
from services.circulation.usecases.steps.serve_queue import Served
from shared.auth import Desk, Staff
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.http.problems import NotFound
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class Place(Body):
    """The branch where the copy is."""

    branch: BranchCode


class Removal(Body):
    """The reason why the copy can't be lent."""

    fault: Fault


class CopyDetail(BaseModel):
    """A copy, its location and the hold that it is for."""

    copy_id: str
    title_id: str
    barcode: str
    category: str
    branch: str = Field(description="Code of the branch that owns the copy.")
    state: CopyState
    at_branch: str = Field(
        description="Code of the branch where the copy is or, on loan or in transit, that it left."
    )
    bound_for: str | None = Field(
        description="Code of the branch that the copy travels to; null: not in transit."
    )
    hold_id: str | None = Field(
        description="Id of the hold that the copy is set aside, kept or in transit for; null: none."
    )
    version: int

    @classmethod
    def of(cls, copy: Copy) -> "CopyDetail":
        """Build the response from a copy."""
        return cls(
            copy_id=copy.id,
            title_id=copy.title_id,
            barcode=copy.barcode,
            category=copy.category,
            branch=copy.branch_code,
            state=copy.state,
            at_branch=copy.at_branch,
            bound_for=copy.bound_for,
            hold_id=copy.hold_id,
            version=copy.version,
        )


class PlacedOut(BaseModel):
    """A copy after a change, and the hold that it is now for, if any."""

    copy_: CopyDetail = Field(serialization_alias="copy")
    hold: HoldOut | None

    @classmethod
    def of(cls, served: Served) -> "PlacedOut":
        """Build the response from the outcome."""
        return cls(
            copy_=CopyDetail.of(served.copy),
            hold=HoldOut.of(served.hold, None) if served.hold else None,
        )


@router.get("/copies/{barcode}")
@refuses(NotFound)
async def get_copy(barcode: BarcodePath, _caller: Staff, db: Db) -> CopyDetail:
    """Get a copy by its barcode."""
    copy = await store.titles.find_copy(db, barcode)
    if copy is None:
        raise NotFound("copy")
    return CopyDetail.of(copy)


@router.post("/copies/{barcode}/arrival")
@refuses(NoSuchBranch, NoSuchCopy, NotInThisState)
async def post_arrival(barcode: BarcodePath, body: Place, _caller: Desk, run: Run) -> PlacedOut:
    """Receive a copy that was in transit or to be fetched.

    The copy is then on the hold shelf, back at its own branch, or sent on.
    """
    return PlacedOut.of(
        await run(receive_copy, ReceiveCopy(barcode, body.branch, day_of(None, run)))
    )


@router.post("/copies/{barcode}/removal")
@refuses(NoSuchCopy, NotInThisState)
async def post_removal(barcode: BarcodePath, body: Removal, _caller: Staff, run: Run) -> PlacedOut:
    """Take a copy out of lending. Its hold waits again at its place, or gets another copy.

    A copy on loan can't be taken out.
    """
    return PlacedOut.of(
        await run(take_out_copy, TakeOutCopy(barcode, body.fault, day_of(None, run)))
    )


@router.post("/copies/{barcode}/recovery")
@refuses(NoSuchBranch, NoSuchCopy, NotInThisState, LostByPatron)
async def post_recovery(barcode: BarcodePath, body: Place, _caller: Staff, run: Run) -> PlacedOut:
    """Put a damaged, withdrawn or missing copy back into lending.

    A copy that a patron lost has to be returned instead.
    """
    return PlacedOut.of(
        await run(recover_copy, RecoverCopy(barcode, body.branch, day_of(None, run)))
    )
