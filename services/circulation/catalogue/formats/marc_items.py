"""The items of a MARC 21 record as copies, and back.

Items in 952 are as Koha exports them, in 852 as in the MARC 21 Format for Holdings Data.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from pymarc import Field, Indicators
from pymarc import Record as Marc

from services.circulation.rules.call_number import CallNumber
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.record import CopyRecord

_SCHEMES = {"0": "lcc", "1": "ddc", "2": "nlm", "3": "other", "8": "other"}
"""852, first indicator: the scheme of the call number; 7: it is in $2."""


@dataclass(frozen=True)
class Item:
    """A copy as an item's field describes it."""

    barcode: str
    branch: str
    category: str
    price_cents: int | None
    volume: str | None
    record: CopyRecord
    state: CopyState


def items_of(marc: Marc, category: str) -> Iterator[Item]:
    """Yield the items with a barcode. Raises ValueError for one without a library."""
    for field in marc.get_fields("952", "852"):
        if not _text(field, "p"):
            continue  # holdings without an item
        item = _item(field, category)
        if not item.branch:
            raise ValueError(f"no library of the item {item.barcode} ({field.tag})")
        yield item


def _item(field: Field, category: str) -> Item:
    if field.tag == "952":
        return Item(
            barcode=_text(field, "p") or "",
            branch=_text(field, "a") or _text(field, "b") or "",
            category=category,
            price_cents=_cents(field.get("v") or field.get("g")),
            volume=_text(field, "h"),
            record=CopyRecord(
                call_number=_call_number(_text(field, "o"), field.get("2")),
                shelf_location=_text(field, "c"),
                collection=_text(field, "8"),
                supplier=_text(field, "e"),
                acquired_on=_day(field.get("d")),
            ),
            state=CopyState.ON_ORDER if field.get("7") == "-1" else CopyState.AVAILABLE,
        )
    number = " ".join(field.get_subfields("k", "h", "i", "m")).strip()
    return Item(
        barcode=_text(field, "p") or "",
        branch=_text(field, "b") or "",
        category=category,
        price_cents=None,
        volume=_text(field, "3"),
        record=CopyRecord(
            call_number=_call_number(
                number[:100] or None, _SCHEMES.get(field.indicator1 or "") or field.get("2")
            ),
            shelf_location=_text(field, "c"),
        ),
        state=CopyState.AVAILABLE,
    )


def write_items(copies: Iterable[Copy], marc: Marc) -> None:
    """Write copies into the fields of their items, or into new fields 952.

    Subfields that say the same already stay as they are.
    """
    present = {text: one for one in marc.get_fields("952", "852") if (text := _text(one, "p"))}
    for copy in copies:
        field = present.get(copy.barcode)
        if field is None:
            field = Field("952", Indicators(" ", " "), [])
            marc.fields.append(field)
        _write(copy, field)


def _write(copy: Copy, field: Field) -> None:
    now = _item(field, copy.category)
    record = copy.record or CopyRecord()
    written: dict[str, str | None] = {}
    koha = field.tag == "952"
    if now.branch != copy.branch_code:
        written["a" if koha else "b"] = copy.branch_code
    if now.record.shelf_location != record.shelf_location:
        written["c"] = record.shelf_location
    if now.volume != copy.volume:
        written["h" if koha else "3"] = copy.volume
    if now.record.call_number != record.call_number:
        number = record.call_number
        if koha:
            written |= {"o": number.number if number else None}
            written |= {"2": number.scheme if number else None}
        else:
            written |= {"k": None, "h": number.number if number else None, "i": None, "m": None}
            schemes = {name: code for code, name in _SCHEMES.items()}
            code = schemes.get(number.scheme, "7") if number else field.indicator1
            written |= {"2": number.scheme if number and code == "7" else None}
            field.indicators = Indicators(code or " ", field.indicator2 or " ")
    if koha and now.price_cents != copy.price_cents:
        cents = copy.price_cents
        written["v"] = None if cents is None else f"{cents // 100}.{cents % 100:02d}"
    if koha and now.record.collection != record.collection:
        written["8"] = record.collection
    if koha and now.record.supplier != record.supplier:
        written["e"] = record.supplier
    if koha and now.record.acquired_on != record.acquired_on:
        written["d"] = record.acquired_on.isoformat() if record.acquired_on else None
    if now.barcode != copy.barcode:
        written["p"] = copy.barcode
    set_subfields(field, written)


def set_subfields(field: Field, values: Mapping[str, str | None]) -> None:
    """Give each of these subfields one value, at the place of the first; None removes them."""
    for code, value in values.items():
        places = [at for at, each in enumerate(field.subfields) if each.code == code]
        field.subfields = [each for each in field.subfields if each.code != code]
        if value:
            field.add_subfield(code, value, pos=places[0] if places else None)


def _text(field: Field, code: str) -> str | None:
    """Return a subfield in one line, at most 100 characters; None if it is missing or empty."""
    text = "".join(one for one in field.get(code) or "" if one.isprintable() or one.isspace())
    return " ".join(text.split())[:100].strip() or None


def _call_number(number: str | None, scheme: str | None) -> CallNumber | None:
    """Return a call number; one without a scheme is a decimal one if it has its form."""
    if not number:
        return None
    number = " ".join("".join(one for one in number if one.isprintable()).split())
    if scheme not in ("ddc", "lcc", "nlm", "udc", "ccl", "clc"):
        decimal = not scheme and re.match(r"(\S{1,4} )?\d{1,3}(\.\d+)?(\s|$)", number)
        scheme = "ddc" if decimal else "other"
    return CallNumber(number, scheme)


def _day(text: str | None) -> date | None:
    try:
        day = date.fromisoformat((text or "").strip()[:10])
    except ValueError:
        return None
    return day if day.year >= 1900 else None


def _cents(price: str | None) -> int | None:
    """Return a price such as `128.00` in cents; None if no price can be read."""
    written = re.search(r"\d+(\.\d{1,2})?", price or "")
    return round(float(written[0]) * 100) if written else None
