"""Import titles from MARC records, and files of them step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Literal, TypeVar

from services.circulation.catalogue import events as catalogue_events
from services.circulation.catalogue import store as catalogue_store
from services.circulation.catalogue.commands import NewCopy, new_copies
from services.circulation.catalogue.formats.marc_written import written
from services.circulation.holds.commands.queue import serve
from services.circulation.imports import store
from services.circulation.imports.formats import Entry, ImportedTitle, title_of
from services.circulation.imports.refusals import NoSuchImport
from services.circulation.imports.store import Row, TitleImport
from services.circulation.refusals import BarcodeTaken, ItemRefusal, Refusal
from services.circulation.rules.copy import Copy, describe
from services.circulation.rules.record import CopyRecord, Record, given_fields
from services.circulation.rules.title import Title, amend, check_copies, next_version
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


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
    changes: tuple[str, ...] = ()
    """Names of the fields that changed, of the title and of its record, and `copies`."""
    new_copies: int = 0


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
    changes: tuple[str, ...] = ()
    """Names of the fields that change."""


def import_titles(work: Work, command: ImportTitles) -> list[Imported]:
    """Import the titles; return the outcome for each, in the order of the command.

    Each title is imported or refused on its own. A title is recognised by its control number, a
    copy by its barcode. Copies that the other system no longer names stay: the staff decide whether
    to withdraw them. So do fields of records of which it says nothing, and those that it gives as
    an export of this moment would.
    """
    steps, results = _steps(work, command)
    _save_imported(work, steps, command.on)
    return results


def preview_titles(work: Work, command: ImportTitles) -> list[Imported]:
    """Return what `import_titles` would do, without doing it."""
    return _steps(work, command)[1]


def _steps(work: Work, command: ImportTitles) -> tuple[list[_Step], list[Imported]]:
    """Return the steps that change something, and the outcome for each title."""
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
            if step.outcome == "changed" and present:
                echoless, marc = _without_echo(given, present, copies, marc)
                step = _step(echoless, present, copies, by_barcode, marc)
        except Refusal as refusal:
            results.append(Imported("refused", ItemRefusal.by(refusal)))
        else:
            steps.append(step)
            results.append(Imported(step.outcome, None, step.changes, len(step.new)))
    return [step for step in steps if step.outcome != "unchanged"], results


def _save_imported(work: Work, steps: Sequence[_Step], on: date) -> None:
    """Save and publish the titles and copies after their import."""
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
        serve(work, grown, on)


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
    if title is present:
        return _Step(title, after, (), (), "unchanged")
    record = [name for name in given_fields(given.record) if _differs(present, title, name)]
    own = [name for name in fields if getattr(present, name) != getattr(title, name)]
    names = (*own, *record, *(["copies"] if changed else []), *(["marc"] if marc else []))
    return _Step(title, (*after, *new), new, changed, "changed", marc, names)


def _without_echo(
    given: ImportedTitle, present: Title, copies: Sequence[Copy], kept: bytes | None
) -> tuple[ImportedTitle, bytes | None]:
    """Replace each value that an export would give too by the present one, as MARC may lose some.

    Returns the title, and the MARC record with which to compare its record.
    """
    record = written(present, sorted(copies, key=lambda copy: copy.barcode), kept)
    try:
        exported, _ = title_of(record)
    except ValueError:  # no import accepts this export
        return given, kept
    now = replace(
        given,
        title=present.title,
        authors=present.authors,
        isbn=present.isbn,
        kind=present.kind,
        record=_corrected(given.record, exported.record, present.record),
    )
    present_copies = {copy.barcode: copy for copy in copies}
    exported_copies = {copy.barcode: copy for copy in exported.copies}
    items = tuple(
        _corrected_copy(copy, exported_copies[copy.barcode], present_copies[copy.barcode])
        if copy.barcode in exported_copies.keys() & present_copies.keys()
        else copy
        for copy in given.copies
    )
    known = exported.marc if given.marc == exported.marc else kept
    return replace(_corrected(given, exported, now), record=now.record, copies=items), known


def _corrected_copy(given: NewCopy, exported: NewCopy, present: Copy) -> NewCopy:
    none = CopyRecord()
    record = _corrected(given.record or none, exported.record or none, present.record or none)
    now = replace(
        given,
        category=present.category,
        branch=present.branch_code,
        price_cents=present.price_cents,
        volume=present.volume,
    )
    return replace(_corrected(given, exported, now), record=record)


_Values = TypeVar("_Values", ImportedTitle, Record, NewCopy, CopyRecord)


def _corrected(given: _Values, exported: _Values, now: _Values) -> _Values:
    """Return the present values with those given ones that differ from an export's."""
    names = [field.name for field in fields(given)]
    same = [name for name in names if getattr(given, name) == getattr(exported, name)]
    return replace(given, **{name: getattr(now, name) for name in same})


def _differs(before: Title, after: Title, field: str) -> bool:
    return bool(getattr(before.record, field) != getattr(after.record, field))


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


def row_of(entry: Entry, imported: Imported | None) -> Row:
    """Return the report of a record; None: it was refused before."""
    title = entry.title.title if entry.title else ""
    faults = tuple((fault.field, fault.reason) for fault in entry.faults)
    row = Row(entry.number, entry.known_as, title, "refused", entry.reason, faults=faults)
    if imported is None:
        return row
    reason = imported.refused.reason if imported.refused else ""
    return replace(
        row,
        outcome=imported.outcome,
        reason=reason,
        changes=imported.changes,
        new_copies=imported.new_copies,
    )


def import_next(
    work: Work, import_id: str, before: int, batch: Sequence[Entry], on: date
) -> TitleImport:
    """Import the records after the first `before` ones; return the import with their report.

    If another step has imported them already, nothing changes. Raises NoSuchImport.
    """
    present = or_refuse(store.get(work, import_id), NoSuchImport)
    if present.done != before:
        return present
    titles = [entry.title for entry in batch if entry.title]
    results = iter(import_titles(work, ImportTitles(tuple(titles), on)))
    now = [row_of(entry, next(results) if entry.title else None) for entry in batch]
    rows = (*present.rows[:before], *now, *present.rows[before + len(now) :])
    done = before + len(now)
    store.note_rows(work, present, rows, done)
    return replace(present, rows=rows, done=done)
