"""A check of each answer that tests get: a route answers only with problems that it declares."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import orjson
from fastapi import FastAPI

from shared.http.openapi import Operation, operations_of

ABOVE_ROUTES = {"address-too-long", "ambiguous", "headers-too-large", "internal", "too-large"}
"""Codes of problems that any request can be answered with, whatever its route."""


@dataclass(frozen=True)
class _Known:
    operation: Operation
    path: re.Pattern[str]
    problems: frozenset[tuple[int, str]]
    items: frozenset[str]


_known: WeakKeyDictionary[FastAPI, list[_Known]] = WeakKeyDictionary()


def undeclared(app: FastAPI, method: str, path: str, status: int, body: bytes) -> list[str]:
    """Return the codes in an answer of the app that the route of the request does not declare.

    `body` is JSON. Paths of no operation are not checked.
    """
    known = _known_at(app, method, path)
    if known is None:
        return []
    if status < 400:
        return sorted(_item_codes(body) - known.items) if known.items else []
    code = orjson.loads(body)["code"]
    return [] if (status, code) in known.problems or code in ABOVE_ROUTES else [code]


def is_operation(app: FastAPI, method: str, path: str) -> bool:
    """Return whether the app itself answers a request, and forwards it to no other service."""
    return _known_at(app, method, path) is not None


def _known_at(app: FastAPI, method: str, path: str) -> _Known | None:
    if app not in _known:
        _known[app] = list(_operations(app))
    for known in _known[app]:
        if known.operation.method == method and known.path.fullmatch(path.partition("?")[0]):
            return known
    return None


def _operations(app: FastAPI) -> Iterator[_Known]:
    for operation in operations_of(app):
        yield _Known(
            operation,
            re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation.path))),
            frozenset((kind.status, kind.code) for kind in operation.problems),
            frozenset(kind.code for kind in operation.item_refusals),
        )


def _item_codes(body: bytes) -> set[str]:
    """Return the codes of the refused items of `{results: […]}`."""
    results = orjson.loads(body).get("results", ())
    return {result["problem"]["code"] for result in results if result["problem"]}
