"""Conditional requests (RFC 9110, section 13): 304 for a client that has the content already."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import Response


def tag_of(content: bytes) -> str:
    """Return a weak ETag of a content; the gateway may send the content compressed."""
    return f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'


def has_tag(if_none_match: str, tag: str) -> bool:
    """Return whether an If-None-Match header has a tag."""
    tags = {item.strip().removeprefix("W/") for item in if_none_match.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags


def conditional(
    request: Request,
    content: bytes,
    media_type: str,
    *,
    modified: datetime | None,
    headers: Mapping[str, str],
) -> Response:
    """Return the content with ETag and Last-Modified, or a 304 if the client has it.

    `modified` is in UTC. If-Modified-Since counts only without If-None-Match.
    """
    all_headers = {**headers, "ETag": tag_of(content)}
    if modified is not None:
        all_headers["Last-Modified"] = format_datetime(modified, usegmt=True)
    known = request.headers.get("if-none-match")
    if known is None:
        fresh = modified is not None and _is_since(request, modified)
    else:
        fresh = has_tag(known, all_headers["ETag"])
    if fresh:
        return Response(status_code=304, headers=all_headers)
    return Response(content, headers=all_headers, media_type=media_type)


def _is_since(request: Request, modified: datetime) -> bool:
    """Return whether the client's copy is as new as `modified`, to the second."""
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
        return modified.replace(microsecond=0) <= since
    except (TypeError, ValueError):  # no date, or one without a time zone
        return False
