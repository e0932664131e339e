"""Forms with files: which requests they are, and how their files reach the API."""

import re
from typing import Any

import orjson
from starlette.datastructures import Headers, UploadFile
from starlette.types import Scope

from services.gateway.web.api import Reply
from services.gateway.web.page_request import MOST_FILES, PageRequest

_PATHS = re.compile(
    "/enquiries(/[^/]+/replies)?|/desk/enquiries/[^/]+/answers|/desk/titles/imports"
)


def has_files(scope: Scope) -> bool:
    """Return whether a request is a form that may have files."""
    kind = Headers(scope=scope).get("content-type", "")
    return (
        scope["method"] == "POST"
        and kind.startswith("multipart/form-data")
        and _PATHS.fullmatch(scope["path"]) is not None
    )


async def send_with_files(request: PageRequest, path: str, body: dict[str, Any]) -> Reply:
    """Upload the files of a form, then send its command with them; return the last answer."""
    files = [
        file
        for file in request.form.getlist("files")
        if isinstance(file, UploadFile) and file.filename
    ]
    if len(files) > MOST_FILES:
        return _refusal(409, "too-many-files")
    most: int = request.http.app.state.settings.attachment_bytes
    attachments = []
    for number, file in enumerate(files):
        if (file.size or 0) > most:
            return _refusal(413, "file-too-large")
        content = await file.read()
        if not content:
            return _refusal(422, "bad-attachment")
        name = (file.filename or "")[-300:]
        key = request.key_of(str(number))
        reply = await request.api.upload("/v1/attachments", content, key=key, name=name)
        if not reply.done:
            return reply
        attachments.append(reply.json()["id"])
    return await request.send("POST", path, body | {"attachments": attachments})


def _refusal(status: int, code: str) -> Reply:
    return Reply(status, orjson.dumps({"code": code, "status": status}))
