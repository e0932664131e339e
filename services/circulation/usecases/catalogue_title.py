"""Catalogue a title with its copies."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain.copy import Copy
from services.circulation.domain.refusals import BarcodeTaken
from services.circulation.domain.title import Title
from shared.contracts.circulation import CopyOut, TitleCatalogued
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
    """A title with its copies; the ISBN is in its normal form."""

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


async def catalogue_title(work: Work, command: CatalogueTitle) -> Catalogued:
    """The title as catalogued. Raises BarcodeTaken."""
    if taken := await store.titles.copies_with(work, [copy.barcode for copy in command.copies]):
        raise BarcodeTaken(barcode=min(taken))
    title = Title(new_id(), command.title, command.authors, command.isbn, command.kind)
    copies = tuple(
        Copy(new_id(), title.id, copy.barcode, copy.category, copy.branch, copy.price_cents)
        for copy in command.copies
    )
    await store.titles.add(work, title, copies)
    work.record(
        TitleCatalogued(
            version=title.version,
            title_id=title.id,
            title=title.title,
            authors=title.authors,
            isbn=title.isbn,
            kind=title.kind,
            copies=tuple(
                CopyOut(
                    copy_id=copy.id,
                    barcode=copy.barcode,
                    category=copy.category,
                    branch=copy.branch_code,
                )
                for copy in copies
            ),
        )
    )
    return Catalogued(title, copies)
