"""Everything that the library holds about a patron, collected from the services that own it."""

import asyncio
from datetime import datetime

import orjson
from fastapi import FastAPI, Response

from services.registry import OWNERS
from shared.http.problems import NotFound
from shared.owners import path_to

HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Disposition": 'attachment; filename="my-library-data.json"',
    "Vary": "Authorization",
}


async def collect(app: FastAPI, patron_id: str, now: datetime) -> Response:
    """Return a patron's data as a file to download. Raises NotFound, and OwnerAway.

    Nothing is left out while a service is away: the patron is told to try again instead.
    """
    path = path_to("v1", "personal-data", patron_id)
    held = await asyncio.gather(*(app.state.owners.get(owner, path, now=now) for owner in OWNERS))
    services = dict(zip(OWNERS, held, strict=True))
    if not services["accounts"]["cardholders"]:
        raise NotFound("patron")  # erased since the token was signed
    body = orjson.dumps({"as_of": now, "services": services}, option=orjson.OPT_INDENT_2)
    return Response(body, headers=HEADERS, media_type="application/json")
