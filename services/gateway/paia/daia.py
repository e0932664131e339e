"""Availability of titles by DAIA 1.0, for everybody."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi.responses import JSONResponse
from starlette.responses import Response

from services.gateway.paia.calls import Call, sent_token
from services.gateway.paia.documents import Row, ids_in, uri
from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branches_by_code

MOST_TITLES = 50
"""Number of titles in one answer; its header Link leads to the others."""
_COMES_BACK = {"to-fetch", "on-loan", "on-shelf", "in-transit", "on-order", "in-process"}
"""States of copies that patrons can reserve: they will be lent again."""


async def availability(call: Call) -> Response:
    """Return the copies of titles, and whether each can be borrowed. Raises Failure.

    An identifier without a title is left out. What depends on a patron is not offered.
    """
    query = call.http.query_params
    if sent_token(call.http) or {"patron", "patron-type"} & query.keys():
        raise Failure(501, "not-implemented")
    asked = [one for one in dict.fromkeys(query.get("id", "").split("|")) if one]
    if query.get("format") != "json" or not asked:
        raise Failure(422, "malformed")
    later = asked[MOST_TITLES:]
    ids = [title_id for one in asked[:MOST_TITLES] if (title_id := ids_in(one, "title")[0])]
    branches, titles = await asyncio.gather(
        branches_by_code(call.api), call.api.get("/v1/title-copies", id=ids)
    )
    found = [_document(call.site, title, branches) for title in titles.json()["items"]]
    answer = {"document": found, "timestamp": call.now.isoformat(timespec="seconds")}
    following = urlencode({"format": "json", "id": "|".join(later)})
    headers = {"Link": f'<{call.site}/daia?{following}>; rel="next"'} if later else {}
    return JSONResponse(answer, headers=headers)


def _document(site: str, title: Row, branches: Mapping[str, Row]) -> dict[str, Any]:
    page = f"{site}/catalogue/{segment(title['id'])}"
    copies = [copy for copy in title["copies"] if copy["state"] != "withdrawn"]
    return {
        "id": uri("title", title["id"]),
        "href": page,
        "about": " / ".join([title["title"], *title["authors"][:1]]),
        "item": [_item(title, copy, page, branches) for copy in copies],
    }


def _item(title: Row, copy: Row, page: str, branches: Mapping[str, Row]) -> dict[str, Any]:
    code = copy["branch"]
    name = branches[code]["name"] if code in branches else code
    item = {
        "id": uri("copy", title["id"], copy["barcode"]),
        "department": {"id": uri("branch", code), "content": name},
    }
    if copy["call_number"]:
        item["label"] = copy["call_number"]["number"]
    if place := copy["shelf_location"] or copy["collection"]:
        item["storage"] = {"content": place}
    if copy["volume"]:
        item |= {"part": "narrower", "chronology": {"about": copy["volume"]}}
    if copy["state"] == "available":
        return item | {"available": [{"service": "presentation"}, {"service": "loan"}]}
    loan: dict[str, Any] = {"service": "loan"}
    if copy["state"] in _COMES_BACK:
        queue = {"queue": title["waiting"]} if title["waiting"] else {}
        loan |= {"expected": "unknown", "href": page, **queue}
    return item | {"unavailable": [{"service": "presentation"}, loan]}
