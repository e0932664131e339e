"""Registration of event schemas at a registry that speaks Confluent's REST interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

LEVEL = "FORWARD_TRANSITIVE"
"""Compatibility of each subject: readers with any earlier schema can read the newest events.

A registry refuses new fields of an open object under BACKWARD: an earlier event could have a field
of that name with another type. Ours cannot, and new fields are how contracts grow.
"""
CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
SECONDS = 30.0


@dataclass(frozen=True)
class Registered:
    """The answer of the registry for one subject: the schema's id, or the reason of a refusal."""

    subject: str
    id: int | None
    refusal: str = ""


async def register(
    registry: URL, schemas: Mapping[str, Mapping[str, Any]], prefix: str
) -> list[Registered]:
    """Register the schema of each topic; `prefix` is that of the topics on the broker.

    A schema that is there already keeps its id. Raises aiohttp.ClientError or TimeoutError if the
    registry does not answer as one.
    """
    async with aiohttp.ClientSession(
        headers={"Accept": CONTENT_TYPE, "Content-Type": CONTENT_TYPE},
        timeout=aiohttp.ClientTimeout(total=SECONDS),
    ) as session:
        return [
            await _register(session, registry, f"{prefix}{topic}-value", schema)
            for topic, schema in schemas.items()
        ]


async def _register(
    session: aiohttp.ClientSession, registry: URL, subject: str, schema: Mapping[str, Any]
) -> Registered:
    level = orjson.dumps({"compatibility": LEVEL})
    async with session.put(registry / "config" / subject, data=level) as answer:
        answer.raise_for_status()
    version = orjson.dumps({"schemaType": "JSON", "schema": orjson.dumps(schema).decode()})
    async with session.post(registry / "subjects" / subject / "versions", data=version) as answer:
        if answer.status in (409, 422):  # incompatible; invalid
            return Registered(subject, None, str((await _body(answer)).get("message", "refused")))
        answer.raise_for_status()
        return Registered(subject, int((await _body(answer))["id"]))


async def _body(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises ClientPayloadError if it has none."""
    try:
        body = orjson.loads(await answer.read())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise aiohttp.ClientPayloadError("the answer is no JSON object")
    return body
