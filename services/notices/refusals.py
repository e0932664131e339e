"""The base class of the refusals of notices, and the refusal that all subjects share."""

from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse.

    `code` is for programs and never changes. `reason` is for people, in full sentences. `extra` has
    further members of the problem, for programs.
    """

    code: ClassVar[str]
    status: ClassVar[int] = 409
    """HTTP status of the response."""

    def __init__(self, reason: str, **extra: object) -> None:
        self.reason = reason
        self.extra = extra
        super().__init__(reason)


class BadCursor(Refusal):
    """The cursor does not come from this list."""

    code = "bad-cursor"
    status = 422

    def __init__(self) -> None:
        super().__init__("The cursor does not come from this list.")
