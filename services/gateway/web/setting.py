"""The page of My Setting: what to follow, channels, language, and the reading history."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web import session
from services.gateway.web.api import Failure
from services.gateway.web.branches import branch_names
from services.gateway.web.fields import filled
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import Said
from services.gateway.web.visit import PatronVisit, Visit
from services.gateway.web.words import ACTIVITY_TYPES, AT_FAULT

router = APIRouter(include_in_schema=False)

INBOX = "inbox"
"""The channel that can't be turned off."""


@router.get("/setting")
async def get_setting(visit: PatronVisit) -> Response:
    """Show My Setting in a form."""
    return await _setting(visit)


async def _setting(visit: Visit, refused: Failure | None = None) -> Response:
    reply, in_use, names = await asyncio.gather(
        visit.api.get("/v1/me/preferences"),
        visit.api.get("/v1/channels"),
        branch_names(visit.api),
    )
    setting = reply.json()
    channels = in_use.json()["channels"] if in_use.done else []
    followed = {code: code for code in setting["followed_branches"]}
    return visit.page(
        "setting.html",
        status=refused.status if refused else 200,
        setting=setting,
        branches=followed | names,
        types=sorted({*ACTIVITY_TYPES, *setting["activity_types"]}),
        languages=LANGUAGES,
        channels=[channel for channel in channels if channel != INBOX],
        kept=[one for one in setting["channels"] if one != INBOX and one not in channels],
        refused=refused,
        form=filled(visit, refused),
    )


@router.post("/setting")
async def post_setting(visit: PatronVisit) -> Response:
    """Change My Setting. The next page is in the chosen language."""
    chosen: dict[str, Any] = {
        "followed_branches": visit.texts("branch"),
        "activity_types": visit.texts("type"),
        "channels": visit.texts("channel"),
        "keep_history": visit.text("keep_history") == "yes",
    }
    if visit.text("language"):
        chosen["language"] = visit.text("language")
    reply = await visit.api.send("PATCH", "/v1/me/preferences", chosen, key=visit.key)
    if not reply.done:
        failure = reply.failure()
        if failure.status == 422 or failure.code in AT_FAULT:
            return await _setting(visit, failure)
        raise failure
    response = visit.go("/setting", Said("preferences-saved", {}))
    session.keep_language(visit.request, response, reply.json()["language"])
    return response
