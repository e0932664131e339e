"""Route of a copy as the desk meets it: what it is, and who has or waits for it."""

import asyncio

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
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold
from shared.audit_trail import shows_patrons
from shared.auth import Staff
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


async def _hold(db: Database, copy: Copy) -> Hold | None:
    return await holds_store.find(db, copy.hold_id) if copy.hold_id else None
