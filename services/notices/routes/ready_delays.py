"""Routes of the delay of a branch before patrons are told that an item is ready."""

import datetime as dt

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.notices import store
from services.notices.domain.ready_delay import LONGEST_MINUTES, ReadyDelay
from services.notices.domain.refusals import NoSuchBranch
from services.notices.queries import branches
from services.notices.routes.fields import Id
from services.notices.usecases.set_ready_delay import SetReadyDelay, set_ready_delay
from shared.auth import Staff
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["branches"])


class ReadyDelayBody(Body):
    """The time that the branch takes to put a ready item on its hold shelf."""

    minutes: int = Field(ge=0, le=LONGEST_MINUTES)


class ReadyDelayOut(BaseModel):
    """Minutes after which patrons are told that an item is ready, and who set them when."""

    minutes: int
    set_by: str | None = Field(description="Null: it was never set.")
    set_at: dt.datetime | None

    @classmethod
    def of(cls, delay: ReadyDelay | None) -> "ReadyDelayOut":
        """Build the response from a delay; none was set: 0 minutes."""
        if delay is None:
            return cls(minutes=0, set_by=None, set_at=None)
        return cls(minutes=delay.minutes, set_by=delay.set_by, set_at=delay.set_at)


@router.get("/branches/{code}/ready-delay")
@refuses(NoSuchBranch)
async def get_ready_delay(code: Id, caller: Staff, db: Db) -> ReadyDelayOut:
    """Show the delay before patrons are told that an item is ready at this branch."""
    await branches.get(db, code)
    return ReadyDelayOut.of(await store.ready_delays.find_one(db, code))


@router.put("/branches/{code}/ready-delay")
@refuses(NoSuchBranch)
async def put_ready_delay(code: Id, body: ReadyDelayBody, caller: Staff, run: Run) -> ReadyDelayOut:
    """Set the delay, for items that become ready from now on; 0 tells patrons at once.

    Meanwhile neither the inbox nor an e-mail has the notification. If the item is collected or the
    hold ends in that time, the patron is told nothing.
    """
    command = SetReadyDelay(code, body.minutes, caller.name)
    return ReadyDelayOut.of(await run(set_ready_delay, command))
