"""A title written as a MARC 21 record.

The record that it was imported from is changed only where the title says something else now. Fields
that a title has no place for, and parts such as a relator, come out as they came in.
"""

from collections.abc import Callable, Iterable, Sequence

from pymarc import Field, Indicators, Leader, Subfield
from pymarc import Record as Marc

from services.circulation.catalogue.formats import marc as reading
from services.circulation.catalogue.formats.marc_items import set_subfields, write_items
from services.circulation.rules.copy import Copy
from services.circulation.rules.record import Identifier, Record
from services.circulation.rules.title import AGENCY, Title

# Leader 06 and further positions of 008 for each format: the reverse of `kind_in`.
_MATERIALS = {
    "book": "a",
    "large-print": "a",
    "periodical": "a",
    "score": "c",
    "map": "e",
    "video": "g",
    "audiobook": "i",
    "music": "j",
    "picture": "k",
    "software": "m",
    "kit": "o",
    "object": "r",
    "game": "r",
    "device": "r",
    "manuscript": "t",
}
_AUDIENCES = {"children": "j", "young-adult": "d", "adult": "e"}


def written(title: Title, copies: Iterable[Copy], kept: bytes | None) -> Marc:
    """Return a title with its copies as a MARC record, from the record that was kept, if any."""
    marc = reading.from_bytes(kept) if kept else _new(title)
    if reading.title_in(marc) != title.title:
        _replace(marc, ("245",), [_field("245", ("a", title.title), indicators="00")])
    if reading.authors_in(marc) != title.authors:
        names = [_field("100", ("a", name), indicators="1 ") for name in title.authors[:1]]
        names += [_field("700", ("a", name), indicators="1 ") for name in title.authors[1:]]
        _replace(marc, reading.NAMES, names)
    _write_kind(title.kind, marc)
    _write_record(title, marc)
    write_items(copies, marc)
    return marc


def _new(title: Title) -> Marc:
    """Return a record for a title that was catalogued here: only its number and fixed fields."""
    marc = Marc()
    level = "s" if title.kind == "periodical" else "m"
    material = _MATERIALS.get(title.kind, "r")
    marc.leader = Leader(f"00000n{material}{level} a2200000 i 4500")
    numbers = [Field("001", data=title.id), Field("003", data=AGENCY)]
    if title.control_number:  # imported before the records were kept
        numbers = [Field("001", data=title.control_number)]
    marc.fields = [*numbers, Field("008", data=" " * 40)]
    return marc


def _write_kind(kind: str, marc: Marc) -> None:
    if kind == reading.kind_in(marc):
        return
    if kind in _MATERIALS:
        level = "s" if kind == "periodical" else "m"
        marc.leader = Leader(
            f"{str(marc.leader)[:6]}{_MATERIALS[kind]}{level}{str(marc.leader)[8:]}"
        )
    if kind == "device":
        marc.add_ordered_field(Field("007", data="cz"))
    if kind in ("book", "large-print"):
        _code(marc, 23, "d" if kind == "large-print" else " ")
    if kind in ("game", "object", "kit"):
        _code(marc, 33, {"game": "g", "kit": "b"}.get(kind, "r"))


