"""Files of MARC 21 records: ISO 2709 in UTF-8 or MARC-8, and MARCXML."""

import logging
import re
import warnings
import xml.sax
import xml.sax.handler
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pymarc import Field, RawField, Record, Subfield, record_to_xml
from pymarc.marcxml import XmlHandler

from services.circulation.catalogue.formats import marc8
from services.circulation.catalogue.formats.marc import Fault

Found = tuple[Record, list[Fault]] | Exception
"""A record with the fields that can't be decoded, or the error for one that can't be read."""

CUT_OFF = (
    "The file ends too early, as after a download that broke off: records may be missing. Get the "
    "whole file, and import it again."
)


class CutOffError(ValueError):
    """A file that ends within a record, or within MARCXML."""


_END = b"\x1d"
_BLOCK = 1 << 20
_LONGEST = 10 * _BLOCK  # a record may have 99,999 bytes
_START_OF_RECORD = re.compile(rb"<(?:\w+:)?record[\s>]")


def _is_xml(file: BinaryIO) -> bool:
    """Return whether a file is MARCXML and not ISO 2709, whose records begin with a number."""
    begin = file.read(64)
    file.seek(0)
    return begin.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")


def count(path: Path) -> int:
    """Return the number of records in a file."""
    found, left = 0, b""
    with path.open("rb") as file:
        xml_file = _is_xml(file)
        for block in iter(lambda: file.read(_BLOCK), b""):
            if not xml_file:
                found += block.count(_END)
                continue
            found += len(_START_OF_RECORD.findall(left + block))
            left = re.sub(_START_OF_RECORD, b"", (left + block)[-20:])
    return found


def records(path: Path) -> Iterator[Found]:
    """Yield each record of a file; only one block of it is in memory at a time."""
    with path.open("rb") as file:
        yield from records_in(file)


def records_in(file: BinaryIO) -> Iterator[Found]:
    """Yield each record of an open file."""
    yield from _in_xml(file) if _is_xml(file) else _in_iso2709(file)


def _in_iso2709(file: BinaryIO) -> Iterator[Found]:
    """Yield the records of ISO 2709.

    They are separated by their end byte, not by their stated length: a record with a wrong length
    is then one faulty record, and not the end of the file.
    """
    left = b""
    while block := file.read(_BLOCK):
        *whole, left = (left + block).split(_END)
        yield from (_decoded(piece) for piece in whole if piece.strip())
        if len(left) > _LONGEST:
            yield ValueError("no end of the record")
            return
    left = left.strip(b" \r\n\t\0\x1a")  # some systems fill the end
    if left:
        yield CutOffError(CUT_OFF) if left[:5].isdigit() else _decoded(left)


