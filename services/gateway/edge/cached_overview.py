"""Answer `GET /v1/me` from the overview cache before the router runs.

A request takes longer to pass the router and the route's parameters than to be answered from the
cache. Requests without a valid cached response continue to the router.
"""

from types import SimpleNamespace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.views.overview_cache import OVERVIEW, Answer
from services.gateway.views.overview_service import OverviewService
from shared.auth import known_caller
from shared.http.dependencies import business_time
from shared.http.problems import unavailable
from shared.owners import OwnerAway

_ROUTE = SimpleNamespace(path=OVERVIEW)
"""Route name of these answers in metrics and logs."""


class CachedOverview:
    """Middleware that answers with an unchanged account overview."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from the cache, or pass the request on."""
        if scope["type"] != "http" or scope["path"] != OVERVIEW or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answer: ASGIApp
        try:
            kept = await _kept(request)
            answer = kept.to(request) if kept else self._app
        except OwnerAway as error:
            answer = unavailable(error.service)
        except HTTPException:
            answer = self._app  # the route reports what is wrong with the request
        if answer is not self._app:
            scope["route"] = _ROUTE
        await answer(scope, receive, send)


async def _kept(request: Request) -> Answer | None:
    caller = known_caller(request)
    if caller is None or "patron" not in caller.roles:
        return None
    overviews: OverviewService = request.app.state.overviews
    return await overviews.kept(caller, business_time(request))
