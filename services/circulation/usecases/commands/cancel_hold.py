"""Cancel a hold."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.hold import Hold, cancel
from services.circulation.domain.refusals.holds import NoSuchHold
from services.circulation.usecases.steps.acting_patron import acting, may_act
from services.circulation.usecases.steps.end_hold import end
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CancelHold:
    """Command to cancel a hold. `patron_id` is the patron who asks; None: staff.

    A patron may cancel the holds of those whose cards are linked with theirs.
    """

    hold_id: str
    patron_id: str | None
    on: date


def cancel_hold(work: Work, command: CancelHold) -> Hold:
    """Cancel the hold. Raises NoSuchHold (also for another patron's hold) or HoldEnded."""
    hold = store.holds.get(work, command.hold_id)
    if hold is None or not may_act(work, command.patron_id, hold.patron_id):
        raise NoSuchHold
    ended = cancel(hold, command.on, "staff" if command.patron_id is None else "patron")
    end(work, hold, ended, acting(command.patron_id, hold.patron_id))
    return ended
