"""Answer `GET /v1/me` before the router runs, because it is the most frequent request.

To pass the router and the route's parameters takes the event loop longer than to compute an
overview. Requests that can't be answered here continue to the router: those of unknown callers, and
those with something wrong.
"""

from types import SimpleNamespace

from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.views.overview_cache import OVERVIEW, Answer
from services.gateway.views.overview_service import OverviewService
from shared.auth import known_caller
from shared.http.dependencies import business_time
from shared.http.problems import unavailable
from shared.mongo import is_away
from shared.owners import OwnerAway

_ROUTE = SimpleNamespace(path=OVERVIEW)
"""Route name of these answers in metrics and logs."""


class DirectOverview:
    """Middleware that answers with an account overview."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] != "http" or scope["path"] != OVERVIEW or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answer: ASGIApp
        try:
            found = await _found(request)
            answer = found.to(request) if found else self._app
        except OwnerAway as error:
            answer = unavailable(error.service)
        except PyMongoError as error:
            answer = unavailable() if is_away(error) else self._app
        except HTTPException:
            answer = self._app  # the route reports what is wrong with the request
        if answer is not self._app:
            scope["route"] = _ROUTE
        await answer(scope, receive, send)


async def _found(request: Request) -> Answer | None:
    caller = known_caller(request)
    if caller is None or "patron" not in caller.roles:
        return None
    overviews: OverviewService = request.app.state.overviews
    return await overviews.answer(caller, business_time(request))
