"""Take a copy that was found again or repaired back into lending."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.copy import recover
from services.circulation.domain.refusals.branches import NoSuchBranch
from services.circulation.domain.refusals.copies import LostByPatron, NoSuchCopy
from services.circulation.usecases.steps.serve_queue import Served, hand_out
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RecoverCopy:
    """Command to recover a copy at the branch where it is."""

    barcode: str
    branch: str
    on: date


def recover_copy(work: Work, command: RecoverCopy) -> Served:
    """Recover the copy: it is kept or sent for a hold, at home, or in transit to its home.

    Raises NoSuchCopy, NoSuchBranch, NotInThisState, or LostByPatron if a return has to settle its
    loan.
    """
    copy = (store.titles.copies_with(work, [command.barcode])).get(command.barcode)
    if copy is None:
        raise NoSuchCopy(barcode=command.barcode)
    if store.calendars.get(work, command.branch) is None:
        raise NoSuchBranch(branch=command.branch)
    if store.loans.lost_of_copies(work, [copy.id]):
        raise LostByPatron
    store.holds.take_turn(work, [copy.title_id])
    back = recover(copy, command.branch)
    store.titles.save_copies(work, [back])
    served = hand_out(work, [copy.title_id], command.on, freed=[back], in_hand=[copy.id])
    return served.get(copy.id, Served(back, None))
