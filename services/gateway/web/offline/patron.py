"""The account for the time without a network, and the pages as an application to install."""

import asyncio
from typing import Any

import orjson
from fastapi import Response

from services.gateway.web import files
from services.gateway.web.account.card import codes_of
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import HEADERS, Anyone, PageRequest, PatronRequest
from services.gateway.web.pages import Pages
from shared.http.dependencies import BusinessTime
from shared.translations import marked

router = Pages()


@router.get("/me/copy")
async def get_copy(request: PatronRequest, now: BusinessTime) -> Response:
    """Return the account as a browser of the patron keeps it: card, due dates and amounts."""
    overview, shown, names = await asyncio.gather(
        request.api.get("/v1/me"), request.api.get("/v1/me/card"), branch_names(request.api)
    )
    account, card = overview.json(), shown.json()
    return request.page(
        "offline/copy.html",
        now=now.isoformat(),
        card=card,
        codes=codes_of(card),
        loans=account["loans"],
        ready=[hold for hold in account["holds"] if hold["state"] == "ready"],
        totals=account["totals"],
        branches=names,
    )


@router.get("/manifest")
async def get_manifest(request: Anyone) -> Response:
    """Describe the pages as an application that can be installed, in the language of the page."""
    shortcuts = [("/card", marked("Library card")), ("/catalogue", marked("Catalogue"))]
    more = {
        "shortcuts": [{"url": path, "name": request.language.say(name)} for path, name in shortcuts]
    }
    return manifest(request, "/", marked("Public Libraries"), more)


def manifest(
    request: PageRequest, start: str, name: str, more: dict[str, Any] | None = None
) -> Response:
    """Return a web application manifest whose scope is its first page."""
    icon = {"src": files.address("mark.svg"), "sizes": "any", "type": "image/svg+xml"}
    described = {
        "id": start,
        "name": request.language.say(name),
        "lang": request.language.code,
        "start_url": start,
        "scope": start,
        "display": "standalone",
        "background_color": "#f7f4ec",
        "theme_color": "#0d5c4d",
        "icons": [{**icon, "purpose": purpose} for purpose in ("any", "maskable")],
        **(more or {}),
    }
    return Response(
        orjson.dumps(described), headers=HEADERS, media_type="application/manifest+json"
    )
