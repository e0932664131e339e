"""My Account: what is on loan, reserved and owed."""

import asyncio

from fastapi import APIRouter, Response

from services.gateway.stream import event_id
from services.gateway.web.branches import branch_names
from services.gateway.web.visit import Anyone, LoggedIn, Today, Visit

router = APIRouter(include_in_schema=False)


@router.get("/")
async def get_account(visit: Anyone, caller: LoggedIn, today: Today) -> Response:
    """My Account; the desk for who works there."""
    if "staff" in caller.roles:
        return visit.go("/desk")
    return await _account(visit, today.isoformat())


async def _account(visit: Visit, today: str) -> Response:
    reply, names = await asyncio.gather(visit.api.get("/v1/me"), branch_names(visit.api))
    account = reply.json()
    return visit.page(
        "account.html",
        account=account,
        accruing={item["loan_id"]: item for item in account["accruing"]},
        branches=names,
        today=today,
        has=event_id(account),
    )
