"""A patron as the other services know one: nothing here says who the person is."""

from dataclasses import dataclass, replace
from typing import Literal

from services.accounts.domain.refusals import AlreadyBlocked, NotBlocked

Status = Literal["active", "blocked", "erased"]


@dataclass(frozen=True, slots=True)
class Patron:
    """A registered borrower. What is personal is in the Cardholder of the same id."""

    id: str
    category: str
    """`adult` or `junior`; a library may have others."""
    home_branch: str
    """Branch code."""
    language: str
    """`en`, `zh-Hant` or `zh-Hans`."""
    card_digest: str
    """Keyed digest of the card number; empty once erased."""
    status: Status = "active"
    version: int = 1
    """Counts the changes of what is published."""


def amend(
    patron: Patron,
    *,
    category: str | None = None,
    home_branch: str | None = None,
    language: str | None = None,
    card_digest: str | None = None,
) -> Patron:
    """The patron with what is given changed; the same value if that changes nothing."""
    amended = replace(
        patron,
        category=category or patron.category,
        home_branch=home_branch or patron.home_branch,
        language=language or patron.language,
        card_digest=card_digest or patron.card_digest,
    )
    return amended if amended == patron else _next(amended)


def block(patron: Patron) -> Patron:
    """The patron, who may no longer borrow. Raises AlreadyBlocked."""
    if patron.status == "blocked":
        raise AlreadyBlocked
    return _next(replace(patron, status="blocked"))


def unblock(patron: Patron) -> Patron:
    """The patron, who may borrow again. Raises NotBlocked."""
    if patron.status != "blocked":
        raise NotBlocked
    return _next(replace(patron, status="active"))


def erase(patron: Patron) -> Patron:
    """The tombstone: it says that there was a patron of this id, and not which card they had."""
    return _next(replace(patron, status="erased", card_digest=""))


def _next(patron: Patron) -> Patron:
    return replace(patron, version=patron.version + 1)
