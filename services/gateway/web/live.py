"""Stream of the account for an open page: a browser's event source cannot send a token."""

from fastapi import APIRouter, Response
from starlette.types import Receive, Scope, Send

from services.gateway.web.visit import PatronVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/me/stream")
async def get_stream(visit: PatronVisit, has: str = "") -> Response:
    """Pass on `GET /v1/me/stream` for this visitor; `has` is the event id of the page's account."""
    return _HandedOn(visit, has)


class _HandedOn(Response):
    """The answer of the API's own route, message by message, on the same connection."""

    def __init__(self, visit: Visit, has: str) -> None:
        super().__init__()
        self._visit = visit
        self._has = has

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        last = self._visit.request.headers.get("last-event-id", self._has)
        known = {"last-event-id": last} if last.isascii() else {}  # no id of ours is otherwise
        asked = self._visit.api.scope("GET", "/v1/me/stream", more=known)
        await self._visit.request.app(asked, receive, send)
