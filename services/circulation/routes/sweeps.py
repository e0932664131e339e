"""How far due dates and holds have followed what branches announced."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation import queries
from services.circulation.domain.sweep import Sweep
from shared.auth import StaffOrOps
from shared.http import Db

router = APIRouter(prefix="/v1/ops/sweeps", tags=["operations"])


class SweepOut(BaseModel):
    """The last sweep over the loans and holds of one branch."""

    branch: str
    calendar_version: int = Field(description="The branch's version that they follow.")
    state: Literal["moving", "settling", "done"] = Field(
        description="Settling: all that was there has moved, and it looks once more a little later."
    )
    done: int = Field(description="Loans and holds looked at.")
    total: Annotated[int | None, Field(description="Of how many; null: not counted yet.")]
    workers: int = Field(description="How many work on it at this moment.")

    @classmethod
    def of(cls, sweep: Sweep) -> "SweepOut":
        """As answered."""
        return cls(
            branch=sweep.id,
            calendar_version=sweep.calendar_version,
            state=sweep.state.value,
            done=sweep.done,
            total=sweep.total,
            workers=len(sweep.in_hand),
        )


class SweepsOut(BaseModel):
    """Sweeps of all branches."""

    items: list[SweepOut]


@router.get("")
async def get_sweeps(caller: StaffOrOps, db: Db) -> SweepsOut:
    """The last sweep of each branch, in order of code."""
    return SweepsOut(items=[SweepOut.of(sweep) for sweep in await queries.sweeps(db)])
