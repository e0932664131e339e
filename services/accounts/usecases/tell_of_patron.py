"""Publish a patron's snapshot."""

from services.accounts.domain.patron import Patron
from shared.contracts.accounts import PatronSnapshot
from shared.unit_of_work import Work


def tell(work: Work, kind: type[PatronSnapshot], patron: Patron) -> None:
    """Record an event of `kind` with the patron as it is now."""
    work.record(snapshot(kind, patron))


def snapshot(kind: type[PatronSnapshot], patron: Patron) -> PatronSnapshot:
    """The patron as it is now: all that others may know."""
    return kind(
        patron_id=patron.id,
        category=patron.category,
        home_branch=patron.home_branch,
        language=patron.language,
        status=patron.status,
        card_digest=patron.card_digest,
        version=patron.version,
    )
