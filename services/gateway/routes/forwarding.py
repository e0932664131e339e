"""The route of all calls to other services."""

from fastapi import APIRouter, Request, Response
from starlette.routing import Route

from services.gateway.edge import proxy
from shared.http.dependencies import business_time
from shared.http.problems import NotFound


async def forward(request: Request) -> Response:
    """Forward a request to the service that owns the path, which checks token and fields."""
    request.scope["route"] = _ROUTE
    owner = proxy.owner_of(request.scope["raw_path"].decode("ascii", "replace"))
    if owner is None:
        raise NotFound("route")
    return await proxy.forward(request, owner, business_time(request))


_ROUTE = Route(
    "/v1/{path:path}",
    forward,
    methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    include_in_schema=False,
)
"""Matches every path of the API, so it comes last.

A route of Starlette: what those of FastAPI do first would cost every forwarded call.
"""

router = APIRouter(routes=[_ROUTE])
