"""What is catalogued, and the pieces of it that are lent."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from services.circulation.domain.refusals import CopyLost, CopyNotOnLoan, CopyOnLoan

CopyCategory = Literal["adult", "young-adult", "children"]


class CopyState(StrEnum):
    """Where a copy is in its life."""

    AVAILABLE = "available"
    ON_LOAN = "on-loan"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Title:
    """A work as the catalogue has it."""

    id: str
    title: str
    authors: tuple[str, ...]
    isbn: str | None = None
    kind: str = "book"
    version: int = 1


@dataclass(frozen=True, slots=True)
class Copy:
    """One piece of a title, with a barcode, and the branch that owns it."""

    id: str
    title_id: str
    barcode: str
    category: CopyCategory
    branch_code: str
    price_cents: int | None = None
    """What a new one costs; None: not known."""
    state: CopyState = CopyState.AVAILABLE
    version: int = 1


def lend(copy: Copy) -> Copy:
    """The copy as it leaves the library. Raises CopyOnLoan or CopyLost."""
    if copy.state is CopyState.ON_LOAN:
        raise CopyOnLoan
    if copy.state is CopyState.LOST:
        raise CopyLost
    return replace(copy, state=CopyState.ON_LOAN, version=copy.version + 1)


def take_back(copy: Copy) -> Copy:
    """The copy as it is back in the library. Raises CopyNotOnLoan if it never left."""
    if copy.state is CopyState.AVAILABLE:
        raise CopyNotOnLoan
    return replace(copy, state=CopyState.AVAILABLE, version=copy.version + 1)
