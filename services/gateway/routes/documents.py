"""The description of the API: as an OpenAPI document, and as a page."""

import orjson
from fastapi import APIRouter, Request, Response

from services.gateway import docs

router = APIRouter()


@router.get("/openapi.json", include_in_schema=False)
async def merged_openapi(request: Request) -> Response:
    """Return one OpenAPI document of all operations that a client can call."""
    document = await request.app.state.documents.merged(request.app)
    return Response(orjson.dumps(document), media_type="application/json")


@router.get("/docs", include_in_schema=False)
async def docs_page(request: Request) -> Response:
    """Return the operations as an HTML page that loads nothing from elsewhere."""
    document = await request.app.state.documents.merged(request.app)
    return Response(
        docs.page(document),
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        media_type="text/html",
    )
