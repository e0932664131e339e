"""A check of each answer that tests get: a command of staff or a machine is in the audit trail."""

import base64

import orjson
from fastapi import FastAPI

from shared.audit_trail import LOOKING_ROLES


async def is_recorded(app: FastAPI, request_id: str) -> bool:
    """Return whether the audit trail of the app has an entry of a request."""
    query = {"correlation_id": request_id}
    return await app.state.database.audit_trail.find_one(query) is not None


def acts_are_recorded(token: str | None) -> bool:
    """Return whether all commands of a token's owner are recorded; services only ask by some."""
    body = (token or "").split(".")[1:2]
    if not body:
        return False
    claims = orjson.loads(base64.urlsafe_b64decode(body[0] + "=" * (-len(body[0]) % 4)))
    return bool(LOOKING_ROLES & set(claims["roles"]))
