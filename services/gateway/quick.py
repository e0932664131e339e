"""What is asked for most, and has not changed: answered before the router is asked.

On the way through the router and a route's parameters a request spends more time than such an
answer takes. Whatever is not plain goes that way.
"""

from types import SimpleNamespace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.account import Accounts
from services.gateway.answers import Answer
from services.gateway.routes import OVERVIEW
from shared.auth import known_caller
from shared.http import business_time, unavailable
from shared.owners import OwnerAway

_ROUTE = SimpleNamespace(path=OVERVIEW)
"""As metrics and logs name it."""


class Quick:
    """Around the router: an account that is as it was."""

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
            kept = await _kept(request)
            answer = kept.to(request) if kept else self._app
        except OwnerAway as error:
            answer = unavailable(error.service)
        except HTTPException:
            answer = self._app  # of what is wrong with the request the route tells
        if answer is not self._app:
            scope["route"] = _ROUTE
        await answer(scope, receive, send)


async def _kept(request: Request) -> Answer | None:
    caller = known_caller(request)
    if caller is None or "patron" not in caller.roles:
        return None
    accounts: Accounts = request.app.state.accounts
    return await accounts.kept(caller, business_time(request))
