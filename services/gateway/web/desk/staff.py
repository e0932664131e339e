"""Pages of administrators: the accounts of staff, and one of them to change.

What needs a second person becomes a request, which another administrator finds on the same page.
"""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.desk import forms
from services.gateway.web.session import FlashMessage
from services.gateway.web.staff_words import ACTS, ROLES
from services.gateway.web.visit import AdministratorVisit, Visit

router = APIRouter(include_in_schema=False)

PATH, REQUESTS = "/v1/staff", "/v1/staff-requests"
_FIELDS = ("card_number", "name", "role", "email")
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
    if _needs_another(reply):
        reply = await _ask(visit, "add", **body)
        if reply.done:
            return visit.go("/desk/staff", FlashMessage("staff-asked", {}))
    return await _list(visit, reply=reply)


@router.post("/desk/staff-requests/{request_id}")
async def post_decision(visit: AdministratorVisit, request_id: str) -> Response:
    """Agree to the request of somebody else, or end a request."""
    path = f"{REQUESTS}/{segment(request_id)}"
    if visit.text("decision") == "agree":
        reply = await visit.api.send("POST", f"{path}/approval", key=visit.key)
    else:
        reply = await visit.api.send("DELETE", path)
    if not reply.done:
        return await _list(visit, reply=reply)
    said = "staff-agreed" if visit.text("decision") == "agree" else "staff-request-ended"
    return visit.go("/desk/staff", FlashMessage(said, {}))


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
    return await _done(visit, staff_id, reply, f"staff-{change}d", change)


@router.post("/desk/staff/{staff_id}/role")
async def post_role(visit: AdministratorVisit, staff_id: str) -> Response:
    """Give an account another role."""
    path, body = f"{PATH}/{segment(staff_id)}/role", {"role": visit.text("role")}
    reply = await visit.api.send("PUT", path, body)
    return await _done(visit, staff_id, reply, "staff-role-changed", "role", **body)


@router.post("/desk/staff/{staff_id}/pin")
async def post_pin(visit: AdministratorVisit, staff_id: str) -> Response:
    """Let the holder of an account choose another PIN with a code."""
    reply = await visit.api.send("PUT", f"{PATH}/{segment(staff_id)}/pin", {})
    return await _done(visit, staff_id, reply, "staff-pin-reset", "pin")


@router.post("/desk/staff/{staff_id}/email")
async def post_email(visit: AdministratorVisit, staff_id: str) -> Response:
    """Ask a second person to agree to another e-mail address."""
    reply = await _ask(visit, "email", staff_id=staff_id, email=visit.text("email"))
    if reply.done:
        return _asked(visit, staff_id)
    return await _account(visit, staff_id, reply)


@router.post("/desk/staff/{staff_id}/second-factor")
async def post_factor_removal(visit: AdministratorVisit, staff_id: str) -> Response:
    """Remove the second factor of somebody who has lost the app."""
    path = f"{PATH}/{segment(staff_id)}/second-factor"
    reply = await visit.api.send("DELETE", path, key=visit.key)
    return await _done(visit, staff_id, reply, "staff-factor-removed", "second-factor")


async def _done(
    visit: Visit, staff_id: str, reply: Reply, said: str, act: str, **fields: str
) -> Response:
    """Tell that a change is made; ask a second person for it if it needs one."""
    if reply.done:
        return visit.go(f"/desk/staff/{segment(staff_id)}", FlashMessage(said, {}))
    if _needs_another(reply):
        reply = await _ask(visit, act, staff_id=staff_id, **fields)
        if reply.done:
            return _asked(visit, staff_id)
    return await _account(visit, staff_id, reply)


def _needs_another(reply: Reply) -> bool:
    return not reply.done and reply.failure().code == "second-person-needed"


async def _ask(visit: Visit, act: str, **fields: str) -> Reply:
    # Not with the key of the form, which the first command has used.
    return await visit.api.send("POST", REQUESTS, {"act": act, **fields})


def _asked(visit: Visit, staff_id: str) -> Response:
    return visit.go(f"/desk/staff/{segment(staff_id)}", FlashMessage("staff-asked", {}))


async def _list(visit: Visit, after: str = "", reply: Reply | None = None) -> Response:
    query = {"after": after} if after else {}
    listed, asked = await asyncio.gather(visit.api.get(PATH, **query), visit.api.get(REQUESTS))
    found: dict[str, Any] = listed.json()
    return visit.page(
        "desk/staff.html",
        accounts=found["items"],
        next=found["next"],
        requests=asked.json()["items"],
        caller_id=visit.caller.id if visit.caller else "",
        acts=ACTS,
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
