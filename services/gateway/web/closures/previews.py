"""Changes whose effect is shown before they are made.

A form is first sent with `?preview=true`. The answering page shows the numbers and the same form
again, filled in, without `preview` and with an Idempotency-Key. Only this second form changes
anything.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from services.gateway.web.api import Reply
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import PageRequest
from services.gateway.web.words import KINDS

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class PreviewableCommand:
    """A command that can be previewed."""

    method: str
    path: str
    body: Mapping[str, Any]
    back: str
    """Path of the page that shows the changed object."""
    message: str
    """Code of the message about the change."""
    made: Callable[[Any], str] | None = None
    """Path of the page of a created object, from the response; None for `back`."""


async def carry_out(
    request: PageRequest, change: PreviewableCommand, again: Callable[[Reply], Awaitable[Response]]
) -> Response:
    """Show what the change would do, or make it; if it is refused, show the form `again`."""
    if request.http.query_params.get("preview"):
        reply = await request.api.send(change.method, change.path, change.body, preview="true")
        return await _shown(request, change, reply.json()) if reply.done else await again(reply)
    reply = await request.send(change.method, change.path, change.body)
    if not reply.done:
        return await again(reply)
    page = change.made(reply.json()) if change.made else change.back
    return request.go(page, change.message)


async def _shown(
    request: PageRequest, change: PreviewableCommand, effect: dict[str, Any]
) -> Response:
    # A closure's effect has separate parts, a suspension's has one: the page shows both alike.
    typed = [
        (name, value)
        for name, value in request.form.multi_items()
        if name not in ("form", "key") and isinstance(value, str)
    ]
    return request.page(
        "closures/preview.html",
        closure=effect.get("closure"),
        activities=effect.get("activities"),
        study_rooms=effect.get("study_rooms"),
        libraries=await branch_names(request.api),
        effect=effect.get("lending", effect),
        notifications=effect["notifications"],
        typed=typed,
        kinds=KINDS,
        days={value for _, value in typed if _DAY.fullmatch(value)},
        action=request.http.url.path,
        back=change.back,
    )
