"""Catalogue a title with its copies."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain.copy import Copy
from services.circulation.domain.refusals.titles import BarcodeTaken
from services.circulation.domain.title import Title
from services.circulation.usecases.events import title_events
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NewCopy:
    """A copy to be catalogued; its price is in cents."""

    barcode: str
    category: str
    branch: str
    price_cents: int | None


@dataclass(frozen=True)
class CatalogueTitle:
    """Command to catalogue a title with its copies; the ISBN is in its normal form."""

    title: str
    authors: tuple[str, ...]
    isbn: str | None
    kind: str
    copies: tuple[NewCopy, ...]


@dataclass(frozen=True)
class Catalogued:
    """A title and its copies."""

    title: Title
    copies: tuple[Copy, ...]


def catalogue_title(work: Work, command: CatalogueTitle) -> Catalogued:
    """Catalogue the title. Raises BarcodeTaken."""
    if taken := store.titles.copies_with(work, [copy.barcode for copy in command.copies]):
        raise BarcodeTaken(barcode=min(taken))
    title = Title(new_id(), command.title, command.authors, command.isbn, command.kind)
    copies = new_copies(title.id, command.copies)
    store.titles.add(work, [title])
    store.titles.add_copies(work, copies)
    work.record(title_events.catalogued(title, copies))
    return Catalogued(title, copies)


def new_copies(title_id: str, copies: Iterable[NewCopy]) -> tuple[Copy, ...]:
    """Return new copies, each at the branch that owns it."""
    return tuple(
        Copy(new_id(), title_id, copy.barcode, copy.category, copy.branch, copy.price_cents)
        for copy in copies
    )
