"""Pages of accounts of staff, for administrators and operators."""

import asyncio
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Reply, segment
from services.gateway.web.page_request import AdministratorRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    menus={
        "admin": [("/desk/staff", marked("Staff accounts"))],
        "ops": [("/desk/staff", marked("Staff accounts"))],
    },
    messages={
        "staff-added": marked(
            "The account is created. A code to choose a PIN is on its way by e-mail."
        ),
        "staff-asked": marked(
            "Nothing has changed yet: another person who manages such accounts has to agree."
        ),
        "staff-agreed": marked("You have agreed, and the change is made."),
        "staff-request-ended": marked("The request is ended. Nothing was changed."),
        "staff-disabled": marked("The account is disabled, and logged out everywhere."),
        "staff-enabled": marked("The account can log in again."),
        "staff-role-changed": marked("The role is changed. The account is logged out everywhere."),
        "staff-factor-removed": marked("The account logs in without a code from an app."),
        "staff-linked": marked("The account is linked, and logged out everywhere."),
        "staff-unlinked": marked("The account is not linked any more, and logged out everywhere."),
        "staff-pin-reset": marked(
            "The PIN is no longer valid, and the account is logged out everywhere. A code to "
            "choose another one is on its way by e-mail."
        ),
    },
    problems={
        "no-such-account": marked("There is no such account of staff that you may manage."),
        "own-account": marked(
            "You can't change your own account. Ask another administrator or an operator."
        ),
        "own-request": marked("You can't agree to your own request. Another person has to."),
        "no-such-request": marked("There is no such request. It may have been decided already."),
        "no-staff-address": marked(
            "There is no e-mail address on file for this account. Please enter it first."
        ),
        "role-not-allowed": marked("You may not manage accounts with this role."),
        "login-taken": marked("Another account is linked with this log-in."),
    },
)


ROLES = {
    "staff": marked("Librarian"),
    "supervisor": marked("Supervising librarian"),
    "station": marked("Self-service station"),
    "verifier": marked("Service that checks patrons"),
    "tracer": marked("Contact tracer"),
    "admin": marked("Administrator"),
    "ops": marked("Operator"),
}
"""Names of the roles that an account of staff can have."""

ACTS = {
    "add": marked("A new account"),
    "enable": marked("Let the account log in again"),
    "role": marked("Another role"),
    "pin": marked("A code to choose another PIN"),
    "second-factor": marked("Stop asking for codes from an app"),
    "email": marked("Another e-mail address"),
    "provider": marked("Another log-in at the log-in service"),
}
"""Changes for which a second person is asked."""


PATH, REQUESTS = "/v1/staff", "/v1/staff-requests"
_FIELDS = ("card_number", "name", "role", "email")
_OF_STAFF = ("staff", "supervisor", "station", "verifier", "tracer")
"""The roles that an administrator may give; an operator may give all."""


@router.get("/desk/staff")
async def get_staff_list(request: AdministratorRequest, after: str = "") -> Response:
    """List the accounts, with a form for another."""
    return await _list(request, after)


@router.post("/desk/staff")
async def post_staff(request: AdministratorRequest) -> Response:
    """Create an account."""
    body = {name: request.text(name) for name in _FIELDS}
    reply = await request.send("POST", PATH, body)
    if reply.done:
        return request.go(f"/desk/staff/{reply.json()['id']}", "staff-added")
    if _needs_another(reply):
        reply = await _ask(request, "add", **body)
        if reply.done:
            return request.go("/desk/staff", "staff-asked")
    return await _list(request, reply=reply)


@router.post("/desk/staff-requests/{request_id}")
async def post_decision(request: AdministratorRequest, request_id: str) -> Response:
    """Agree to the request of somebody else, or end a request."""
    path = f"{REQUESTS}/{segment(request_id)}"
    if request.text("decision") == "agree":
        reply = await request.send("POST", f"{path}/approval")
    else:
        reply = await request.api.send("DELETE", path)
    if not reply.done:
        return await _list(request, reply=reply)
    message = "staff-agreed" if request.text("decision") == "agree" else "staff-request-ended"
    return request.go("/desk/staff", message)


@router.get("/desk/staff/{staff_id}")
async def get_staff(request: AdministratorRequest, staff_id: str) -> Response:
    """Show an account, with a form for each change."""
    return await _account(request, staff_id)


@router.post("/desk/staff/{staff_id}/state")
async def post_state(request: AdministratorRequest, staff_id: str) -> Response:
    """Disable an account, or enable it again."""
    change = "enable" if request.text("state") == "active" else "disable"
    path = f"{PATH}/{segment(staff_id)}/{change}"
    reply = await request.send("POST", path)
    return await _done(request, staff_id, reply, f"staff-{change}d", change)


