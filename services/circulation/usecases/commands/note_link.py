"""Record a link of two patrons' cards as accounts has published it."""

from services.circulation import store
from services.circulation.domain.family import Link
from shared.clock import wall_clock
from shared.contracts.accounts import LinkSnapshot
from shared.unit_of_work import Work


def note_link(work: Work, event: LinkSnapshot) -> None:
    """Save this side of the link, or a tombstone if it has ended, unless a newer one is known."""
    store.family.note(
        work,
        Link(
            id=event.link_id,
            patron_id=event.patron_id if event.linked else "",
            member_id=event.member_id if event.linked else "",
            ended_at=None if event.linked else wall_clock(),
            version=event.version,
        ),
    )
