"""Add, import, receive, recover and take out copies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import events as catalogue_events
from services.circulation.catalogue import store as catalogue_store
from services.circulation.catalogue.commands import Catalogued, NewCopy, new_copies
from services.circulation.holds import events as holds_events
from services.circulation.holds import store as holds_store
from services.circulation.holds.commands.queue import Served, hand_out, serve, unpack
from services.circulation.loans.store import loans as loans_store
from services.circulation.refusals import (
    BarcodeTaken,
    ItemRefusal,
    LostByPatron,
    NoSuchBranch,
    NoSuchCopy,
    NoSuchTitle,
    Refusal,
    TitleReserved,
)
from services.circulation.rules.copy import (
    Copy,
    CopyState,
    damage,
    describe,
    miss,
    move_work,
    process,
    recover,
    withdraw,
)
from services.circulation.rules.hold import move_queue, put_back
from services.circulation.rules.record import Record, given_fields
from services.circulation.rules.title import Title, amend, check_copies, next_version
from shared.ids import new_id
from shared.unit_of_work import Work


def add_copies(work: Work, title_id: str, new: Sequence[NewCopy], on: date) -> Catalogued:
    """Add the copies; return the title with all its copies.

    Raises NoSuchTitle, BarcodeTaken or TooManyCopies.
    """
    title = catalogue_store.get(work, title_id)
    if title is None:
        raise NoSuchTitle
    if taken := catalogue_store.copies_with(work, [copy.barcode for copy in new]):
        raise BarcodeTaken(barcode=min(taken))
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


@dataclass(frozen=True)
class ImportedTitle:
    """A title in another system, with the copies that it has there."""

    control_number: str
    title: str
    authors: tuple[str, ...]
    isbn: str | None
    kind: str
    copies: tuple[NewCopy, ...]
    record: Record
    marc: bytes
    """The whole record there, to be kept: see `catalogue.formats`."""


@dataclass(frozen=True)
class ImportTitles:
    """Command to import titles. No control number and no barcode occurs twice."""

    titles: tuple[ImportedTitle, ...]
    on: date


@dataclass(frozen=True)
class Imported:
    """Outcome for one title."""

    outcome: Literal["added", "changed", "unchanged", "refused"]
    refused: ItemRefusal | None = None


@dataclass(frozen=True)
class _Step:
    """A title after its import, with all its copies, some of which are new or changed."""

    title: Title
    copies: tuple[Copy, ...]
    new: tuple[Copy, ...]
    changed: tuple[Copy, ...]
    outcome: Literal["added", "changed", "unchanged"]
    marc: bytes | None = None
    """Its MARC record, if another one is kept."""


def import_titles(work: Work, command: ImportTitles) -> list[Imported]:
    """Import the titles; return the outcome for each, in the order of the command.

    Each title is imported or refused on its own. A title is recognised by its control number, a
    copy by its barcode. Copies that the other system no longer names stay: the staff decide whether
    to withdraw them. So do fields of records of which it says nothing.
    """
    known = catalogue_store.imported_as(work, [title.control_number for title in command.titles])
    barcodes = [copy.barcode for title in command.titles for copy in title.copies]
    by_barcode = catalogue_store.copies_with(work, barcodes)
    by_title: dict[str, list[Copy]] = {title.id: [] for title in known.values()}
    for copy in catalogue_store.copies_of(work, by_title.keys()):
        by_title[copy.title_id].append(copy)
    kept = catalogue_store.marc_of(work, by_title.keys()) if by_title else {}

    results: list[Imported] = []
    steps: list[_Step] = []
    for given in command.titles:
        present = known.get(given.control_number)
        try:
            copies = by_title[present.id] if present else []
            marc = kept.get(present.id) if present else None
            step = _step(given, present, copies, by_barcode, marc)
        except Refusal as refusal:
            results.append(Imported("refused", ItemRefusal.by(refusal)))
        else:
            steps.append(step)
            results.append(Imported(step.outcome))

    steps = [step for step in steps if step.outcome != "unchanged"]
    copies = [copy for step in steps for copy in step.copies]
    new = [step for step in steps if step.outcome == "added"]
    changed = [step for step in steps if step.outcome == "changed"]
    catalogue_store.add(work, [step.title for step in new], copies)
    catalogue_store.save(work, [step.title for step in changed], copies)
    catalogue_store.add_marc(work, {step.title.id: step.marc for step in new if step.marc})
    for step in changed:
        if step.marc:
            catalogue_store.save_marc(work, step.title.id, step.marc)
    catalogue_store.add_copies(work, [copy for step in steps for copy in step.new])
    catalogue_store.save_copies(work, [copy for step in steps for copy in step.changed])
    for step in steps:
        work.record(catalogue_events.catalogued(step.title, step.copies))
    grown = {step.title.queue_id for step in steps if step.outcome == "changed" and step.new}
    if grown:  # patrons may wait for a known title; nobody waits for a new one
        serve(work, grown, command.on)
    return results


def _step(
    given: ImportedTitle,
    present: Title | None,
    before: Sequence[Copy],
    by_barcode: Mapping[str, Copy],
    kept: bytes | None,
) -> _Step:
    """Return the step that imports one title. Raises BarcodeTaken or TooManyCopies."""
    title = present or Title(
        id=new_id(),
        title=given.title,
        authors=given.authors,
        isbn=given.isbn,
        kind=given.kind,
        control_number=given.control_number,
        record=given.record,
    )
    named = {copy.barcode: copy for copy in given.copies}
    for barcode in named:
        if barcode in by_barcode and by_barcode[barcode].title_id != title.id:
            raise BarcodeTaken(barcode=barcode)
    after = tuple(_described(copy, named.pop(copy.barcode, None)) for copy in before)
    new = new_copies(title, named.values())
    check_copies(len(after) + len(new))
    changed = tuple(copy for copy in after if copy not in before)
    if present is None:
        return _Step(title, new, new, (), "added", given.marc)
    fields = ("title", "authors", "isbn", "kind")
    changes = {name: getattr(given, name) for name in fields}
    title = amend(present, {**changes, "record": given_fields(given.record)})
    marc = given.marc if given.marc != kept else None
    if title is present and (new or changed or marc):
        title = next_version(title)
    outcome: Literal["changed", "unchanged"] = "unchanged" if title is present else "changed"
    return _Step(title, (*after, *new), new, changed, outcome, marc)


def _described(copy: Copy, given: NewCopy | None) -> Copy:
    if given is None:
        return copy
    changes = {
        "category": given.category,
        "branch_code": given.branch,
        "price_cents": given.price_cents,
        **({"volume": given.volume} if given.volume else {}),
        "record": given_fields(given.record) if given.record else {},
    }
    return describe(copy, changes)


def _copy(work: Work, barcode: str) -> Copy:
    copy = catalogue_store.copies_with(work, [barcode]).get(barcode)
    if copy is None:
        raise NoSuchCopy(barcode=barcode)
    return copy


def amend_copy(work: Work, barcode: str, changes: Mapping[str, Any], on: date) -> Copy:
    """Change the description of a copy (see `describe`); publish its title if something changed.

    Another category may let the copy serve a hold that waits. Raises NoSuchCopy.
    """
    copy = _copy(work, barcode)
    amended = describe(copy, changes)
    if amended is copy:
        return copy
    title = catalogue_store.get(work, copy.title_id)
    if title is None:
        raise NoSuchTitle
    catalogue_store.save_copies(work, [amended])
    title = next_version(title)
    copies = catalogue_store.copies_of(work, [title.id])
    catalogue_store.save(work, [title], copies)
    work.record(catalogue_events.catalogued(title, copies))
    served = serve(work, [copy.queue_id], on)
    return served[copy.id].copy if copy.id in served else amended


def set_work(work: Work, title_id: str, work_id: str | None, on: date) -> Catalogued:
    """Make a title an edition of a work, or of none; its waiting holds move to the other queue.

    They keep their order. Raises NoSuchTitle, or TitleReserved if holds on any edition name the
    title, or if others wait in the other queue: it is not known who of them came first.
    """
    title = catalogue_store.get(work, title_id)
    if title is None:
        raise NoSuchTitle
    copies = catalogue_store.copies_of(work, [title.id])
    if title.work_id == work_id:
        return Catalogued(title, tuple(copies))
    moved = next_version(replace(title, work_id=work_id))
    # First, so that nobody takes a place in one of the queues, or a copy for it, meanwhile.
    holds_store.take_turn(work, [title.queue_id, moved.queue_id])
    holds = holds_store.open_on(work, title.id)
    others = holds_store.open_in(work, work_id) if work_id and holds else 0
    if others or any(hold.any_edition for hold in holds):
        raise TitleReserved
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
        raise NoSuchBranch(branch=branch)
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
        raise NoSuchBranch(branch=branch)
    if loans_store.lost_of_copies(work, [copy.id]):
        raise LostByPatron
    holds_store.take_turn(work, [copy.queue_id])
    back = recover(copy, branch)
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
    out = _TAKE_OUT[fault](copy)
    catalogue_store.save_copies(work, [out])
    if out.state is CopyState.WITHDRAWN:
        catalogue_store.note_change(work, [copy.title_id])
    if copy.hold_id and (hold := holds_store.get(work, copy.hold_id)):
        waits = put_back(hold)
        holds_store.save(work, [waits])
        work.record(holds_events.changed(hold, waits))
        hand_out(work, [copy.queue_id], on)
    return Served(out, None)
