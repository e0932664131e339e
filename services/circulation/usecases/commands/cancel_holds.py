"""Cancel the holds of a patron who was erased."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.hold import cancel
from services.circulation.usecases.steps.end_hold import end
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CancelHolds:
    """Command to cancel the holds of a patron who was erased on `on`."""

    patron_id: str
    on: date


def cancel_holds(work: Work, command: CancelHolds) -> int:
    """Cancel the patron's open holds; return how many there were."""
    holds = store.holds.open_of_patron(work, command.patron_id)
    for hold in holds:
        end(work, hold, cancel(hold, command.on, "erased"))
    return len(holds)