@router.post("/desk/staff/{staff_id}/role")
async def post_role(request: AdministratorRequest, staff_id: str) -> Response:
    """Give an account another role."""
    path, body = f"{PATH}/{segment(staff_id)}/role", {"role": request.text("role")}
    reply = await request.api.send("PUT", path, body)
    return await _done(request, staff_id, reply, "staff-role-changed", "role", **body)


@router.post("/desk/staff/{staff_id}/pin")
async def post_pin(request: AdministratorRequest, staff_id: str) -> Response:
    """Let the holder of an account choose another PIN with a code."""
    reply = await request.api.send("PUT", f"{PATH}/{segment(staff_id)}/pin", {})
    return await _done(request, staff_id, reply, "staff-pin-reset", "pin")


@router.post("/desk/staff/{staff_id}/email")
async def post_email(request: AdministratorRequest, staff_id: str) -> Response:
    """Ask a second person to agree to another e-mail address."""
    reply = await _ask(request, "email", staff_id=staff_id, email=request.text("email"))
    if reply.done:
        return _asked(request, staff_id)
    return await _account(request, staff_id, reply)


@router.post("/desk/staff/{staff_id}/provider")
async def post_link(request: AdministratorRequest, staff_id: str) -> Response:
    """Link an account with a log-in at the identity provider."""
    path = f"{PATH}/{segment(staff_id)}/provider-login"
    body = {"provider_login": request.text("provider_login")}
    reply = await request.api.send("PUT", path, body)
    return await _done(request, staff_id, reply, "staff-linked", "provider", **body)


@router.post("/desk/staff/{staff_id}/provider-removal")
async def post_unlinking(request: AdministratorRequest, staff_id: str) -> Response:
    """End the link of an account with a log-in at the identity provider."""
    reply = await request.send("DELETE", f"{PATH}/{segment(staff_id)}/provider-login")
    return await _done(request, staff_id, reply, "staff-unlinked", "provider")


@router.post("/desk/staff/{staff_id}/second-factor")
async def post_factor_removal(request: AdministratorRequest, staff_id: str) -> Response:
    """Remove the second factor of somebody who has lost the app."""
    path = f"{PATH}/{segment(staff_id)}/second-factor"
    reply = await request.send("DELETE", path)
    return await _done(request, staff_id, reply, "staff-factor-removed", "second-factor")


async def _done(
    request: PageRequest, staff_id: str, reply: Reply, message: str, act: str, **fields: str
) -> Response:
    """Tell that a change is made; ask a second person for it if it needs one."""
    if reply.done:
        return request.go(f"/desk/staff/{segment(staff_id)}", message)
    if _needs_another(reply):
        reply = await _ask(request, act, staff_id=staff_id, **fields)
        if reply.done:
            return _asked(request, staff_id)
    return await _account(request, staff_id, reply)


def _needs_another(reply: Reply) -> bool:
    return not reply.done and reply.failure().code == "second-person-needed"


async def _ask(request: PageRequest, act: str, **fields: str) -> Reply:
    # Not with the key of the form, which the first command has used.
    return await request.api.send("POST", REQUESTS, {"act": act, **fields})


def _asked(request: PageRequest, staff_id: str) -> Response:
    return request.go(f"/desk/staff/{segment(staff_id)}", "staff-asked")


async def _list(request: PageRequest, after: str = "", reply: Reply | None = None) -> Response:
    query = {"after": after} if after else {}
    listed, asked = await asyncio.gather(request.api.get(PATH, **query), request.api.get(REQUESTS))
    found: dict[str, Any] = listed.json()
    return request.page(
        "staff/staff.html",
        accounts=found["items"],
        next=found["next"],
        requests=asked.json()["items"],
        caller_id=request.caller.id if request.caller else "",
        acts=ACTS,
        roles=ROLES,
        choices=_choices(request),
        **forms.outcome(request, reply),
    )


async def _account(request: PageRequest, staff_id: str, reply: Reply | None = None) -> Response:
    found = (await request.api.get(f"{PATH}/{segment(staff_id)}")).json()
    return request.page(
        "staff/staff-account.html",
        account=found,
        own=request.caller is not None and request.caller.id == found["id"],
        roles=ROLES,
        choices=_choices(request),
        **forms.outcome(request, reply),
    )


def _choices(request: PageRequest) -> tuple[str, ...]:
    rights = request.caller.rights if request.caller else frozenset()
    return tuple(ROLES) if "manage-administrators" in rights else _OF_STAFF
