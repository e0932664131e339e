"""Catalogue titles and correct them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.circulation import refusals
from services.circulation.catalogue import events, store
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.record import EMPTY, CopyRecord, Record
from services.circulation.rules.title import Title, amend
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NewCopy:
    """A copy to be catalogued; its price is in cents."""

    barcode: str
    category: str
    branch: str
    price_cents: int | None
    record: CopyRecord | None = None
    state: CopyState = CopyState.AVAILABLE
    volume: str | None = None


@dataclass(frozen=True)
class CatalogueTitle:
    """Command to catalogue a title with its copies; the ISBN is in its normal form."""

    title: str
    authors: tuple[str, ...]
    isbn: str | None
    kind: str
    copies: tuple[NewCopy, ...]
    record: Record = EMPTY


@dataclass(frozen=True)
class Catalogued:
    """A title and its copies."""

    title: Title
    copies: tuple[Copy, ...]


def catalogue_title(work: Work, command: CatalogueTitle) -> Catalogued:
    """Catalogue the title. Raises BarcodeTaken."""
    if taken := store.copies_with(work, [copy.barcode for copy in command.copies]):
        raise refusals.BarcodeTaken(barcode=min(taken))
    title = Title(
        new_id(),
        command.title,
        command.authors,
        command.isbn,
        command.kind,
        record=command.record,
    )
    copies = new_copies(title, command.copies)
    store.add(work, [title], copies)
    store.add_copies(work, copies)
    work.record(events.catalogued(title, copies))
    return Catalogued(title, copies)


def new_copies(title: Title, copies: Iterable[NewCopy]) -> tuple[Copy, ...]:
    """Return new copies of a title, each at the branch that owns it."""
    return tuple(
        Copy(
            new_id(),
            title.id,
            copy.barcode,
            copy.category,
            copy.branch,
            copy.price_cents,
            copy.state,
            record=copy.record,
            volume=copy.volume,
            work_id=title.work_id,
        )
        for copy in copies
    )


def amend_title(
    work: Work, title_id: str, changes: Mapping[str, Any], seen: int | None = None
) -> Catalogued:
    """Change some fields of a title; publish it if something changed.

    Changes of its record are given as a mapping of that record's fields. Raises NoSuchTitle, or
    ChangedMeanwhile if its version is not the one that was seen.
    """
    title = or_refuse(store.get(work, title_id), refusals.NoSuchTitle)
    if seen not in (None, title.version):
        raise refusals.ChangedMeanwhile
    copies = store.copies_of(work, [title.id])
    amended = amend(title, changes)
    if amended is not title:
        store.save(work, [amended], copies)
        work.record(events.catalogued(amended, copies))
    return Catalogued(amended, tuple(copies))
