"""Routes that undo a check-out or a return."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation.catalogue.routes.copies import CopyDetail
from services.circulation.charges.refusals import PaymentUnderWay
from services.circulation.fields import Barcode, BranchCode, Id, channel_of, day_of
from services.circulation.holds.routes.models import HoldOut
from services.circulation.loans.commands.undo import (
    LastCheckOut,
    LastReturn,
    Undo,
    Undone,
    undo_of_check_out,
    undo_of_last_check_out,
    undo_of_last_return,
    undo_of_return,
)
from services.circulation.loans.refusals import NoSuchLoan
from services.circulation.loans.routes.loans import LoanOut, renewals_left
from services.circulation.refusals import (
    LoanLost,
    LoanNotOpen,
    NoSuchCopy,
    ReturnNotMade,
    TooLateToUndo,
)
from services.circulation.rules.loan import Channel
from services.circulation.settings import settings_of
from shared.auth import Desk
from shared.clock import wall_clock
from shared.http.bodies import Body
from shared.http.dependencies import Run
from shared.ids import card_digests
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class UndoIn(Body):
    """A check-out or return to undo, at the library that made it."""

    step: Literal["check-out", "return"]
    branch: BranchCode


class LastCheckOutIn(Body):
    """The check-out of a copy to the holder of a card, to undo where it was made."""

    card_number: str = Field(min_length=1, max_length=64)
    barcode: Barcode
    branch: BranchCode


class LastReturnIn(Body):
    """The last return of a copy, to undo where and as it was made."""

    barcode: Barcode
    branch: BranchCode
    channel: Channel


class UndoneOut(BaseModel):
    """A loan after an undo: `open` after that of a return, deleted after that of a check-out."""

    loan: LoanOut
    copy_: CopyDetail = Field(serialization_alias="copy")
    hold: HoldOut | None = Field(
        default=None, description="The hold that the copy is kept or sent for; null: none."
    )


@router.post("/loans/{loan_id}/undo")
@refuses(NoSuchLoan, LoanNotOpen, LoanLost, ReturnNotMade, TooLateToUndo, PaymentUnderWay)
async def post_undo(loan_id: Id, body: UndoIn, _caller: Desk, run: Run) -> UndoneOut:
    """Undo a check-out or a return that was a mistake, within 15 minutes, where it was made.

    After an undone check-out the loan never was: it has no fine and is in no reading history, and
    the holds that it ended are open again. After an undone return the loan is as before: its fine
    is credited, and the hold that got the copy waits again at its place. An undo is refused if
    something followed: a renewal, a payment, the next check-out.
    """
    command = Undo(loan_id, body.branch, day_of(None, run), wall_clock())
    use_case = undo_of_check_out if body.step == "check-out" else undo_of_return
    return await _undone(await run(use_case, command), run)


@router.post("/checkouts/undo")
@refuses(NoSuchCopy, TooLateToUndo, PaymentUnderWay)
async def post_undo_of_check_out(body: LastCheckOutIn, caller: Desk, run: Run) -> UndoneOut:
    """Undo the check-out of a copy, as a station does that does not know its loan.

    It is as the undo of a check-out by its loan, and for this card alone, at the library that lent
    the copy. A station undoes the check-outs of stations, and staff those of the desk.
    """
    digests = card_digests(body.card_number, settings_of(run).card_key)
    channel, today = channel_of(caller), day_of(None, run)
    command = LastCheckOut(body.barcode, digests, body.branch, channel, today, wall_clock())
    return await _undone(await run(undo_of_last_check_out, command), run)


@router.post("/returns/undo")
@refuses(NoSuchCopy, LoanLost, TooLateToUndo, PaymentUnderWay)
async def post_undo_of_return(body: LastReturnIn, _caller: Desk, run: Run) -> UndoneOut:
    """Undo the last return of a copy, as a station does that does not know its loan.

    It is as the undo of a return by its loan, and for the branch and channel of the return alone.
    """
    command = LastReturn(body.barcode, body.branch, body.channel, day_of(None, run))
    return await _undone(await run(undo_of_last_return, command), run)


async def _undone(undone: Undone, run: Run) -> UndoneOut:
    return UndoneOut(
        loan=LoanOut.of(undone.loan, await renewals_left(run, undone.loan)),
        copy_=CopyDetail.of(undone.copy),
        hold=HoldOut.of(undone.hold, None) if undone.hold else None,
    )
