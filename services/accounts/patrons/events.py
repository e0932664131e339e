"""Events of patrons, recorded by the commands that change one."""

from services.accounts.cardholders.rules import Patron
from shared.contracts.accounts import PatronBlocked, PatronSnapshot, PatronUnblocked, PatronUpdated
from shared.unit_of_work import Work


def record_patron_event(work: Work, kind: type[PatronSnapshot], patron: Patron) -> None:
    """Record an event of `kind` with the patron's current state."""
    work.record(patron_fields(kind, patron))


def patron_fields(kind: type[PatronSnapshot], patron: Patron) -> PatronSnapshot:
    """Return an event of `kind` with the data of the patron that other services may have."""
    return kind(
        patron_id=patron.id,
        category=patron.category,
        home_branch=patron.home_branch,
        language=patron.language,
        status=patron.status,
        blocked_by=patron.blocked_by,
        by_post=patron.by_post,
        card_digest="",  # would tell for as long as the event is kept whose card it was
        card_expires_on=patron.card_expires_on,
        version=patron.version,
    )


def record_block_event(work: Work, before: Patron, after: Patron) -> None:
    """Record that a patron was blocked or unblocked, or that the reasons for a block changed."""
    if before.status == after.status:
        record_patron_event(work, PatronUpdated, after)
    else:
        record_patron_event(
            work, PatronBlocked if after.status == "blocked" else PatronUnblocked, after
        )
