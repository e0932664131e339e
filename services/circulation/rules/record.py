"""The records of a title and of a copy: what the catalogue says beyond what lending needs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from services.circulation.rules.call_number import CallNumber


@dataclass(frozen=True, slots=True)
class Series:
    """A series that a title belongs to."""

    title: str
    number: str | None = None
    """Its number in the series, as printed, such as `vol. 3`."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A number under which the trade or other libraries know a title."""

    scheme: str
    """`isbn`, `issn` or `ean`."""
    value: str
    """Its normal form: see `normal_identifier`."""


@dataclass(frozen=True, slots=True)
class Record:
    """A bibliographic record; an empty field is not known."""

    languages: tuple[str, ...] = ()
    """Codes of three letters, by ISO 639-2/B, as in MARC 21."""
    edition: str | None = None
    publisher: str | None = None
    place: str | None = None
    """Place of publication."""
    year: int | None = None
    """Year of publication; of a periodical, that of its first issue."""
    series: tuple[Series, ...] = ()
    subjects: tuple[str, ...] = ()
    extent: str | None = None
    """Extent as printed in catalogues, such as `312 pages : illustrations ; 21 cm`."""
    audience: str | None = None
    """`children`, `young-adult` or `adult`."""
    summary: str | None = None
    contents: str | None = None
    cover: str | None = None
    """Address of a picture of the cover."""
    identifiers: tuple[Identifier, ...] = ()
    """Further ISBNs, ISSNs and EANs beside the ISBN of the title."""
    original_title: str | None = None
    """Title of the work in its original language, or its uniform title."""
    other_titles: tuple[str, ...] = ()
    """The title in other scripts and variants, such as the Chinese one of a romanised record."""

    def words(self) -> Iterable[str]:
        """Yield the texts by which a search finds the title."""
        yield from self.subjects
        yield from (each.title for each in self.series)
        yield from self.other_titles
        if self.original_title:
            yield self.original_title
        yield from (each.value for each in self.identifiers)


EMPTY = Record()


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """A description of one copy; an empty field is not known."""

    call_number: CallNumber | None = None
    shelf_location: str | None = None
    """Place in its library, such as `Reference, 3/F`."""
    collection: str | None = None
    """Collection that it belongs to, such as `Local history`."""
    supplier: str | None = None
    condition: str | None = None
    """State of preservation in the words of the staff, such as `spine repaired`."""
    acquired_on: date | None = None
    note: str | None = None
    """Note of the staff; no event has it."""


def given_fields(record: Record | CopyRecord) -> dict[str, Any]:
    """Return the fields of a record that say something."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {name: value for name, value in values.items() if value}


def normal_isbn(text: str) -> str:
    """Return an ISBN as 13 digits, without hyphens.

    The check digits are those of ISO 2108: weights 10 to 1 modulo 11 for ten digits, 1 and 3 in
    turn modulo 10 for thirteen. Raises ValueError if the check digit is wrong or `text` is no ISBN.
    """
    digits = re.sub(r"[\s-]", "", text).upper()
    if re.fullmatch(r"[0-9]{9}[0-9X]", digits):
        if _elevens(digits, 10):
            raise ValueError("the check digit of this ISBN is wrong")
        digits = f"978{digits[:9]}"
        return digits + str(-_weighed(digits) % 10)
    if re.fullmatch(r"97[89][0-9]{10}", digits):
        if _weighed(digits) % 10:
            raise ValueError("the check digit of this ISBN is wrong")
        return digits
    raise ValueError("an ISBN has 10 or 13 digits")


def isbn_of_ten(isbn: str) -> str | None:
    """Return the form of ten digits of an ISBN in its normal form; None: it has none (979…)."""
    if not isbn.startswith("978"):
        return None
    digits = isbn[3:12]
    check = -_elevens(f"{digits}0", 10) % 11
    return digits + ("X" if check == 10 else str(check))


def normal_identifier(scheme: str, text: str) -> str:
    """Return an ISBN as 13 digits, an ISSN as `1234-5679`, an EAN as its 8, 12 or 13 digits.

    The check digits of an ISSN are those of ISO 3297: weights 8 to 1 modulo 11. Raises ValueError.
    """
    if scheme == "isbn":
        return normal_isbn(text)
    digits = re.sub(r"[\s-]", "", text).upper()
    if scheme == "issn":
        if not re.fullmatch(r"[0-9]{7}[0-9X]", digits):
            raise ValueError("an ISSN has 8 digits")
        if _elevens(digits, 8):
            raise ValueError("the check digit of this ISSN is wrong")
        return f"{digits[:4]}-{digits[4:]}"
    if not re.fullmatch(r"[0-9]{8}|[0-9]{12,13}", digits):
        raise ValueError("an EAN has 8, 12 or 13 digits")
    if _weighed(digits.zfill(13)) % 10:
        raise ValueError("the check digit of this EAN is wrong")
    return digits


def _weighed(digits: str) -> int:
    return sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(digits))


def _elevens(digits: str, weight: int) -> int:
    """Return the sum of the digits (X is 10) with weights from `weight` down to 1, modulo 11."""
    values = [10 if digit == "X" else int(digit) for digit in digits]
    return sum(value * (weight - at) for at, value in enumerate(values)) % 11
