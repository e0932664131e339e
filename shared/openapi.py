"""A service's OpenAPI document: the callers of each route, and the problems it answers with.

FastAPI can't know these facts; they are read from existing places: roles from the dependency that
checks the caller, refusal codes from the route's docstring, which names them as
"404 `no-such-title`", and examples from the fields of a body (shared/examples.py).
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from shared.auth import ROLES, roles_required
from shared.examples import Examples, NoExample

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_WHY = {
    "400": "The request can't be read.",
    "401": "The token is missing or invalid.",
    "403": "The caller may not do this.",
    "404": "The resource does not exist, or the caller may not know of it.",
    "409": "A rule of the library or the present state does not allow it.",
    "415": "The body has another type than JSON.",
    "422": "A value of the request is invalid.",
    "429": "Too many requests: `Retry-After` says when to try again.",
    "503": "A part of the system is away: `Retry-After` says when to try again.",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Key of a command, the same for every try: a repeated try gets the first "
    "response.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    "example": "5f3b1c0e-8d72-4a96-b1e4-7c9a2f6d0e83",
}
_SAID = re.compile(r"\b([45]\d\d)\b((?:[\s,;]|or|and|with|also|`[^`]*`)*)")


def document_of(
    app: FastAPI,
    keyed_by: Callable[..., Any],
    refusals: Collection[str],
    examples: Mapping[str, Any],
    log_in: str,
) -> dict[str, Any]:
    """Return the OpenAPI document of all routes of an app; `refusals` are its refusal codes.

    `examples` are by field, model or place (shared/examples.py). Routes that depend on `keyed_by`
    take an Idempotency-Key; `log_in` is the path that gives a token.
    """
    document = get_openapi(
        title=app.title, version=app.version, routes=app.routes, description=app.description
    )
    known = Examples(examples)
    routes = dict(_routes(app))
    schemas = document.get("components", {}).get("schemas", {})
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            calls = routes.get((path, method), ())
            allowed = _allowed(calls)
            keyed = keyed_by in calls and method in ("post", "patch", "delete")
            if keyed:
                operation["parameters"] = [*operation.get("parameters", ()), _KEY]
            operation["operationId"] = _operation_id(method, path)
            operation["summary"] = _summary(operation.get("description", ""))
            _tell_apart(operation["responses"])
            _add_examples(known, f"{method.upper()} {path}", operation, schemas)
            operation["security"] = [{role: []} for role in ROLES if role in allowed]
            named = _not_found(path, refusals)
            operation["responses"] |= _problems(operation, allowed, named, keyed=keyed)
            operation["responses"]["default"] = _response("default", "A problem (RFC 9457).", [])
    document.setdefault("components", {})["securitySchemes"] = {
        role: {
            "type": "http",
            "scheme": "bearer",
            "description": f"A token of POST {log_in} with the role {role}.",
        }
        for role in ROLES
    }
    return document


def _operation_id(method: str, path: str) -> str:
    """Return `post_loans_loan_id_renewals`: it depends on the route, not on its function."""
    return "_".join([method, *re.findall(r"[a-z0-9_]+", path.removeprefix("/v1/"))])


def _tell_apart(responses: Mapping[str, Any]) -> None:
    """Give 201 the schema of the created resource only, and 200 that of the preview."""
    if "200" in responses and "201" in responses:
        would, made = (
            responses[status]["content"]["application/json"] for status in ("200", "201")
        )
        [made["schema"]] = [one for one in made["schema"]["anyOf"] if one != would["schema"]]


def _summary(description: str) -> str:
    """Return the text before the first full stop, colon or semicolon, without an open bracket."""
    first = re.split(r"[.:;](?:\s|$)", description, maxsplit=1)[0]
    return re.sub(r"\s*\([^)]*$", "", first).replace("\n", " ")


def _add_examples(
    known: Examples, place: str, operation: dict[str, Any], schemas: Mapping[str, Any]
) -> None:
    """Add examples to the body, to each successful answer, and to path and query parameters."""
    for parameter in operation.get("parameters", ()):
        said = parameter["schema"].get("examples") or parameter["schema"].get("enum")
        example = said[0] if said else known.of_parameter(place, parameter["name"])
        if example is not None:
            parameter["example"] = example
    for media in operation.get("requestBody", {}).get("content", {}).values():
        _add_example(known, media, schemas, place)
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            for media in answer.get("content", {}).values():
                _add_example(known, media, schemas, f"{place} {status}", place)


def _add_example(
    known: Examples, media: dict[str, Any], schemas: Mapping[str, Any], *places: str
) -> None:
    """Add an example for each model of the schema; note the field that has none."""
    if "example" in media or "examples" in media:
        return
    kinds = [one for one in media["schema"].get("anyOf", [media["schema"]]) if "$ref" in one]
    try:
        found = [known.of(kind, schemas, *places) for kind in kinds or [media["schema"]]]
    except NoExample as missing:
        media["x-no-example"] = f"{missing} has no example"
        return
    if len(found) == 1:
        media["example"] = found[0]
    else:
        names = [kind["$ref"].rpartition("/")[2] for kind in kinds]
        media["examples"] = {
            name: {"value": value} for name, value in zip(names, found, strict=True)
        }


def _routes(app: FastAPI) -> Iterator[tuple[tuple[str, str], tuple[Callable[..., Any], ...]]]:
    """Yield each path and method with all dependencies of its route."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is not None:
            for method in route.methods or ():
                path = str(getattr(route, "path_format", ""))
                yield (path, method.lower()), tuple(_calls(dependant))


def _allowed(calls: Iterable[Callable[..., Any]]) -> frozenset[str]:
    """Return the roles of which a caller needs one; empty: anyone may call."""
    asked = [roles for call in calls if (roles := roles_required(call))]
    return frozenset.intersection(*asked) if asked else frozenset()


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for one in dependant.dependencies:
        if one.call is not None:
            yield one.call
        yield from _calls(one)


def _not_found(path: str, refusals: Collection[str]) -> list[str]:
    """Return the codes for a missing resource of a path: `no-such-loan` for `loan_id`.

    A value that can't be an id gives `not-found`.
    """
    things = [name.removesuffix("_id") for name in re.findall(r"\{(\w+)\}", path)]
    codes = [f"no-such-{thing.replace('_', '-')}" for thing in things]
    return [*(code for code in codes if code in refusals), "not-found"] if things else []


def _problems(
    operation: Mapping[str, Any], allowed: frozenset[str], not_found: list[str], *, keyed: bool
) -> dict[str, Any]:
    """Return the problem responses of an operation, by status, with their codes."""
    # Every route can answer 422, because a header may be malformed.
    codes: dict[str, list[str]] = {
        "422": ["malformed"],
        "429": ["too-many-requests"],
        "503": ["unavailable"],
    }
    if "requestBody" in operation:
        codes["400"] = ["not-json"]
        codes["415"] = ["not-json"]
    if keyed:
        codes["409"] = ["idempotency-key-reused"]
    if not_found:
        codes["404"] = not_found
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
        "detail": "A sentence for people.",
        "code": code,
    }