class _Complaints(logging.Handler):
    """Collects what pymarc logs of a record, such as missing indicators."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: list[str] = []
        logger = logging.getLogger("pymarc")
        logger.addHandler(self)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self._texts.append(record.getMessage())

    def take(self) -> list[str]:
        """Return the messages since the last call."""
        texts, self._texts = self._texts, []
        return texts


_complaints = _Complaints()


def _decoded(piece: bytes) -> Found:
    try:
        raw = Record()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            raw.decode_marc(piece.lstrip(b"\r\n") + _END, to_unicode=False)
    except Exception as error:  # noqa: BLE001 - any parser error is a fault of the record
        _complaints.take()
        return error
    faults = [Fault("indicators", text[:200]) for text in _complaints.take()]
    faults += [Fault("subfield", str(one.message)[:200]) for one in warned]
    unicode = raw.leader[9] == "a"
    record = Record()
    record.leader = raw.leader
    record.leader.coding_scheme = "a"

    def text(value: Any, place: str) -> str:
        try:
            return value.decode("utf-8") if unicode else marc8.decode(value)
        except ValueError as error:
            faults.append(Fault(place, f"wrong characters: {error}"))
            return str(value.decode("utf-8" if unicode else "ascii", "replace"))

    for field in raw.fields:
        if field.control_field:
            record.fields.append(Field(field.tag, data=text(field.data, field.tag)))
            continue
        subfields = [
            Subfield(code, text(value, f"{field.tag} ${code}")) for code, value in field.subfields
        ]
        record.fields.append(Field(field.tag, field.indicators, subfields))
    return record, faults


def _in_xml(file: BinaryIO) -> Iterator[Found]:
    """Yield the records of MARCXML."""
    handler = _Records()
    # Its parser, expat, limits the growth of entities, and reads no external ones.
    parser = xml.sax.make_parser()  # noqa: S317
    parser.setContentHandler(handler)
    parser.setFeature(xml.sax.handler.feature_namespaces, 1)
    try:
        while block := file.read(_BLOCK // 16):
            parser.feed(block)  # type: ignore[attr-defined]
            yield from handler.take()
    except xml.sax.SAXException as error:
        yield from handler.take()
        yield ValueError(f"the file is no XML from here: {error}")
        return
    try:
        parser.close()  # type: ignore[attr-defined]
    except xml.sax.SAXException:
        yield CutOffError(CUT_OFF)


class _Records(XmlHandler):
    """Collects the records of a block; one with an element without its tag or code is an error."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._found: list[Found] = []
        self._error: Exception | None = None

    def take(self) -> list[Found]:
        """Return the records since the last call."""
        found, self._found = self._found, []
        return found

    def process_record(self, record: Record) -> None:
        """Keep a record."""
        record.leader.coding_scheme = "a"
        self._found.append(self._error or (record, []))
        self._error = None

    def startElementNS(self, name: Any, qname: Any, attrs: Any) -> None:  # noqa: N802 - of SAX
        """Begin an element."""
        self._do(super().startElementNS, name, qname, attrs)

    def endElementNS(self, name: Any, qname: Any) -> None:  # noqa: N802 - of SAX
        """End an element."""
        self._do(super().endElementNS, name, qname)

    def _do(self, step: Callable[..., None], name: Any, *rest: Any) -> None:
        try:
            step(name, *rest)
        except Exception as error:  # noqa: BLE001 - any parser error is a fault of the record
            self._error = ValueError(f"{type(error).__name__} in <{name[1]}>: {error}")


# ---- writing ------------------------------------------------------------------------------------

XML_BEGIN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<collection xmlns="http://www.loc.gov/MARC21/slim">\n'
)
XML_END = b"</collection>\n"


def in_xml(record: Record) -> bytes:
    """Return a record as an element of MARCXML."""
    _drop_controls(record)
    element: bytes = record_to_xml(record)  # type: ignore[no-untyped-call]
    return element + b"\n"


def in_iso2709(record: Record, *, utf8: bool) -> bytes:
    """Return a record in ISO 2709. Raises ValueError if it, or a field, is too long for that."""
    _drop_controls(record)
    encode = str.encode if utf8 else marc8.encode
    written = Record(to_unicode=False)
    written.leader = record.leader
    written.leader.coding_scheme = "a" if utf8 else " "
    for field in record.fields:
        if field.control_field:
            raw = RawField(field.tag, data=(field.data or "").encode())  # type: ignore[arg-type]
        else:
            values = [Subfield(code, encode(value)) for code, value in field.subfields]  # type: ignore[arg-type]
            raw = RawField(field.tag, field.indicators, values)
        if len(raw.as_marc()) > 9999:
            raise ValueError(f"field {field.tag} is longer than the 9,999 bytes of ISO 2709")
        written.fields.append(raw)
    encoded: bytes = written.as_marc()
    if len(encoded) > 99_999:
        raise ValueError("the record is longer than the 99,999 bytes of ISO 2709")
    return encoded


_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _drop_controls(record: Record) -> None:
    """Remove control characters, which end fields in ISO 2709 and are no part of XML."""
    for field in record.fields:
        if field.control_field:
            field.data = _CONTROLS.sub("", field.data or "")
        else:
            field.subfields = [
                Subfield(code, _CONTROLS.sub("", value)) for code, value in field.subfields
            ]
