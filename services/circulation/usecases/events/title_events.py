"""Publish a title's snapshot after each change."""

from collections.abc import Iterable

from services.circulation.domain.copy import Copy
from services.circulation.domain.title import Title
from shared.contracts.circulation import CopyOut, TitleCatalogued
from shared.unit_of_work import Work


def tell(work: Work, title: Title, copies: Iterable[Copy]) -> None:
    """Record the event with the title and all its copies as they are now."""
    work.record(catalogued(title, copies))


def catalogued(title: Title, copies: Iterable[Copy]) -> TitleCatalogued:
    """Return the event with the title and all its copies as they are now."""
    return TitleCatalogued(
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
