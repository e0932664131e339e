"""The record of what no transaction has recorded: looks, previews and commands without one."""

import pymongo
import structlog
from pymongo.errors import PyMongoError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.audit_trail import LOOKING_ROLES, record
from shared.deadlines import allowed
from shared.http.acts import act_of
from shared.http.problems import unavailable
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
