"""Receive a copy that was in transit or was to be fetched."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.refusals.branches import NoSuchBranch
from services.circulation.domain.refusals.copies import NoSuchCopy
from services.circulation.usecases.steps.serve_queue import Served, hand_out
from services.circulation.usecases.steps.unpack_copy import unpack
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ReceiveCopy:
    """Command to receive a copy that was scanned at a branch."""

    barcode: str
    branch: str
    on: date


def receive_copy(work: Work, command: ReceiveCopy) -> Served:
    """Receive the copy: it is on the hold shelf, at home, or in transit to another branch.

    Raises NoSuchCopy, NoSuchBranch, or NotInThisState if it was not in transit or to be fetched.
    """
    copy = (store.titles.copies_with(work, [command.barcode])).get(command.barcode)
    if copy is None:
        raise NoSuchCopy(barcode=command.barcode)
    if store.calendars.get(work, command.branch) is None:
        raise NoSuchBranch(branch=command.branch)
    store.holds.take_turn(work, [copy.title_id])
    unpacked = unpack(work, copy, command.branch, command.on)
    served = hand_out(work, [copy.title_id], command.on, freed=[unpacked.copy], in_hand=[copy.id])
    return served.get(copy.id, unpacked)
