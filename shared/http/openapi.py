"""A service's OpenAPI document: the callers of each route, and the problems it answers with.

FastAPI can't know these facts; they are read from declarations: roles from the dependency that
checks the caller, problems from the route and its dependencies (shared/refusals.py), and examples
from the fields of a body (shared/examples.py).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from shared.auth import roles_required
from shared.examples import Examples, NoExample
from shared.http.problems import (
    MALFORMED,
    NOT_JSON,
    OTHER_TYPE,
    TOO_MANY_REQUESTS,
    UNAVAILABLE,
    NotFound,
    Problem,
)
from shared.idempotency import KeyReused
from shared.refusals import ProblemKind, item_refusals_of, refusals_of
from shared.rights import ROLES

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_WHY = {
    "400": "The request can't be read.",
    "401": "The token is missing or invalid.",
    "403": "The caller may not do this.",
    "404": "The resource does not exist, or the caller may not know of it.",
    "409": "A rule of the library or the present state does not allow it.",
    "413": "The body has too many bytes.",
    "415": "The body has another type than the route takes.",
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
_OF_EVERY_ROUTE = (MALFORMED, TOO_MANY_REQUESTS, UNAVAILABLE)
"""Problems of every route; a header may be malformed even if there are no fields."""
_OF_A_BODY = (NOT_JSON, OTHER_TYPE)


@dataclass(frozen=True)
class Operation:
    """A route with one of its methods, and what is declared for it."""

    method: str
    path: str
    calls: tuple[Callable[..., Any], ...]
    """The route's function and all its dependencies."""
    has_body: bool

    @property
    def roles(self) -> frozenset[str]:
        """Roles of which a caller needs one; empty: anyone may call."""
        asked = [roles for call in self.calls if (roles := roles_required(call))]
        return frozenset.intersection(*asked) if asked else frozenset()

    @property
    def problems(self) -> list[ProblemKind]:
        """All problems that the operation can answer with."""
        # A value in a path that can't be an id may lead to no route.
        of_path = [NotFound] if "{" in self.path else []
        of_body = _OF_A_BODY if self.has_body else ()
        return [*refusals_of(self.calls, self.method), *of_path, *of_body, *_OF_EVERY_ROUTE]

    @property
    def item_refusals(self) -> list[ProblemKind]:
        """The refusals of single items in a successful response."""
        return item_refusals_of(self.calls)


def operations_of(app: FastAPI) -> Iterator[Operation]:
    """Yield the operations of an app that its document lists, in the order of its routes."""
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is not None and route.include_in_schema:
            for method in sorted(route.methods or ()):
                yield Operation(
                    method,
                    str(route.path_format),
                    tuple(_calls(dependant)),
                    has_body=route.body_field is not None,
                )


def document_of(app: FastAPI, examples: Mapping[str, Any], log_in: str) -> dict[str, Any]:
    """Return the OpenAPI document of all routes of an app.

    `examples` are by field, model or place (shared/examples.py); `log_in` is the path that gives a
    token. An operation that can refuse a reused Idempotency-Key takes one.
    """
    document = get_openapi(
        title=app.title, version=app.version, routes=app.routes, description=app.description
    )
    known = Examples(examples)
    declared = {(one.path, one.method.lower()): one for one in operations_of(app)}
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which no route has
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            said = declared[path, method]
            if KeyReused in said.problems:
                operation["parameters"] = [*operation.get("parameters", ()), _KEY]
            operation["operationId"] = _operation_id(method, path)
            operation["summary"] = _summary(operation.get("description", ""))
            _separate_previews(operation["responses"])
            _add_examples(known, f"{method.upper()} {path}", operation, schemas)
            operation["security"] = [{role: []} for role in ROLES if role in said.roles]
            operation["responses"] |= _problems(said.problems)
            operation["responses"]["default"] = _response("default", "A problem (RFC 9457).", [])
            if items := ", ".join(f"`{kind.code}`" for kind in said.item_refusals):
                operation["description"] += f"\n\nThe code of a refused item is one of {items}."
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


def _separate_previews(responses: Mapping[str, Any]) -> None:
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
    """Add examples to the body, to each successful response, and to path and query parameters."""
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


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for one in dependant.dependencies:
        yield from _calls(one)


def _problems(kinds: Iterable[ProblemKind]) -> dict[str, Any]:
    """Return the problem responses of an operation, by status, with their codes."""
    codes: dict[str, list[str]] = {}
    for kind in kinds:
        known = codes.setdefault(str(kind.status), [])
        if kind.code not in known:
            known.append(kind.code)
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
