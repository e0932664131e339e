"""Routes of sweeps: the progress of due dates and holds after a branch's announcement."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.circulation import store
from services.circulation.domain.sweep import Sweep
from shared.auth import StaffOrOps
from shared.http.dependencies import Db

router = APIRouter(prefix="/v1/ops/sweeps", tags=["operations"])


class SweepOut(BaseModel):
    """The last sweep over the loans and holds of one branch."""

    branch: str
    calendar_version: int = Field(
        description="Version of the branch up to which the sweep applies announcements."
    )
    state: Literal["moving", "settling", "done"] = Field(
        description="`moving`: the first pass is under way. `settling`: all that was found has "
        "moved, and the sweep looks once more a little later. `done`: finished."
    )
    done: int = Field(description="Number of loans and holds processed.")
    total: Annotated[
        int | None,
        Field(description="Number of loans and holds to process; null: not counted yet."),
    ]
    workers: int = Field(description="Number of chunks that are leased to workers now.")

    @classmethod
    def of(cls, sweep: Sweep) -> "SweepOut":
        """Build the response from a sweep."""
        return cls(
            branch=sweep.id,
            calendar_version=sweep.calendar_version,
            state=sweep.state.value,
            done=sweep.done,
            total=sweep.total,
            workers=len(sweep.in_hand),
        )


class SweepsOut(BaseModel):
    """The last sweep of each branch."""

    items: list[SweepOut]


@router.get("")
async def get_sweeps(caller: StaffOrOps, db: Db) -> SweepsOut:
    """List the last sweep of each branch, in the order of branch codes."""
    return SweepsOut(items=[SweepOut.of(sweep) for sweep in await store.sweeps.find(db)])
