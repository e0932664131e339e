"""The door of a study room: admission cards are checked by staff or a station."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StringConstraints

from services.events.fields import SeasonId
from services.events.seasons.commands.seats import CheckIn, check_in
from services.events.seasons.refusals import (
    CheckedInAlready,
    NoPlaceInSession,
    NoSessionNow,
    NoSuchAdmission,
    NoSuchSeason,
    PlaceLapsed,
)
from shared.auth import Desk
from shared.http.bodies import Body
from shared.http.dependencies import Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["study rooms"])

Code = Annotated[
    str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[0-9A-Fa-f]{16}$")
]


class CheckInBody(Body):
    """The code of an admission card, as scanned or typed."""

    code: Code = Field(repr=False)


class CheckInOut(BaseModel):
    """A place that its patron has taken."""

    application_id: str
    branch: str
    starts_at: datetime
    ends_at: datetime
    promoted: bool = Field(description="True if the patron was on the standby list.")


@router.post("/study-seasons/{season_id}/check-ins", status_code=201)
@refuses(
    NoSuchSeason, NoSuchAdmission, NoSessionNow, NoPlaceInSession, CheckedInAlready, PlaceLapsed
)
async def post_check_in(
    season_id: SeasonId, body: CheckInBody, request: Request, caller: Desk, run: Run
) -> CheckInOut:
    """Let a patron in to the present session, or up to 15 minutes before it begins."""
    command = CheckIn(season_id, body.code, request.app.state.settings.zone)
    seated = await run(check_in, command)
    return CheckInOut(
        application_id=seated.seat.application_id,
        branch=seated.sitting.branch,
        starts_at=seated.sitting.starts_at,
        ends_at=seated.sitting.ends_at,
        promoted=seated.seat.promoted,
    )
