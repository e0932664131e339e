"""Refusals, and declarations of the problems that a route, or a dependency of it, answers with.

This module stands on the standard library alone, so that rules may raise refusals.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, TypeVar

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")


class ProblemKind(Protocol):
    """A kind of problem: each class of refusals, and each `PlainProblem`."""

    @property
    def code(self) -> str:
        """Name of the problem for programs; it never changes."""

    @property
    def status(self) -> int:
        """HTTP status of the response."""


class Refusal(Exception):
    """A request that the rules refuse. Each service has a base class of its own.

    Facts are passed to the constructor: `LoanLimit(limit=10)`.
    """

    code: ClassVar[str]
    """Name of the refusal for programs; it never changes."""
    status: ClassVar[int]
    """HTTP status of the response, if the refusal concerns the whole request."""
    template: ClassVar[str]
    """The reason before its facts are filled in."""
    members: ClassVar[tuple[str, ...]]
    """Names of the facts that are further members of the problem, for programs."""

    def __init__(self, **facts: object) -> None:
        listed = {k: ", ".join(v) if isinstance(v, list) else v for k, v in facts.items()}
        self.reason = self.template.format(**listed)
        """The refusal for the person, in full sentences."""
        self.extra: Mapping[str, object] = {name: facts[name] for name in self.members}
        """Further members of the problem."""
        super().__init__(self.reason)

    @classmethod
    def define(cls, status: int, code: str, template: str, *members: str) -> type[Self]:
        """Return a class of refusals, named after its code.

        `template` is the reason; `{limit}` in it stands for the fact of that name, of which a list
        is joined with commas. `members` names the facts that the problem has as members of its own.
        """
        name = "".join(word.capitalize() for word in code.split("-"))
        body = {"status": status, "code": code, "template": template, "members": members}
        return type(name, (cls,), {**body, "__doc__": template, "__module__": cls.__module__})


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


def or_refuse(found: T | None, otherwise: type[Refusal]) -> T:
    """Return what was found; raise `otherwise` if it is None."""
    if found is None:
        raise otherwise
    return found


def refuses(*kinds: ProblemKind, methods: Collection[str] | None = None) -> Callable[[C], C]:
    """Declare the problems that a route or dependency raises or answers with.

    A route inherits the declarations of its dependencies, for which FastAPI's `responses=` has no
    place. `methods` are the HTTP methods for which a dependency can raise them; None: all.
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
