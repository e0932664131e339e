"""Routes of copies: added, received, taken out, recovered."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation import refusals
from services.circulation.calendars.queries import check_branches
from services.circulation.catalogue.routes.copies import (
    CopiesIn,
    CopyChanges,
    CopyDetail,
    NumberedIn,
)
from services.circulation.catalogue.routes.titles import TitleInFull
from services.circulation.copies.commands import (
    Fault,
    add_copies,
    amend_copy,
    dispatch_copies,
    number_copies,
    receive_copy,
    recover_copy,
    set_work,
    take_out_copy,
)
from services.circulation.fields import (
    BarcodePath,
    Barcodes,
    BranchCode,
    Id,
    WorkId,
    day_of,
)
from services.circulation.holds.commands.queue import Served
from services.circulation.holds.routes.models import HoldOut
from shared.auth import Desk, Staff
from shared.http.bodies import Body
from shared.http.dependencies import Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


@router.post("/titles/{title_id}/copies", status_code=201)
@refuses(refusals.NoSuchTitle, refusals.NoSuchBranch, refusals.BarcodeTaken, refusals.TooManyCopies)
async def post_copies(title_id: Id, body: CopiesIn, _caller: Staff, run: Run) -> TitleInFull:
    """Add copies to a title."""
    await check_branches(run, {copy.branch for copy in body.copies})
    new = [copy.new() for copy in body.copies]
    catalogued = await run(add_copies, title_id, new, day_of(None, run))
    return TitleInFull.with_copies(catalogued.title, list(catalogued.copies))


class NumberedOut(BaseModel):
    """The barcodes of the copies that were added."""

    barcodes: list[str]


@router.post("/titles/{title_id}/numbered-copies", status_code=201)
@refuses(
    refusals.NoSuchTitle,
    refusals.NoSuchBranch,
    refusals.FirstBarcodeNeeded,
    refusals.NoBarcodesLeft,
    refusals.TooManyCopies,
)
async def post_numbered(title_id: Id, body: NumberedIn, _caller: Staff, run: Run) -> NumberedOut:
    """Add copies to a title, with the next free barcodes of a series."""
    await check_branches(run, {body.branch})
    barcodes = await run(
        number_copies,
        title_id,
        body.with_barcode(""),
        body.count,
        first_barcode=body.first_barcode,
        on=day_of(None, run),
    )
    return NumberedOut(barcodes=barcodes)


@router.patch("/copies/{barcode}")
@refuses(
    refusals.NoSuchCopy, refusals.NoSuchBranch, refusals.NotInThisState, refusals.ChangedMeanwhile
)
async def patch_copy(
    barcode: BarcodePath, body: CopyChanges, _caller: Staff, run: Run
) -> CopyDetail:
    """Change the description of a copy; a null price, or null field of its record, is removed.

    A change of its branch does not move it: it goes there when it next comes back, or at once with
    `send_now`. A copy that is for a hold keeps its volume.
    """
    changes = body.given()
    await check_branches(run, {changes["branch_code"]} if "branch_code" in changes else set())
    on = day_of(None, run)
    return CopyDetail.of(
        await run(amend_copy, barcode, changes, on, seen=body.seen_version, send_now=body.send_now)
    )


class WorkIn(Body):
    """The work of which a title is one edition."""

    work_id: WorkId | None = Field(
        description="The same for all editions of a work, as the library chooses it; null: none."
    )


@router.put("/titles/{title_id}/work")
@refuses(refusals.NoSuchTitle, refusals.TitleReserved)
async def put_work(title_id: Id, body: WorkIn, _caller: Staff, run: Run) -> TitleInFull:
    """Make a title an edition of a work, so that patrons can reserve any edition.

    Its holds keep their order. That is refused if patrons have reserved any edition and the title
    is one of them, or if there are holds on both sides.
    """
    catalogued = await run(set_work, title_id, body.work_id, day_of(None, run))
    return TitleInFull.with_copies(catalogued.title, list(catalogued.copies))


class Place(Body):
    """The branch where the copy is."""

    branch: BranchCode


class Removal(Body):
    """The reason why the copy can't be lent."""

    fault: Fault


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


@router.post("/copies/{barcode}/arrival")
@refuses(refusals.NoSuchBranch, refusals.NoSuchCopy, refusals.NotInThisState)
async def post_arrival(barcode: BarcodePath, body: Place, _caller: Desk, run: Run) -> PlacedOut:
    """Receive a copy that was in transit, to be fetched, on order or in process.

    The copy is then on the hold shelf, back at its own branch, or sent on.
    """
    return PlacedOut.of(await run(receive_copy, barcode, body.branch, day_of(None, run)))


@router.post("/copies/{barcode}/removal")
@refuses(refusals.NoSuchCopy, refusals.NotInThisState)
async def post_removal(barcode: BarcodePath, body: Removal, _caller: Staff, run: Run) -> PlacedOut:
    """Take a copy out of lending. Its hold waits again at its place, or gets another copy.

    A copy on loan can't be taken out. One that is on order, damaged or on its shelf can be taken
    `in-process`: its arrival makes it available.
    """
    return PlacedOut.of(await run(take_out_copy, barcode, body.fault, day_of(None, run)))


@router.post("/copies/{barcode}/recovery")
@refuses(refusals.NoSuchBranch, refusals.NoSuchCopy, refusals.NotInThisState, refusals.LostByPatron)
async def post_recovery(barcode: BarcodePath, body: Place, _caller: Staff, run: Run) -> PlacedOut:
    """Put a damaged, withdrawn or missing copy back into lending.

    A copy that a patron lost has to be returned instead.
    """
    return PlacedOut.of(await run(recover_copy, barcode, body.branch, day_of(None, run)))


class DispatchIn(Body):
    """Copies in transit that leave a branch together."""

    branch: BranchCode
    barcodes: Barcodes


class DispatchOut(BaseModel):
    """The barcodes of the copies that left."""

    barcodes: list[str] = Field(
        description="Without those that had left before, or are not in transit from the branch."
    )


@router.post("/dispatches")
async def post_dispatch(body: DispatchIn, _caller: Staff, run: Run) -> DispatchOut:
    """Record that copies in transit have left the branch. Recording it again changes nothing."""
    sent = await run(dispatch_copies, body.barcodes, body.branch, day_of(None, run))
    return DispatchOut(barcodes=sorted(copy.barcode for copy in sent))
