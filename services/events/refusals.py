"""The base class of the refusals of events, and those of several subjects."""

from collections.abc import Iterable, Mapping
from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse: `code` is for programs, `reason` for the person."""

    code: ClassVar[str]
    status: ClassVar[int] = 409
    """HTTP status of the response."""
    reason: ClassVar[str]

    def __init__(self, **extra: str) -> None:
        super().__init__(self.reason)
        self.extra: Mapping[str, str] = extra
        """Additional members of the problem response."""


class NoSuchBranch(Refusal):
    """A library that events does not know, or not yet; `branches` names the codes."""

    code = "no-such-branch"
    status = 404
    reason = "There is no such library."

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(branches=", ".join(sorted(codes)))


class NoSuchPatron(Refusal):
    """The patron was erased, though their token is still valid."""

    code = "no-such-patron"
    status = 404
    reason = "There is no such patron."
