"""Declarations of the problems that a route, or a dependency of it, can answer with."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

C = TypeVar("C", bound=Callable[..., Any])


class ProblemKind(Protocol):
    """A kind of problem: each class of refusals, and each `PlainProblem`."""

    @property
    def code(self) -> str:
        """Name of the problem for programs; it never changes."""

    @property
    def status(self) -> int:
        """HTTP status of the response."""


@dataclass(frozen=True)
class PlainProblem:
    """A kind of problem that has no class of its own."""

    code: str
    status: int


@dataclass(frozen=True)
class _Declaration:
    kinds: tuple[ProblemKind, ...]
    methods: Collection[str] | None


_of_requests: dict[Callable[..., Any], _Declaration] = {}
_of_items: dict[Callable[..., Any], tuple[ProblemKind, ...]] = {}


def refuses(*kinds: ProblemKind, methods: Collection[str] | None = None) -> Callable[[C], C]:
    """Declare the problems that a route or dependency raises or answers with.

    A route inherits the declarations of its dependencies. `methods` are the HTTP methods for which
    a dependency can raise them; None: all.
    """

    def declare(call: C) -> C:
        _of_requests[call] = _Declaration(kinds, methods)
        return call

    return declare


def refuses_items(*kinds: ProblemKind) -> Callable[[C], C]:
    """Declare the refusals of single items in a successful response of a route."""

    def declare(call: C) -> C:
        _of_items[call] = kinds
        return call

    return declare


def refusals_of(calls: Iterable[Callable[..., Any]], method: str) -> list[ProblemKind]:
    """Return the problems declared for a method of a route: by its function and dependencies."""
    declared = [_of_requests[call] for call in calls if call in _of_requests]
    return [
        kind
        for one in declared
        if one.methods is None or method in one.methods
        for kind in one.kinds
    ]


def item_refusals_of(calls: Iterable[Callable[..., Any]]) -> list[ProblemKind]:
    """Return the declared refusals of single items of a route."""
    return [kind for call in calls for kind in _of_items.get(call, ())]
