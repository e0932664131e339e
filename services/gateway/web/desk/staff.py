"""Pages of administrators: the accounts of staff, and one of them to change."""

from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.desk import forms
from services.gateway.web.session import FlashMessage
from services.gateway.web.staff_words import ROLES
from services.gateway.web.visit import AdministratorVisit, Visit

router = APIRouter(include_in_schema=False)

PATH = "/v1/staff"
_FIELDS = ("card_number", "name", "role", "pin")
_OF_STAFF = ("staff", "station", "tracer")
"""The roles that an administrator may give; an operator may give all."""


@router.get("/desk/staff")
async def get_staff_list(visit: AdministratorVisit, after: str = "") -> Response:
    """List the accounts, with a form for another."""
    return await _list(visit, after)


@router.post("/desk/staff")
async def post_staff(visit: AdministratorVisit) -> Response:
    """Create an account."""
    body = {name: visit.text(name) for name in _FIELDS}
    reply = await visit.api.send("POST", PATH, body, key=visit.key)
    if reply.done:
        return visit.go(f"/desk/staff/{reply.json()['id']}", FlashMessage("staff-added", {}))
    return await _list(visit, reply=reply)


@router.get("/desk/staff/{staff_id}")
async def get_staff(visit: AdministratorVisit, staff_id: str) -> Response:
    """Show an account, with a form for each change."""
    return await _account(visit, staff_id)


@router.post("/desk/staff/{staff_id}/state")
async def post_state(visit: AdministratorVisit, staff_id: str) -> Response:
    """Disable an account, or enable it again."""
    change = "enable" if visit.text("state") == "active" else "disable"
    path = f"{PATH}/{segment(staff_id)}/{change}"
    reply = await visit.api.send("POST", path, key=visit.key)
    return await _done(visit, staff_id, reply, f"staff-{change}d")


@router.post("/desk/staff/{staff_id}/role")
async def post_role(visit: AdministratorVisit, staff_id: str) -> Response:
    """Give an account another role."""
    path, body = f"{PATH}/{segment(staff_id)}/role", {"role": visit.text("role")}
    reply = await visit.api.send("PUT", path, body)
    return await _done(visit, staff_id, reply, "staff-role-changed")


@router.post("/desk/staff/{staff_id}/pin")
async def post_pin(visit: AdministratorVisit, staff_id: str) -> Response:
    """Replace the PIN of an account."""
    path, body = f"{PATH}/{segment(staff_id)}/pin", {"pin": visit.text("pin")}
    reply = await visit.api.send("PUT", path, body)
    return await _done(visit, staff_id, reply, "staff-pin-reset")


@router.post("/desk/staff/{staff_id}/second-factor")
async def post_factor_removal(visit: AdministratorVisit, staff_id: str) -> Response:
    """Remove the second factor of somebody who has lost the app."""
    path = f"{PATH}/{segment(staff_id)}/second-factor"
    reply = await visit.api.send("DELETE", path, key=visit.key)
    return await _done(visit, staff_id, reply, "staff-factor-removed")


async def _done(visit: Visit, staff_id: str, reply: Reply, said: str) -> Response:
    if reply.done:
        return visit.go(f"/desk/staff/{segment(staff_id)}", FlashMessage(said, {}))
    return await _account(visit, staff_id, reply)


async def _list(visit: Visit, after: str = "", reply: Reply | None = None) -> Response:
    query = {"after": after} if after else {}
    found: dict[str, Any] = (await visit.api.get(PATH, **query)).json()
    return visit.page(
        "desk/staff.html",
        accounts=found["items"],
        next=found["next"],
        roles=ROLES,
        choices=_choices(visit),
        **forms.outcome(visit, reply),
    )


async def _account(visit: Visit, staff_id: str, reply: Reply | None = None) -> Response:
    found = (await visit.api.get(f"{PATH}/{segment(staff_id)}")).json()
    return visit.page(
        "desk/staff-account.html",
        account=found,
        own=visit.caller is not None and visit.caller.id == found["id"],
        roles=ROLES,
        choices=_choices(visit),
        **forms.outcome(visit, reply),
    )


def _choices(visit: Visit) -> tuple[str, ...]:
    rights = visit.caller.rights if visit.caller else frozenset()
    return tuple(ROLES) if "manage-administrators" in rights else _OF_STAFF
