"""Take a copy out of lending: it is damaged, withdrawn or missing."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.circulation import store
from services.circulation.domain import copy as copies
from services.circulation.domain.hold import put_back
from services.circulation.domain.refusals.copies import NoSuchCopy
from services.circulation.usecases.events import hold_events
from services.circulation.usecases.steps.serve_queue import Served, hand_out
from shared.unit_of_work import Work

Fault = Literal["damaged", "withdrawn", "missing"]

_TAKE_OUT = {"damaged": copies.damage, "withdrawn": copies.withdraw, "missing": copies.miss}


@dataclass(frozen=True)
class TakeOutCopy:
    """Command to take a copy out of lending, with its fault."""

    barcode: str
    fault: Fault
    on: date


def take_out_copy(work: Work, command: TakeOutCopy) -> Served:
    """Take the copy out; its hold waits again at its place, or gets another copy at once.

    Raises NoSuchCopy, or NotInThisState, for example for a copy on loan.
    """
    copy = (store.titles.copies_with(work, [command.barcode])).get(command.barcode)
    if copy is None:
        raise NoSuchCopy(barcode=command.barcode)
    store.holds.take_turn(work, [copy.title_id])
    out = _TAKE_OUT[command.fault](copy)
    store.titles.save_copies(work, [out])
    if copy.hold_id and (hold := store.holds.get(work, copy.hold_id)):
        waits = put_back(hold)
        store.holds.save(work, [waits])
        work.record(hold_events.changed(hold, waits))
        hand_out(work, [copy.title_id], command.on)
    return Served(out, None)
