"""The base class of refusals, and a refusal as one of several outcomes."""

from dataclasses import dataclass
from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse.

    `code` is for programs and never changes; `reason` is for the patron, in full sentences. Facts
    that the reason mentions are passed to the constructor: `LoanLimit(limit=10)`.
    """

    code: ClassVar[str]
    status: ClassVar[int] = 409
    """HTTP status of the response if the refusal concerns the whole request."""
    says: ClassVar[str]

    def __init__(self, **facts: object) -> None:
        self.reason = self.says.format(**facts)
        super().__init__(self.reason)


@dataclass(frozen=True)
class ItemRefusal:
    """The refusal of one item of several, whose other items went well."""

    code: str
    reason: str

    @classmethod
    def by(cls, refusal: Refusal) -> "ItemRefusal":
        """Convert a refusal."""
        return cls(refusal.code, refusal.reason)
