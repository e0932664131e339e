"""Page of the audit trail, for operators: who of staff and machines did what."""

from fastapi import Response

from services.gateway.web.page_request import OverseerRequest
from services.gateway.web.pages import Pages
from services.gateway.web.staff.desk import ROLES
from services.registry import NAMES
from shared.translations import marked

router = Pages(
    menus={"ops": [("/audit-trail", marked("Audit trail"))]},
)


SERVICES = {
    "accounts": marked("Accounts and log-ins"),
    "circulation": marked("Loans, reservations and charges"),
    "events": marked("Activities and study rooms"),
    "notices": marked("Libraries, notices and questions"),
    "gateway": marked("Account views"),
}
"""Names of the parts of the library's system, each with a trail of its own."""


@router.get("/audit-trail")
async def get_audit_trail(
    request: OverseerRequest, service: str = "", by: str = "", about: str = "", after: str = ""
) -> Response:
    """List the acts that one service recorded, the newest first."""
    service = service if service in NAMES else NAMES[0]
    query = {"by": by.strip(), "about": about.strip(), "after": after}
    asked = {name: text for name, text in query.items() if text}
    found = (await request.api.get(f"/v1/ops/audit-trail/{service}", **asked)).json()
    return request.page(
        "staff/audit-trail.html",
        services=SERVICES,
        service=service,
        by=by,
        about=about,
        roles=ROLES,
        entries=found["items"],
        next=found["next"],
    )