def _write_record(title: Title, marc: Marc) -> None:
    record = title.record
    before = reading.record_in(marc, [])
    numbers = [Identifier("isbn", title.isbn)] if title.isbn else []
    numbers += [one for one in record.identifiers if one not in numbers]
    if set(numbers) != set(reading.identifiers_in(marc, [])):
        _sync(marc, tuple(reading.IDENTIFIERS), numbers, _number, _numbered)
    if record.languages != before.languages:
        codes = [("a", code) for code in record.languages]
        _replace(marc, ("041",), [_field("041", *codes)] if len(codes) > 1 else [])
        _code(marc, 35, record.languages[0] if record.languages else "   ")
    if record.audience != before.audience:
        _code(marc, 22, _AUDIENCES.get(record.audience or "", " "))
    _write_imprint(record, before, marc)
    if set(record.series) != set(before.series):
        tags = ("490",) if marc.get_fields("490") else ("830", "440")
        _sync(
            marc,
            tags,
            record.series,
            reading.series_of,
            lambda one: _field("490", ("a", one.title), ("v", one.number), indicators="0 "),
        )
    if set(record.subjects) != set(before.subjects):
        _sync(
            marc,
            reading.SUBJECTS,
            record.subjects,
            reading.heading_of,
            lambda one: _field("650", ("a", one), indicators=" 4"),
        )
    if set(record.other_titles) != set(before.other_titles):
        _sync(
            marc,
            ("246",),
            [one for one in record.other_titles if one not in _parallel(marc)],
            lambda field: reading.joined(field, "abnp"),
            lambda one: _field("246", ("a", one), indicators="3 "),
        )
    for name, tag, indicators in (
        ("edition", "250", "  "),
        ("extent", "300", "  "),
        ("summary", "520", "  "),
        ("contents", "505", "0 "),
        ("original_title", "240", "10"),
    ):
        text = getattr(record, name)
        if text != getattr(before, name):
            _replace(marc, (tag,), [_field(tag, ("a", text), indicators=indicators)] * bool(text))
    if record.cover != before.cover:
        marc.fields = [one for one in marc.fields if not _shows_cover(one)]
        if record.cover:
            cover = ("3", "Cover"), ("u", record.cover)
            marc.add_ordered_field(_field("856", *cover, indicators="42"))


def _write_imprint(record: Record, before: Record, marc: Marc) -> None:
    changed: dict[str, str | None] = {}
    if record.place != before.place:
        changed["a"] = record.place
    if record.publisher != before.publisher:
        changed["b"] = record.publisher
    if record.year != before.year:
        year = f"{record.year:04d}" if record.year else None
        changed["c"] = year
        _code(marc, 6, f"s{year}" if year else "nuuuu")
    if not changed:
        return
    field = reading.imprint_in(marc)
    if field is None:
        field = _field("264", indicators=" 1")
        marc.add_ordered_field(field)
    set_subfields(field, changed)
    if not field.subfields:
        marc.fields.remove(field)


def _number(field: Field) -> Identifier | None:
    if field.tag == "024" and field.indicator1 not in "13":
        return None
    try:
        return reading.identifier_of(field.tag, field.get("a") or "")
    except ValueError:
        return None


def _numbered(number: Identifier) -> Field:
    tag = next(tag for tag, scheme in reading.IDENTIFIERS.items() if scheme == number.scheme)
    return _field(tag, ("a", number.value), indicators="3 " if tag == "024" else "  ")


def _parallel(marc: Marc) -> set[str]:
    return {reading.joined(field, "abnp") for field in reading.linked(marc, "245")}


def _shows_cover(field: Field) -> bool:
    return field.tag == "856" and "cover" in " ".join(field.get_subfields("3", "y", "z")).lower()


def _sync(
    marc: Marc,
    tags: Sequence[str],
    wanted: Sequence[object],
    value_of: Callable[[Field], object],
    make: Callable[..., Field],
) -> None:
    """Remove the fields whose value is not wanted, and add those that are missing.

    A field without a value that can be read stays.
    """
    present = set()
    for field in list(marc.fields):
        if _tag(field) in tags and (value := value_of(field)):
            if value in wanted:
                present.add(value)
            else:
                marc.fields.remove(field)
    for value in wanted:
        if value not in present:
            marc.add_ordered_field(make(value))


def _tag(field: Field) -> str:
    """Return the tag of a field, or that which one in another script (880) is linked to."""
    return (field.get("6") or "")[:3] if field.tag == "880" else field.tag


def _replace(marc: Marc, tags: Sequence[str], fields: Iterable[Field]) -> None:
    marc.fields = [one for one in marc.fields if _tag(one) not in tags]
    for field in fields:
        marc.add_ordered_field(field)


def _code(marc: Marc, start: int, code: str) -> None:
    """Write a code into 008, which is made if there is none."""
    fields = marc.get_fields("008")
    if not fields:
        fields = [Field("008", data="")]
        marc.add_ordered_field(fields[0])
    data = (fields[0].data or "").ljust(40)
    fields[0].data = data[:start] + code + data[start + len(code) :]


def _field(tag: str, *subfields: tuple[str, str | None], indicators: str = "  ") -> Field:
    return Field(tag, Indicators(*indicators), [Subfield(c, v) for c, v in subfields if v])
