"""Find out in whose name a command is given: a patron's own, the staff's, or a linked patron's."""

from services.circulation import store
from shared.unit_of_work import Work


def may_act(work: Work, asking: str | None, patron_id: str) -> bool:
    """Return whether `asking` may renew, reserve and cancel for a patron.

    They may if they are that patron or a linked one; None stands for the staff.
    """
    return asking in (None, patron_id) or store.family.are_linked(work, patron_id, str(asking))


def acting(asking: str | None, patron_id: str) -> str | None:
    """Return the id of the linked patron who acts for a patron; None: that patron or the staff."""
    return None if asking == patron_id else asking
