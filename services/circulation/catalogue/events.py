"""The event of a title: its snapshot, with all its copies, after each change."""

from collections.abc import Iterable

from services.circulation.rules.copy import Copy
from services.circulation.rules.record import EMPTY, CopyRecord
from services.circulation.rules.title import Title
from shared.contracts.catalogue import CopyOut, CopyRecordOut, RecordOut, TitleCatalogued


def catalogued(title: Title, copies: Iterable[Copy]) -> TitleCatalogued:
    """Return the event with the title and all its copies as they are now."""
    return TitleCatalogued(
        version=title.version,
        title_id=title.id,
        title=title.title,
        authors=title.authors,
        isbn=title.isbn,
        kind=title.kind,
        work_id=title.work_id,
        copies=tuple(
            CopyOut(
                copy_id=copy.id,
                barcode=copy.barcode,
                category=copy.category,
                branch=copy.branch_code,
                record=_described(copy.record) if copy.record else None,
                volume=copy.volume,
            )
            for copy in copies
        ),
        record=(
            None
            if title.record == EMPTY
            else RecordOut.model_validate(title.record, from_attributes=True)
        ),
    )


def _described(record: CopyRecord) -> CopyRecordOut:
    return CopyRecordOut(
        call_number=record.call_number.number if record.call_number else None,
        scheme=record.call_number.scheme if record.call_number else None,
        shelf_location=record.shelf_location,
        collection=record.collection,
        supplier=record.supplier,
        condition=record.condition,
        acquired_on=record.acquired_on,
    )
