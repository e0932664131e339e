"""The base class of the refusals of events."""

from collections.abc import Mapping
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
