"""The OpenAPI document of all operations that clients can call, merged from the owners'."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
import orjson
from fastapi import FastAPI

from services.gateway.edge.links import add_links
from services.gateway.edge.proxy import DEADLINE_SECONDS, owner_of
from services.registry import OWNERS
from shared.deadlines import allowed

DOCUMENT_SECONDS = 5.0


class Documents:
    """Cache of the owners' OpenAPI documents; it keeps the last one while an owner is away."""

    def __init__(self) -> None:
        self._raw: dict[str, bytes] = {}
        self._known: dict[str, dict[str, Any]] = {}
        self._merged: dict[str, Any] | None = None
        self._asked_at = -DOCUMENT_SECONDS
        self._lock = asyncio.Lock()

    async def merged(self, app: FastAPI) -> dict[str, Any]:
        """Return one document of all operations that the gateway answers or forwards."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= DOCUMENT_SECONDS:
                await asyncio.gather(*(self._ask(app, service) for service in OWNERS))
                self._asked_at = time.monotonic()
            if self._merged is None:  # takes 0.1 s: a thread lets others go on
                self._merged = await asyncio.to_thread(merge, app.openapi(), dict(self._known))
        return self._merged

    async def _ask(self, app: FastAPI, service: str) -> None:
        [address, *_] = app.state.liveness.addresses_of(service)
        url = f"{address}/openapi.json"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            async with (
                asyncio.timeout(allowed(DEADLINE_SECONDS)),
                app.state.owners.session.get(url) as response,
            ):
                raw = await response.read()
                if response.status != 200 or raw == self._raw.get(service):
                    return
                document = orjson.loads(raw)
                if isinstance(document.get("paths"), dict):
                    self._raw[service], self._known[service] = raw, document
                    self._merged = None


def merge(own: Mapping[str, Any], owners: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return `own` with the operations that are forwarded to each owner, and their schemas.

    If two different schemas have one name, the later one is prefixed with its service's name. An
    owner's routes that are not forwarded are left out, and so is the role `service`, which no
    client has.
    """
    merged: dict[str, Any] = {**own, "paths": dict(own["paths"])}
    schemas: dict[str, Any] = dict(own.get("components", {}).get("schemas", {}))
    for service in sorted(owners):
        paths = {
            path: operations
            for path, operations in owners[service]["paths"].items()
            if owner_of(path) == service
        }
        theirs = owners[service].get("components", {}).get("schemas", {})
        needed = _needed(paths, theirs)
        names = _new_names(service, needed, schemas)
        schemas |= {names[name]: _renamed(schema, names) for name, schema in needed.items()}
        for path, operations in _renamed(paths, names).items():
            merged["paths"][path] = {
                method: {**operation, "tags": operation.get("tags") or [service]}
                for method, operation in operations.items()
            }
    components = {**own.get("components", {}), "schemas": dict(sorted(schemas.items()))}
    merged["components"] = components
    if "securitySchemes" in components:
        components["securitySchemes"] = _but_services(components["securitySchemes"])
    merged["paths"] = {
        path: {method: _for_clients(operation) for method, operation in operations.items()}
        for path, operations in sorted(merged["paths"].items())
    }
    add_links(merged["paths"])
    missing = [service for service in OWNERS if service not in owners]
    if missing:
        merged["x-missing"] = missing
    return merged


def _for_clients(operation: Mapping[str, Any]) -> dict[str, Any]:
    allowed = [_but_services(one) for one in operation.get("security", ())]
    return {**operation, "security": [one for one in allowed if one]}


def _but_services(roles: Mapping[str, Any]) -> dict[str, Any]:
    return {role: said for role, said in roles.items() if role != "service"}


_REFERENCE = "#/components/schemas/"


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str) and target.startswith(_REFERENCE):
            yield target.removeprefix(_REFERENCE)
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def _needed(paths: Any, schemas: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name in schemas and name not in found:
            found[name] = schemas[name]
            waiting.extend(_references(schemas[name]))
    return found


def _new_names(service: str, needed: Mapping[str, Any], taken: Mapping[str, Any]) -> dict[str, str]:
    names = {name: name for name in needed}
    while True:
        # Renaming one schema changes those that refer to it, which may then differ as well.
        clashing = [
            name
            for name, schema in needed.items()
            if names[name] == name and name in taken and _renamed(schema, names) != taken[name]
        ]
        if not clashing:
            return names
        names |= {name: f"{service.capitalize()}{name}" for name in clashing}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _REFERENCE
            + names.get(item.removeprefix(_REFERENCE), item.removeprefix(_REFERENCE))
            if key == "$ref" and isinstance(item, str) and item.startswith(_REFERENCE)
            else _renamed(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return value
