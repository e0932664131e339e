"""Delete a hold that has ended."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain.hold import OPEN_STATES
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PurgeHold:
    """Command to delete a hold if it has ended."""

    hold_id: str


def purge_hold(work: Work, command: PurgeHold) -> bool:
    """Delete the hold if it has ended; return whether it was deleted.

    The fee for collecting it stays, without a title. Of two calls at the same time, one returns
    True.
    """
    hold = store.holds.get(work, command.hold_id)
    if hold is None or hold.state in OPEN_STATES:
        return False
    store.holds.purge(work, hold)
    return True
