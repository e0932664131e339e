"""The page of My Account: loans, reservations and charges."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.views.stream import event_id
from services.gateway.web.branches import branches_by_code
from services.gateway.web.languages import worded
from services.gateway.web.visit import Anyone, LoggedIn, Today, Visit

router = APIRouter(include_in_schema=False)

_OWN_PAGES = {
    "staff": "/desk",
    "tracer": "/tracing",
    "admin": "/desk/staff",
    "ops": "/tracing/looks",
}
"""The first page of each role that is no patron's."""


@router.get("/")
async def get_account(visit: Anyone, caller: LoggedIn, today: Today) -> Response:
    """Show My Account; send other callers to their own pages."""
    for role, path in _OWN_PAGES.items():
        if role in caller.roles:
            return visit.go(path)
    if "own-account" not in caller.rights:  # a self-service station
        return visit.page("no-pages.html")
    return await _account(visit, today.isoformat())


def _cause_of_block(account: Mapping[str, Any]) -> str:
    """Return what blocks the patron: "staff" or "money"; "" if nothing does."""
    patron, owes = account["patron"], account["totals"]["outstanding_cents"] > 0
    if patron["status"] != "blocked":
        return ""
    if patron["blocked_by"] is None:  # in data of earlier releases
        return "money" if owes else "staff"
    if patron["blocked_by"] != ["money"]:
        return "staff"
    return "money" if owes else ""  # views may lack the standing, and accounts follows later


async def _account(visit: Visit, today: str) -> Response:
    reply, branches = await asyncio.gather(visit.api.get("/v1/me"), branches_by_code(visit.api))
    account = reply.json()
    has = event_id(account)
    account["activities"] = [worded(one, visit.language.code) for one in account["activities"]]
    return visit.page(
        "account.html",
        account=account,
        blocked_by=_cause_of_block(account),
        accruing={item["loan_id"]: item for item in account["accruing"]},
        branches={code: branch["name"] for code, branch in branches.items()},
        opens_on={code: branch["opens_on"] for code, branch in branches.items()},
        today=today,
        has=has,
    )
