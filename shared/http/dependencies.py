"""The dependencies of routes: business time, use cases, the database, other services, previews.

A route declares what it needs by type: `run: Run`, `db: Db`, `now: BusinessTime`.
"""

import hmac
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

import pymongo
from fastapi import Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from shared import unit_of_work
from shared.clock import bounded, parse_instant, wall_clock
from shared.deadlines import allowed
from shared.http.recording import act_of
from shared.idempotency import IdempotencyKey, KeyReused
from shared.mongo import Database
from shared.owners import Owners
from shared.refusals import refuses
from shared.unit_of_work import Origin

STORE_SECONDS = 1.5
"""Seconds that the database may take for one request."""
KEYED = frozenset({"POST", "PATCH", "DELETE"})
"""Methods that take an Idempotency-Key; PUT can be repeated without one."""


def business_time(request: Request) -> datetime:
    """Return the business time of a request, for a route that avoids the cost of dependencies."""
    header = request.headers.get("carrel-time")
    if header is None or not request.app.state.settings.simulation:
        return wall_clock()
    try:
        return bounded(parse_instant(header))
    except ValueError as error:
        raise HTTPException(422, f"Carrel-Time: {error}") from None


async def _business_time(request: Request) -> datetime:
    return business_time(request)


BusinessTime = Annotated[datetime, Depends(_business_time)]
"""Business time, UTC: now, or in a simulation the time in Carrel-Time."""


@refuses(KeyReused, methods=KEYED)
async def run_of(request: Request, now: BusinessTime) -> unit_of_work.Run:
    """Return the runner of a request's use cases; its routes accept an Idempotency-Key."""
    run = unit_of_work.Run(
        request.app.state.unit_of_work,
        _origin(request, now),
        idempotency_key=await _idempotency_key(request),
        within=allowed(STORE_SECONDS),
    )
    request.state.run = run
    return run


def _origin(request: Request, now: datetime) -> Origin:
    request_id: str = request.scope["carrel.request_id"]
    return Origin(now=now, correlation_id=request_id, act=act_of(request.scope))


async def _idempotency_key(request: Request) -> IdempotencyKey | None:
    key = request.headers.get("idempotency-key")
    if key is None or request.method not in KEYED:
        return None
    if not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
        raise HTTPException(422, "Idempotency-Key: 1 to 200 printable ASCII characters")
    caller = getattr(request.state, "caller", None)
    query = request.scope["query_string"].decode("latin-1")
    asked = f"{request.method} {request.scope['path']}?{query}\n"
    # Keyed, because a body may hold a PIN: a plain digest of it could be guessed from a dump.
    secret = request.app.state.settings.service_secret.encode()
    digest = hmac.new(secret, asked.encode(), "sha256")
    digest.update(await request.body())
    return IdempotencyKey(
        key=f"{caller.id if caller else '-'}:{key}", fingerprint=digest.hexdigest()
    )


async def _database(request: Request) -> AsyncIterator[Database]:
    # A limit for all reads together: one that hangs holds one of the driver's few threads.
    with pymongo.timeout(allowed(STORE_SECONDS)):
        yield request.app.state.database


async def _owners(request: Request) -> Owners:
    owners: Owners = request.app.state.owners
    return owners


async def _preview(
    response: Response,
    preview: Annotated[
        bool, Query(description="Return only the effect of the command; nothing changes.")
    ] = False,
) -> bool:
    if preview:
        response.status_code = 200  # nothing was created
    return preview


Preview = Annotated[bool, Depends(_preview)]
"""True if the request is a preview: `await run.try_out(use_case, command)` changes nothing."""
Run = Annotated[unit_of_work.Run, Depends(run_of)]
"""Runs use cases: `await run(renew_loan, command)`. Declare it after the caller."""
Db = Annotated[Database, Depends(_database)]
"""The database, for queries outside any transaction."""
AskOwner = Annotated[Owners, Depends(_owners)]
