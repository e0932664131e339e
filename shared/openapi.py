"""A service's OpenAPI document: who may call what, and with which problems it answers.

What FastAPI can't know is read from where it is said anyhow: roles from what a route asks of its
caller, the codes of refusals from its docstring, which names them as "404 `no-such-title`".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from shared.auth import ROLES, roles_required

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_WHY = {
    "400": "The request can't be read.",
    "401": "There is no token, or none that is good.",
    "403": "The caller may not do this.",
    "404": "There is no such thing, or none that the caller may know of.",
    "409": "The rules of the library are against it, or the state that things are in.",
    "415": "The body is of another type than JSON.",
    "422": "Something is not as it should be.",
    "429": "Too often: `Retry-After` says when to try again.",
    "503": "A part of the system is away: `Retry-After` says when to try again.",
}
_SAID = re.compile(r"\b([45]\d\d)\b((?:[\s,;]|or|and|with|also|`[^`]*`)*)")


def document_of(app: FastAPI) -> dict[str, Any]:
    """The document of all routes of an app."""
    document = get_openapi(
        title=app.title, version=app.version, routes=app.routes, description=app.description
    )
    roles = dict(_roles(app))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            allowed = roles.get((path, method), frozenset())
            operation["security"] = [{role: []} for role in ROLES if role in allowed]
            operation["responses"] |= _problems(path, method, operation, allowed)
            operation["responses"]["default"] = _response("default", "A problem (RFC 9457).", [])
    document.setdefault("components", {})["securitySchemes"] = {
        role: {
            "type": "http",
            "scheme": "bearer",
            "description": f"A token of POST /v1/sessions with the role {role}.",
        }
        for role in ROLES
    }
    return document


def _roles(app: FastAPI) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    """By path and method, the roles of which a caller has to have one; none: anyone may call."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is not None:
            required = [roles_required(call) for call in _calls(dependant)]
            allowed = [roles for roles in required if roles]
            for method in route.methods or ():
                yield (
                    (str(getattr(route, "path_format", "")), method.lower()),
                    frozenset.intersection(*allowed) if allowed else frozenset(),
                )


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for one in dependant.dependencies:
        if one.call is not None:
            yield one.call
        yield from _calls(one)


def _problems(
    path: str, method: str, operation: Mapping[str, Any], allowed: frozenset[str]
) -> dict[str, Any]:
    """The answers that are problems, by status, with their codes."""
    # 422 for each: a header may be malformed where there is nothing else.
    codes: dict[str, list[str]] = {
        "422": ["malformed"],
        "429": ["too-many-requests"],
        "503": ["unavailable"],
    }
    if "requestBody" in operation:
        codes["400"] = ["not-json"]
        codes["415"] = ["not-json"]
    if method != "get":
        codes["409"] = ["idempotency-key-reused"]
    if "{" in path:
        codes["404"] = ["not-found"]
    if allowed:
        codes["401"] = ["unauthenticated"]
    if allowed and allowed != set(ROLES):
        codes["403"] = ["forbidden"]
    for status, named in _SAID.findall(operation.get("description", "")):
        known = codes.setdefault(status, [])
        known += [code for code in re.findall(r"`([a-z-]+)`", named) if code not in known]
    return {
        status: _response(status, _WHY.get(status, "A problem."), named)
        for status, named in sorted(codes.items())
    }


def _response(status: str, why: str, codes: list[str]) -> dict[str, Any]:
    named = f" Code {' or '.join(f'`{code}`' for code in codes)}." if codes else ""
    examples = {code: {"value": _example(status, code)} for code in codes}
    content = {"schema": _PROBLEM, **({"examples": examples} if examples else {})}
    return {"description": why + named, "content": {"application/problem+json": content}}


def _example(status: str, code: str) -> dict[str, Any]:
    title = code.replace("-", " ").capitalize()
    return {
        "type": f"/problems/{code}",
        "title": title,
        "status": int(status),
        "detail": "What a person can read.",
        "code": code,
    }
