"""Addresses that programs know: the contact for weaknesses, and the page to change a PIN."""

from datetime import UTC

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from services.gateway.settings import Settings
from services.gateway.web.sign_in.own_access import OWN_LOG_IN
from shared.http.problems import NotFound

router = APIRouter(prefix="/.well-known", include_in_schema=False)


@router.get("/security.txt")
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


@router.get("/change-password")
async def get_change_password() -> Response:
    """Lead a password manager to the page on which people change their PIN."""
    return RedirectResponse(OWN_LOG_IN, 302)
