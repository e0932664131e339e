"""Add, receive, recover and take out copies."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Literal

from services.circulation import refusals
from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import events as catalogue_events
from services.circulation.catalogue import store as catalogue_store
from services.circulation.catalogue.commands import Catalogued, NewCopy, new_copies
from services.circulation.holds import events as holds_events
from services.circulation.holds import store as holds_store
from services.circulation.holds.commands.queue import Served, hand_out, serve, unpack
from services.circulation.loans.store import loans as loans_store
from services.circulation.rules.barcode import series_of
from services.circulation.rules.copy import (
    Copy,
    CopyState,
    damage,
    describe,
    dispatch,
    miss,
    move_work,
    process,
    recover,
    remember,
    withdraw,
)
from services.circulation.rules.hold import move_queue, put_back
from services.circulation.rules.title import check_copies, next_version
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def add_copies(work: Work, title_id: str, new: Sequence[NewCopy], on: date) -> Catalogued:
    """Add the copies; return the title with all its copies.

    Raises NoSuchTitle, BarcodeTaken or TooManyCopies.
    """
    title = or_refuse(catalogue_store.get(work, title_id), refusals.NoSuchTitle)
    if taken := catalogue_store.copies_with(work, [copy.barcode for copy in new]):
        raise refusals.BarcodeTaken(barcode=min(taken))
    before = catalogue_store.copies_of(work, [title.id])
    added = new_copies(title, new)
    copies = (*before, *added)
    check_copies(len(copies))
    title = next_version(title)
    catalogue_store.save(work, [title], copies)
    catalogue_store.add_copies(work, added)
    work.record(catalogue_events.catalogued(title, copies))
    served = serve(work, [title.queue_id], on)
    now = tuple(served[copy.id].copy if copy.id in served else copy for copy in copies)
    return Catalogued(title, now)


def number_copies(
    work: Work, title_id: str, terms: NewCopy, count: int, *, first_barcode: str | None, on: date
) -> list[str]:
    """Add copies with barcodes that are numbered on; return the barcodes.

    Of two transactions that take the same numbers one is retried. Raises NoSuchTitle,
    FirstBarcodeNeeded, NoBarcodesLeft or TooManyCopies.
    """
    series = series_of(first_barcode or catalogue_store.newest_barcode(work))
    barcodes = [*series.after(catalogue_store.greatest_barcode(work, series), count)]
    add_copies(work, title_id, [replace(terms, barcode=barcode) for barcode in barcodes], on)
    return barcodes


def _copy(work: Work, barcode: str) -> Copy:
    copy = catalogue_store.copies_with(work, [barcode]).get(barcode)
    if copy is None:
        raise refusals.NoSuchCopy(barcode=barcode)
    return copy


def amend_copy(
    work: Work,
    barcode: str,
    changes: Mapping[str, Any],
    on: date,
    *,
    seen: int | None = None,
    send_now: bool = False,
) -> Copy:
    """Change the description of a copy (see `describe`); publish its title if something changed.

    Another category may let the copy serve a hold that waits. With `send_now` a copy on a shelf is
    in hand, so it goes to a hold or to its branch at once. Raises NoSuchCopy, or ChangedMeanwhile
    if its version is not the one that was seen.
    """
    copy = _copy(work, barcode)
    if seen not in (None, copy.version):
        raise refusals.ChangedMeanwhile
    amended = describe(copy, changes)
    if amended is copy and not send_now:
        return copy
    if amended is not copy:
        amended = _publish(work, copy, amended, on)
    freed = [amended] if send_now else []
    served = serve(work, [copy.queue_id], on, freed=freed, in_hand=[copy.id] if send_now else [])
    return served[copy.id].copy if copy.id in served else amended


def _publish(work: Work, before: Copy, amended: Copy, on: date) -> Copy:
    """Save a copy whose description has changed, and publish its title; return the copy."""
    title = or_refuse(catalogue_store.get(work, before.title_id), refusals.NoSuchTitle)
    if amended.branch_code != before.branch_code:
        amended = remember(amended, "owner", on, before.branch_code)
    catalogue_store.save_copies(work, [amended])
    title = next_version(title)
    copies = catalogue_store.copies_of(work, [title.id])
    catalogue_store.save(work, [title], copies)
    work.record(catalogue_events.catalogued(title, copies))
    return amended


def set_work(work: Work, title_id: str, work_id: str | None, on: date) -> Catalogued:
    """Make a title an edition of a work, or of none; its waiting holds move to the other queue.

    They keep their order. Raises NoSuchTitle, or TitleReserved if holds on any edition name the
    title, or if others wait in the other queue: it is not known who of them came first.
    """
    title = or_refuse(catalogue_store.get(work, title_id), refusals.NoSuchTitle)
    copies = catalogue_store.copies_of(work, [title.id])
    if title.work_id == work_id:
        return Catalogued(title, tuple(copies))
    moved = next_version(replace(title, work_id=work_id))
    # First, so that nobody takes a place in one of the queues, or a copy for it, meanwhile.
    holds_store.take_turn(work, [title.queue_id, moved.queue_id])
    holds = holds_store.open_on(work, title.id)
    others = holds_store.open_in(work, work_id) if work_id and holds else 0
    if others or any(hold.any_edition for hold in holds):
        raise refusals.TitleReserved
    first = holds_store.take_place(work, moved.queue_id, len(holds))
    steps = [(hold, move_queue(hold, work_id, first + n)) for n, hold in enumerate(holds)]
    placed = tuple(move_work(copy, work_id) for copy in copies)
    catalogue_store.save(work, [moved], placed)
    catalogue_store.save_copies(work, placed)
    work.record(catalogue_events.catalogued(moved, placed))
    holds_store.save(work, [after for _, after in steps])
    for before, after in steps:
        work.record(holds_events.changed(before, after))
    served = hand_out(work, [moved.queue_id], on)
    now = tuple(served[copy.id].copy if copy.id in served else copy for copy in placed)
    return Catalogued(moved, now)


def receive_copy(work: Work, barcode: str, branch: str, on: date) -> Served:
    """Receive the copy: it is on the hold shelf, at home, or in transit to another branch.

    A copy on order or in process is ready to be lent with it. Raises NoSuchCopy, NoSuchBranch, or
    NotInThisState if it was not awaited.
    """
    copy = _copy(work, barcode)
    if calendars_store.get(work, branch) is None:
        raise refusals.NoSuchBranch(branch=branch)
    holds_store.take_turn(work, [copy.queue_id])
    unpacked = unpack(work, copy, branch, on)
    served = hand_out(work, [copy.queue_id], on, freed=[unpacked.copy], in_hand=[copy.id])
    return served.get(copy.id, unpacked)


def recover_copy(work: Work, barcode: str, branch: str, on: date) -> Served:
    """Recover the copy: it is kept or sent for a hold, at home, or in transit to its home.

    Raises NoSuchCopy, NoSuchBranch, NotInThisState, or LostByPatron if a return has to settle its
    loan.
    """
    copy = _copy(work, barcode)
    if calendars_store.get(work, branch) is None:
        raise refusals.NoSuchBranch(branch=branch)
    if loans_store.lost_of_copies(work, [copy.id]):
        raise refusals.LostByPatron
    holds_store.take_turn(work, [copy.queue_id])
    back = remember(recover(copy, branch), "recovered", on)
    catalogue_store.save_copies(work, [back])
    if copy.state is CopyState.WITHDRAWN:
        catalogue_store.note_change(work, [copy.title_id])
    served = hand_out(work, [copy.queue_id], on, freed=[back], in_hand=[copy.id])
    return served.get(copy.id, Served(back, None))


Fault = Literal["damaged", "withdrawn", "missing", "in-process"]

_TAKE_OUT = {
    "damaged": damage,
    "withdrawn": withdraw,
    "missing": miss,
    "in-process": process,
}


def take_out_copy(work: Work, barcode: str, fault: Fault, on: date) -> Served:
    """Take the copy out; its hold waits again at its place, or gets another copy at once.

    Raises NoSuchCopy, or NotInThisState, for example for a copy on loan.
    """
    copy = _copy(work, barcode)
    holds_store.take_turn(work, [copy.queue_id])
    out = remember(_TAKE_OUT[fault](copy), fault, on)
    catalogue_store.save_copies(work, [out])
    if out.state is CopyState.WITHDRAWN:
        catalogue_store.note_change(work, [copy.title_id])
    if copy.hold_id and (hold := holds_store.get(work, copy.hold_id)):
        waits = put_back(hold)
        holds_store.save(work, [waits])
        work.record(holds_events.changed(hold, waits))
        hand_out(work, [copy.queue_id], on)
    return Served(out, None)


def dispatch_copies(work: Work, barcodes: Sequence[str], branch: str, on: date) -> list[Copy]:
    """Record that copies in transit have left the branch; return those that had not yet.

    The others, which arrived or were sent meanwhile, stay as they are.
    """
    found = catalogue_store.copies_with(work, barcodes).values()
    sent = [
        dispatch(copy, on)
        for copy in found
        if copy.at_branch == branch and copy.state is CopyState.IN_TRANSIT and not copy.sent_on
    ]
    catalogue_store.save_copies(work, sent)
    return sent
