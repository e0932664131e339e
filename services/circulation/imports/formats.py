"""Titles to import from MARC records; the command and the API read them alike.

Titles are checked with the model of the API's requests: an import accepts what the API accepts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pymarc import Record

from services.circulation.catalogue.commands import NewCopy
from services.circulation.catalogue.formats.marc import Described, Fault, read, to_bytes
from services.circulation.catalogue.formats.marc_files import CUT_OFF, CutOffError, Found
from services.circulation.catalogue.routes.titles import TitleIn
from services.circulation.rules.record import Record as TitleRecord
from shared.mongo import plain


@dataclass(frozen=True)
class ImportedTitle:
    """A title in another system, with the copies that it has there."""

    control_number: str
    title: str
    authors: tuple[str, ...]
    isbn: str | None
    kind: str
    copies: tuple[NewCopy, ...]
    record: TitleRecord
    marc: bytes
    """The whole record there, to be kept: see `catalogue.formats`."""


@dataclass(frozen=True)
class Entry:
    """A record of a file; without a title it can't be imported, for the reason."""

    number: int
    """Its place in the file, from 1."""
    known_as: str
    """Its control number, as far as it can be read."""
    title: ImportedTitle | None
    reason: str = ""
    faults: Sequence[Fault] = ()
    """Its parts that can't be read."""

    @property
    def keys(self) -> set[str]:
        """The control number and the barcodes, which occur once in a transaction."""
        if self.title is None:
            return set()
        return {self.known_as, *(f"item {copy.barcode}" for copy in self.title.copies)}


def entries(records: Iterable[Found]) -> Iterator[Entry]:
    """Yield an entry for each record of a file."""
    for number, found in enumerate(records, 1):
        if isinstance(found, CutOffError):
            yield Entry(number, "", None, CUT_OFF)
            continue
        if isinstance(found, Exception):
            yield Entry(number, "", None, f"can't be read: {type(found).__name__} {found}")
            continue
        try:
            title, faults = title_of(found[0])
        except (ValueError, IndexError, KeyError) as error:
            yield Entry(number, _control_number(found[0]), None, in_words(error))
        else:
            yield Entry(number, title.control_number, title, faults=(*found[1], *faults))


def batches(found: Iterable[Entry], most: int) -> Iterator[list[Entry]]:
    """Yield the entries in lists of at most `most`, in none of which a key occurs twice."""
    batch: list[Entry] = []
    keys: set[str] = set()
    for entry in found:
        if len(batch) == most or entry.keys & keys:
            yield batch
            batch, keys = [], set()
        batch.append(entry)
        keys |= entry.keys
    if batch:
        yield batch


def title_of(record: Record) -> tuple[ImportedTitle, Sequence[Fault]]:
    """Return the title in a record, and the parts of the record that can't be read.

    Raises ValueError, pydantic's for a field that the API refuses.
    """
    found = read(record)
    described = TitleIn.model_validate(_as_body(found))
    return ImportedTitle(
        control_number=found.control_number,
        title=described.title,
        authors=described.authors,
        isbn=described.isbn,
        kind=described.kind,
        copies=tuple(copy.new() for copy in described.copies),
        record=described.record.new(),
        marc=to_bytes(record),
    ), found.faults


def _as_body(found: Described) -> dict[str, object]:
    return {
        "title": found.title,
        "authors": found.authors,
        "isbn": found.isbn,
        "kind": found.kind,
        "record": {name: value for name, value in plain(found.record).items() if value},
        "copies": [
            {name: value for name, value in plain(item).items() if value is not None}
            for item in found.items
        ],
    }


def _control_number(record: Record) -> str:
    return " ".join(field.data.strip() for field in record.get_fields("001") if field.data)[:100]


def in_words(error: Exception) -> str:
    """Describe an error without the value, which may be personal."""
    if isinstance(error, ValidationError):
        return "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        )
    return str(error) or type(error).__name__
