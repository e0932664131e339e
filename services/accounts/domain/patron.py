"""A patron as other services know them, without personal data."""

from dataclasses import dataclass, replace
from typing import Literal

from services.accounts.domain.refusals import AlreadyBlocked, NotBlocked

Status = Literal["active", "blocked", "erased"]
BlockedBy = Literal["staff", "money"]


@dataclass(frozen=True, slots=True)
class Patron:
    """A registered borrower. Personal data is in the Cardholder with the same id."""

    id: str
    category: str
    """Category, such as `adult` or `junior`; a library may have others."""
    home_branch: str
    """Branch code."""
    language: str
    """Language: `en`, `zh-Hant` or `zh-Hans`."""
    card_digest: str
    """Keyed digest of the card number; empty once erased."""
    status: Status = "active"
    blocked_by: tuple[BlockedBy, ...] = ()
    """Reasons for the block: the staff, debt, or both. Each is lifted separately."""
    version: int = 1
    """Number of the published version, raised by each change."""

    @property
    def personal_of(self) -> str:
        """The patron, whose erasure ends the stored responses with the digest of the card."""
        return self.id


def amend(
    patron: Patron,
    *,
    category: str | None = None,
    home_branch: str | None = None,
    language: str | None = None,
    card_digest: str | None = None,
) -> Patron:
    """Return the patron with the given fields changed; the same value if nothing changes."""
    amended = replace(
        patron,
        category=category or patron.category,
        home_branch=home_branch or patron.home_branch,
        language=language or patron.language,
        card_digest=card_digest or patron.card_digest,
    )
    return amended if amended == patron else _next(amended)


def block(patron: Patron) -> Patron:
    """Return the patron as blocked by the staff. Raises AlreadyBlocked."""
    if "staff" in patron.blocked_by:
        raise AlreadyBlocked
    return _blocked(patron, {*patron.blocked_by, "staff"})


def unblock(patron: Patron) -> Patron:
    """Return the patron without the staff's block; a block for debt stays. Raises NotBlocked."""
    if "staff" not in patron.blocked_by:
        raise NotBlocked
    return _blocked(patron, {*patron.blocked_by} - {"staff"})


def stand(patron: Patron, *, owes_too_much: bool) -> Patron:
    """Return the patron with or without a block for debt; the same value if nothing changes."""
    blocked: set[BlockedBy] = {*patron.blocked_by} - {"money"}
    if owes_too_much:
        blocked.add("money")
    return patron if blocked == {*patron.blocked_by} else _blocked(patron, blocked)


def erase(patron: Patron) -> Patron:
    """Return the tombstone of a patron: it keeps the id but no card."""
    return _next(replace(patron, status="erased", blocked_by=(), card_digest=""))


def _blocked(patron: Patron, by: set[BlockedBy]) -> Patron:
    return _next(
        replace(patron, status="blocked" if by else "active", blocked_by=tuple(sorted(by)))
    )


def _next(patron: Patron) -> Patron:
    return replace(patron, version=patron.version + 1)
