"""The loans and holds of a patron whose card is linked with the caller's."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from services.gateway.routes.account import HoldOut, LoanOut
from services.gateway.views.overview_cache import PRIVATE
from services.gateway.views.overview_service import OverviewService
from shared.auth import Patron
from shared.http.dependencies import BusinessTime
from shared.http.problems import problem
from shared.refusals import PlainProblem, refuses

router = APIRouter()

NOT_LINKED = PlainProblem("not-linked", 404)


class MemberAccountOut(BaseModel):
    """The loans and holds of a linked patron."""

    patron_id: str
    loans: list[LoanOut]
    holds: list[HoldOut]


@router.get("/v1/me/family/{member_id}/account", tags=["family"], response_model=MemberAccountOut)
@refuses(NOT_LINKED)
async def get_member_account(
    request: Request,
    member_id: Annotated[str, Path(max_length=64)],
    caller: Patron,
    now: BusinessTime,
) -> Response:
    """Return the loans and holds of a patron whose card is linked with the caller's.

    Charges, reading history, questions and study rooms are not shown.
    """
    overviews: OverviewService = request.app.state.overviews
    account = await overviews.of_member(caller, member_id, now)
    if account is None:
        return problem(NOT_LINKED, "Your card is not linked with this one.")
    return Response(orjson.dumps(account), headers=PRIVATE, media_type="application/json")
