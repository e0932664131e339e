"""Routes beside the account: documents for programs, and the forwarding of all other calls."""

from datetime import UTC

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Route

from services.gateway.edge import openapi, proxy
from services.gateway.settings import Settings
from services.gateway.web.sign_in.own_access import OWN_LOG_IN
from services.registry import OPENID
from shared.http.dependencies import business_time
from shared.http.problems import NotFound

router = APIRouter()


@router.get("/openapi.json", include_in_schema=False)
async def merged_openapi(request: Request) -> Response:
    """Return one OpenAPI document of all operations that a client can call."""
    document = await request.app.state.documents.merged(request.app)
    return Response(orjson.dumps(document), media_type="application/json")


@router.get("/docs", include_in_schema=False)
async def docs_page(request: Request) -> Response:
    """Return the operations as an HTML page that loads nothing from elsewhere."""
    document = await request.app.state.documents.merged(request.app)
    return Response(
        openapi.page(document),
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        media_type="text/html",
    )


@router.get("/.well-known/security.txt", include_in_schema=False)
async def get_security_contact(request: Request) -> Response:
    """Say where to report a weakness (RFC 9116), if that is configured."""
    settings: Settings = request.app.state.settings
    if not settings.security_contact or settings.security_expires is None:
        raise NotFound("page")
    expires = settings.security_expires.astimezone(UTC)
    lines = [f"Contact: {settings.security_contact}", f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}"]
    lines.append("Preferred-Languages: en, zh")
    if settings.public_url:
        lines.append(f"Canonical: {settings.public_url}/.well-known/security.txt")
    return PlainTextResponse("\n".join(lines) + "\n")


@router.get("/.well-known/change-password", include_in_schema=False)
async def get_change_password() -> Response:
    """Lead a password manager to the page on which people change their PIN."""
    return RedirectResponse(OWN_LOG_IN, 302)


async def forward(request: Request) -> Response:
    """Forward a request to the service that owns the path, which checks token and fields."""
    request.scope["route"] = _OTHERS.get(request.scope["path"], _ROUTE)
    owner = proxy.owner_of(request.scope["raw_path"].decode("ascii", "replace"))
    if owner is None:
        raise NotFound("route")
    return await proxy.forward(request, owner, business_time(request))


_ROUTE = Route(
    "/v1/{path:path}",
    forward,
    methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    include_in_schema=False,
)
"""Matches every path of the API, so it comes last.

A route of Starlette: what those of FastAPI do first would cost every forwarded call.
"""

_OTHERS = {
    path: Route(path, forward, methods=["GET", "POST"], include_in_schema=False)
    for path in ("/oai", *OPENID)
}
"""The addresses of OAI-PMH and OpenID Connect, which other systems know."""

router.routes.extend((*_OTHERS.values(), _ROUTE))
