"""The libraries, by name."""

from services.gateway.web.api import Api

MOST = "200"


async def branch_names(api: Api) -> dict[str, str]:
    """Names by code; empty while nobody can tell, and a page shows the codes then."""
    reply = await api.get("/v1/branches", limit=MOST)
    return {one["code"]: one["name"] for one in reply.json()["items"]} if reply.done else {}
