"""The acts of callers whose acts are recorded, and their record where no transaction made it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qs

import pymongo
import structlog
from fastapi import Depends, Request
from pymongo.errors import PyMongoError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.audit_trail import (
    LOOKING_ROLES,
    RECORDED_ROLES,
    Act,
    is_look,
    is_of_credentials,
    record,
)
from shared.deadlines import allowed
from shared.http.client_address import client_address, truncated
from shared.http.problems import unavailable
from shared.ids import time_of
from shared.telemetry import route_of

log = structlog.get_logger()

RECORD_SECONDS = 1.0
"""Seconds that the database may take to record a request."""


class RecordActs:
    """Records an act in the audit trail before it is answered, unless a transaction has done so.

    So a look that reached its reader was recorded. If the act can't be recorded, the answer is 503.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the app, and its answer on once the act is recorded."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        replaced = False

        async def recorded(message: Message) -> None:
            nonlocal replaced
            starts = message["type"] == "http.response.start" and message["status"] < 400
            if starts and not await _is_recorded(scope):
                replaced = True
                await unavailable()(scope, receive, send)
            elif not replaced:
                await send(message)

        await self._app(scope, receive, recorded)


async def _is_recorded(scope: Scope) -> bool:
    """Record the act of a request if it has to be and is not yet; return False if that fails.

    A service that changed nothing in a transaction only asked something, if by POST.
    """
    act = act_of(scope)
    if act is None or act.recorded or LOOKING_ROLES.isdisjoint(act.roles):
        return True
    try:
        with pymongo.timeout(allowed(RECORD_SECONDS)):
            await record(scope["app"].state.database, act, scope["state"].get("seen", ()))
    except PyMongoError as error:
        log.warning("not recorded", route=route_of(scope), error=type(error).__name__)
        return False
    act.recorded = True
    return True


READS = frozenset({"GET", "HEAD"})
_OF_PATRONS = ("patron", "patron_id")
"""Parameters of paths and queries that name a patron."""
_TRUE = ("true", "True", "1", "yes", "on", "t", "y")


def act_of(scope: Scope) -> Act | None:
    """Return the act of a request; None if acts of its caller, or reads of its route, are not.

    It is the same object for one request. Call it once the caller is known.
    """
    state = scope["state"]
    caller = state.get("caller")
    if caller is None:
        return None
    route = scope.get("endpoint")
    if scope["method"] in READS:
        is_recorded = bool(caller.roles & LOOKING_ROLES) and is_look(route)
    else:
        is_recorded = bool(caller.roles & RECORDED_ROLES) or is_of_credentials(route)
    if not is_recorded:
        return None
    if "act" not in state:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        preview = " (preview)" if query.get("preview", ["false"])[-1] in _TRUE else ""
        state["act"] = Act(
            by=caller.id,
            roles=sorted(caller.roles),
            act=f"{scope['method']} {route_of(scope)}{preview}",
            objects=_named(scope.get("path_params", {}), query),
            address=truncated(client_address(scope)),
            correlation_id=scope["carrel.request_id"],
        )
    act: Act = state["act"]
    return act


def _named(path: Mapping[str, Any], query: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the ids in a path, and those of patrons in a query.

    Somebody may have typed a name or a card number where the id of a patron belongs.
    """
    given = [(name, str(value)) for name, value in path.items()]
    given += [(name, value) for name in _OF_PATRONS for value in query.get(name, ())]
    return [value for name, value in given if name not in _OF_PATRONS or time_of(value)]


async def _seen(request: Request) -> list[str]:
    seen: list[str] = []
    request.state.seen = seen
    return seen


Seen = Annotated[list[str], Depends(_seen)]
"""Ids of patrons whom a route shows, if its path and its query do not name them."""
