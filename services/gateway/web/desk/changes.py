"""Changes whose effect is shown before they are made.

A form is sent with `?preview=true` first. The page that answers has the numbers and the same form
again, filled in, without that and with an Idempotency-Key: only this one changes anything.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from services.gateway.web.api import Reply
from services.gateway.web.desk.words import KINDS
from services.gateway.web.session import Said
from services.gateway.web.visit import Visit

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Change:
    """A command that can be previewed."""

    method: str
    path: str
    body: Mapping[str, Any]
    back: str
    """The page that shows what was changed."""
    said: str
    """Code of the message that tells of it."""


async def carry_out(
    visit: Visit, change: Change, again: Callable[[Reply], Awaitable[Response]]
) -> Response:
    """Shows what the change would do, or makes it; where it is refused, the form `again`."""
    if visit.request.query_params.get("preview"):
        reply = await visit.api.send(change.method, change.path, change.body, preview="true")
        return _shown(visit, change, reply.json()) if reply.done else await again(reply)
    reply = await visit.api.send(change.method, change.path, change.body, key=visit.key)
    return visit.go(change.back, Said(change.said, {})) if reply.done else await again(reply)


def _shown(visit: Visit, change: Change, effect: dict[str, Any]) -> Response:
    # A closure's effect has its parts apart, a suspension's is one: the page shows both as one.
    typed = [
        (name, value)
        for name, value in visit.form.multi_items()
        if name not in ("form", "key") and isinstance(value, str)
    ]
    return visit.page(
        "desk/preview.html",
        effect=effect.get("lending", effect),
        notifications=effect["notifications"],
        typed=typed,
        kinds=KINDS,
        days={value for _, value in typed if _DAY.fullmatch(value)},
        action=visit.request.url.path,
        back=change.back,
    )
