"""Fine suspensions."""

from datetime import date

from fastapi import APIRouter
from pydantic import (
    BaseModel,
    Field,
)

from services.circulation import queries
from services.circulation.domain.refusals import NoSuchSuspension
from services.circulation.domain.suspension import FineSuspension
from services.circulation.routes.fields import BranchCode, BranchKind, Day, Id, Line, StaffOrService
from services.circulation.usecases.announce_resumption import (
    AnnounceResumption,
    announce_resumption,
)
from services.circulation.usecases.suspend_fines import SuspendFines, suspend_fines
from shared.auth import Staff
from shared.http import Body, Db, PageQuery, Run, page_of

router = APIRouter(prefix="/v1")


class SuspensionIn(Body):
    """A fine suspension; without branches and kinds it is for the whole library."""

    starts_on: Day
    resumes_on: Day | None = None
    branches: frozenset[BranchCode] = Field(default=frozenset(), max_length=500)
    kinds: frozenset[BranchKind] = frozenset()
    reason: Line


class ResumptionIn(Body):
    """The first day on which fines are counted again; null takes an announced day back."""

    resumes_on: Day | None


class SuspensionOut(BaseModel):
    """A fine suspension."""

    id: str
    starts_on: date
    resumes_on: date | None
    branches: list[str]
    kinds: list[str]
    reason: str
    version: int

    @classmethod
    def of(cls, suspension: FineSuspension) -> "SuspensionOut":
        """From the suspension."""
        return cls(
            id=suspension.id,
            starts_on=suspension.starts_on,
            resumes_on=suspension.resumes_on,
            branches=sorted(suspension.branches),
            kinds=sorted(suspension.kinds),
            reason=suspension.reason,
            version=suspension.version,
        )


class SuspensionList(BaseModel):
    """Every fine suspension."""

    items: list[SuspensionOut]


class PatronId(BaseModel):
    """A patron."""

    patron_id: str


class PatronPage(BaseModel):
    """Some patrons, and where the next ones begin."""

    items: list[PatronId]
    next: str | None


@router.post("/fine-suspensions", status_code=201)
async def post_suspension(body: SuspensionIn, _caller: Staff, run: Run) -> SuspensionOut:
    """Suspend fines. 409 `resumes-before-start`."""
    command = SuspendFines(
        starts_on=body.starts_on,
        resumes_on=body.resumes_on,
        branches=body.branches,
        kinds=frozenset(body.kinds),
        reason=body.reason,
    )
    return SuspensionOut.of(await run(suspend_fines, command))


@router.patch("/fine-suspensions/{suspension_id}")
async def patch_suspension(
    suspension_id: Id, body: ResumptionIn, _caller: Staff, run: Run
) -> SuspensionOut:
    """Announce when fines are counted again. 404, 409 `resumes-before-start`."""
    command = AnnounceResumption(suspension_id, body.resumes_on)
    return SuspensionOut.of(await run(announce_resumption, command))


@router.get("/fine-suspensions")
async def get_suspensions(_caller: StaffOrService, db: Db) -> SuspensionList:
    """Every fine suspension, in the order of recording."""
    found = await queries.suspensions(db)
    return SuspensionList(items=[SuspensionOut.of(suspension) for suspension in found])


@router.get("/fine-suspensions/{suspension_id}/patrons")
async def get_concerned_patrons(
    suspension_id: Id, _caller: StaffOrService, db: Db, page: PageQuery
) -> PatronPage:
    """The patrons with an open loan of a branch in the suspension's scope, each once."""
    found = await queries.borrowing_patrons(db, suspension_id, page.limit, page.after)
    if found is None:
        raise NoSuchSuspension
    items = [PatronId(patron_id=patron_id) for patron_id in found]
    return PatronPage(**page_of(items, page, lambda item: str(item.patron_id)))
