"""The import of MARC 21 records as titles of the catalogue.

Titles are checked with the model of the API's requests: an import accepts what the API accepts.

Fields and subfields are those of the MARC 21 Format for Bibliographic Data (Library of Congress).
Items in 952 are as Koha exports them, in 852 as in the MARC 21 Format for Holdings Data.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pymarc import Field, Record

from services.circulation.catalogue.routes.titles import TitleIn
from services.circulation.copies.commands import (
    Imported,
    ImportedTitle,
    ImportTitles,
    import_titles,
)
from services.circulation.rules.record import normal_isbn
from shared.clock import library_day
from shared.unit_of_work import Origin, UnitOfWork

Batch = dict[int, ImportedTitle]
"""Titles by the number of their record."""

MOST_CHARACTERS = 500
"""Characters kept of a title or a name; a longer one is cut."""

# Leader 06 and 07: the kind of material.
_KINDS = {
    "c": "score",
    "d": "score",
    "e": "map",
    "f": "map",
    "g": "video",
    "i": "audiobook",
    "j": "music",
    "k": "picture",
    "m": "software",
    "o": "kit",
    "p": "kit",
    "r": "object",
    "t": "manuscript",
}
_SERIALS = ("b", "i", "s")

# 008/22: the audience. Preschool, primary, pre-adolescent and juvenile are for children.
_CHILDREN, _YOUNG_ADULT = "abcj", "d"


def count(path: Path) -> int:
    """Return the number of records in a file."""
    with path.open("rb") as file:
        return sum(block.count(_END) for block in iter(lambda: file.read(_BLOCK), b""))


async def save(unit: UnitOfWork, titles: Iterable[ImportedTitle], origin: Origin) -> list[Imported]:
    """Save these titles in one transaction; return the result of each."""
    command = ImportTitles(tuple(titles), library_day(origin.now, unit.settings.zone))
    results, _ = await unit.run(import_titles, command, origin, within=60)
    return results or []


def records(file: BinaryIO) -> Iterator[Record | Exception]:
    """Yield each record of a file, or the error for a record that can't be read.

    Records are separated by their end byte, not by their stated length: a record with a wrong
    length is then one faulty record, and not the end of the file.
    """
    left = b""
    while block := file.read(_BLOCK):
        *whole, left = (left + block).split(_END)
        yield from (_record(piece) for piece in whole if piece.strip())
        if len(left) > _LONGEST:
            yield ValueError("no end of the record")
            return
    if left.strip():
        yield _record(left)


_END = b"\x1d"
_BLOCK = 1 << 20
_LONGEST = 10 * _BLOCK  # a record may have 99,999 bytes


def _record(piece: bytes) -> Record | Exception:
    try:
        return Record(piece.lstrip(b"\r\n") + _END)
    except Exception as error:  # noqa: BLE001 - any parser error is a fault of the record
        return error


def title_of(record: Record) -> ImportedTitle:
    """Return the title in a record. Raises ValueError, pydantic's for a field that the API refuses.

    A parallel title or name in another script (880) follows the romanised one, so that a search
    finds both.
    """
    numbers = [field.data.strip() for field in record.get_fields("001") if field.data]
    if not numbers or not 0 < len(numbers[0]) <= 100:
        raise ValueError("no control number (001)")
    source = [field.data.strip() for field in record.get_fields("003") if field.data]
    described = TitleIn.model_validate(
        {
            "title": _title(record),
            "authors": _authors(record)[:50],
            "isbn": _isbn(record),
            "kind": _kind(record),
            "copies": _copies(record),
        }
    )
    return ImportedTitle(
        control_number=f"{source[0]}/{numbers[0]}" if source else numbers[0],
        title=described.title,
        authors=described.authors,
        isbn=described.isbn,
        kind=described.kind,
        copies=tuple(copy.new() for copy in described.copies),
    )


def _title(record: Record) -> str:
    written = [_joined(field, "abnp") for field in _both_scripts(record, "245")]
    if not any(written):
        raise ValueError("no title (245)")
    return " = ".join(dict.fromkeys(text for text in written if text))[:MOST_CHARACTERS]


def _authors(record: Record) -> list[str]:
    names = [
        _joined(field, "a")
        for tag in ("100", "110", "111", "700", "710", "711")
        for field in _both_scripts(record, tag)
    ]
    return list(dict.fromkeys(name[:MOST_CHARACTERS] for name in names if name))


def _both_scripts(record: Record, tag: str) -> list[Field]:
    """Return the fields of a tag, followed by linked fields in another script."""
    linked = [
        field for field in record.get_fields("880") if (field.get("6") or "").startswith(f"{tag}-")
    ]
    return [*record.get_fields(tag), *linked]


def _joined(field: Field, codes: str) -> str:
    """Return subfields in one line, without ISBD punctuation at the end."""
    text = " ".join(field.get_subfields(*codes))
    text = "".join(letter for letter in text if letter.isprintable() or letter.isspace())
    return re.sub(r"[\s/:;,=]+$", "", " ".join(text.split()))


def _isbn(record: Record) -> str | None:
    """Return the first valid ISBN; many books have a wrong one in print, so that is no error."""
    for field in record.get_fields("020"):
        for written in field.get_subfields("a"):
            try:
                return normal_isbn(re.split(r"[\s(:]", written.strip(), maxsplit=1)[0])
            except ValueError:
                continue
    return None


def _kind(record: Record) -> str:
    leader = str(record.leader)
    if leader[6] == "a":
        return "periodical" if leader[7] in _SERIALS else "book"
    return _KINDS.get(leader[6], "other")


def _audience(record: Record) -> str:
    coded = [field.data or "" for field in record.get_fields("008")]
    letter = coded[0][22:23] if coded else ""
    if letter and letter in _CHILDREN:
        return "children"
    return "young-adult" if letter == _YOUNG_ADULT else "adult"


def _copies(record: Record) -> list[dict[str, Any]]:
    audience = _audience(record)
    found = []
    for field in record.get_fields("952", "852"):
        barcode, branch = field.get("p"), field.get("a" if field.tag == "952" else "b")
        if not barcode:
            continue  # holdings without an item
        if not branch:
            raise ValueError(f"no library of the item {barcode} ({field.tag})")
        price = field.get("v") if field.tag == "952" else None
        found.append(
            {
                "barcode": barcode.strip(),
                "branch": branch.strip(),
                "category": audience,
                "price_cents": _cents(price),
            }
        )
    return found


def _cents(price: str | None) -> int | None:
    """Return a price such as `128.00` in cents; None if no price can be read."""
    written = re.search(r"\d+(\.\d{1,2})?", price or "")
    return round(float(written[0]) * 100) if written else None
