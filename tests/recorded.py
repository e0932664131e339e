"""A check of each answer that tests get: a command of staff or a machine is in the audit trail."""

import base64
from collections.abc import Mapping

import orjson
from fastapi import FastAPI

from shared.audit_trail import RECORDED_ROLES


async def unrecorded(
    app: FastAPI, method: str, token: str | None, status: int, headers: Mapping[str, str]
) -> bool:
    """Return whether the app answered a command that its audit trail should have and has not."""
    if method in ("GET", "HEAD") or status >= 400 or not _is_recorded(token):
        return False
    query = {"correlation_id": headers["x-request-id"]}
    return await app.state.database.audit_trail.find_one(query) is None


def _is_recorded(token: str | None) -> bool:
    """Return whether the commands of a token's owner are recorded."""
    body = (token or "").split(".")[1:2]
    if not body:
        return False
    claims = orjson.loads(base64.urlsafe_b64decode(body[0] + "=" * (-len(body[0]) % 4)))
    return bool(RECORDED_ROLES & set(claims["roles"]))
