"""Import titles from another system, many in one transaction.

A repeated import saves only what changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.circulation import store
from services.circulation.domain.copy import Copy, describe
from services.circulation.domain.refusals.refusal import ItemRefusal, Refusal
from services.circulation.domain.refusals.titles import BarcodeTaken
from services.circulation.domain.title import Title, amend, check_copies, next_version
from services.circulation.usecases.commands.catalogue_title import NewCopy, new_copies
from services.circulation.usecases.events import title_events
from services.circulation.usecases.steps.serve_queue import serve
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ImportedTitle:
    """A title in another system, with the copies that it has there."""

    control_number: str
    title: str
    authors: tuple[str, ...]
    isbn: str | None
    kind: str
    copies: tuple[NewCopy, ...]


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


def import_titles(work: Work, command: ImportTitles) -> list[Imported]:
    """Import the titles; return the outcome for each, in the order of the command.

    Each title is imported or refused on its own. A title is recognised by its control number, a
    copy by its barcode. Copies that the other system no longer names stay: the staff decide whether
    to withdraw them.
    """
    known = store.titles.imported_as(work, [title.control_number for title in command.titles])
    barcodes = [copy.barcode for title in command.titles for copy in title.copies]
    by_barcode = store.titles.copies_with(work, barcodes)
    by_title: dict[str, list[Copy]] = {title.id: [] for title in known.values()}
    for copy in store.titles.copies_of(work, by_title.keys()):
        by_title[copy.title_id].append(copy)

    results: list[Imported] = []
    steps: list[_Step] = []
    for given in command.titles:
        present = known.get(given.control_number)
        try:
            copies = by_title[present.id] if present else []
            step = _step(given, present, copies, by_barcode)
        except Refusal as refusal:
            results.append(Imported("refused", ItemRefusal.by(refusal)))
        else:
            steps.append(step)
            results.append(Imported(step.outcome))

    steps = [step for step in steps if step.outcome != "unchanged"]
    store.titles.add(work, [step.title for step in steps if step.outcome == "added"])
    store.titles.save(work, [step.title for step in steps if step.outcome == "changed"])
    store.titles.add_copies(work, [copy for step in steps for copy in step.new])
    store.titles.save_copies(work, [copy for step in steps for copy in step.changed])
    for step in steps:
        work.record(title_events.catalogued(step.title, step.copies))
    grown = {step.title.id for step in steps if step.outcome == "changed" and step.new}
    if grown:  # patrons may wait for a known title; nobody waits for a new one
        serve(work, grown, command.on)
    return results


def _step(
    given: ImportedTitle,
    present: Title | None,
    before: Sequence[Copy],
    by_barcode: Mapping[str, Copy],
) -> _Step:
    """Return the step that imports one title. Raises BarcodeTaken or TooManyCopies."""
    title = present or Title(
        id=new_id(),
        title=given.title,
        authors=given.authors,
        isbn=given.isbn,
        kind=given.kind,
        control_number=given.control_number,
    )
    named = {copy.barcode: copy for copy in given.copies}
    for barcode in named:
        if barcode in by_barcode and by_barcode[barcode].title_id != title.id:
            raise BarcodeTaken(barcode=barcode)
    after = tuple(_described(copy, named.pop(copy.barcode, None)) for copy in before)
    new = new_copies(title.id, named.values())
    check_copies(len(after) + len(new))
    changed = tuple(copy for copy in after if copy not in before)
    if present is None:
        return _Step(title, new, new, (), "added")
    fields = ("title", "authors", "isbn", "kind")
    title = amend(present, {name: getattr(given, name) for name in fields})
    if title is present and (new or changed):
        title = next_version(title)
    return _Step(
        title, (*after, *new), new, changed, "unchanged" if title is present else "changed"
    )


def _described(copy: Copy, given: NewCopy | None) -> Copy:
    if given is None:
        return copy
    return describe(
        copy, category=given.category, branch_code=given.branch, price_cents=given.price_cents
    )
