"""A MARC 21 record read as a title, by the MARC 21 Format for Bibliographic Data.

A record is kept as it came, so that fields that a title has no place for are not lost: see
`marc_written`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
from pymarc import Field, Indicators, Leader, Subfield
from pymarc import Record as Marc

from services.circulation.catalogue.formats.marc_items import Item, items_of
from services.circulation.rules.record import (
    Identifier,
    Record,
    Series,
    normal_identifier,
)

MOST_CHARACTERS = 500
"""Characters kept of a name, a title or a heading; a longer one is cut."""
MOST_TEXT = 5000
"""Characters kept of a summary and of contents."""

NAMES = ("100", "110", "111", "700", "710", "711")
SUBJECTS = ("600", "610", "611", "630", "648", "650", "651", "655")
IDENTIFIERS = {"020": "isbn", "022": "issn", "024": "ean"}

# Leader 06: the kind of material.
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
_WITHOUT_AUDIENCE = "efp"
"""Leader 06 of maps and mixed material, whose 008/22 has no audience."""

# 008/22: the audience. Preschool, primary, pre-adolescent and juvenile are for children.
AUDIENCES = {**dict.fromkeys("abcj", "children"), "d": "young-adult", "e": "adult"}


@dataclass(frozen=True)
class Fault:
    """A part of a record that can't be read."""

    field: str
    """Tag and subfield, such as `020 $a`."""
    reason: str


@dataclass(frozen=True)
class Described:
    """A MARC record read as a title."""

    control_number: str
    title: str
    authors: tuple[str, ...]
    isbn: str | None
    kind: str
    record: Record
    items: tuple[Item, ...]
    faults: tuple[Fault, ...]
    """Parts that were left out because they can't be read."""


def read(marc: Marc) -> Described:
    """Return the title in a MARC record. Raises ValueError if it lacks what a title needs.

    A parallel title or name in another script (880) follows the romanised one, so that a search
    finds both.
    """
    numbers = [field.data.strip() for field in marc.get_fields("001") if field.data]
    if not numbers or not 0 < len(numbers[0]) <= 100:
        raise ValueError("no control number (001)")
    source = [field.data.strip() for field in marc.get_fields("003") if field.data]
    if not (title := title_in(marc)):
        raise ValueError("no title (245)")
    faults: list[Fault] = []
    return Described(
        control_number=f"{source[0]}/{numbers[0]}" if source else numbers[0],
        title=title,
        authors=authors_in(marc),
        isbn=isbn_in(marc),
        kind=kind_in(marc),
        record=record_in(marc, faults),
        items=tuple(items_of(marc, audience_in(marc) or "adult")),
        faults=tuple(faults),
    )


def title_in(marc: Marc) -> str:
    """Return the title, with its parallel in another script; empty if there is none."""
    written = [joined(field, "abnp") for field in (*marc.get_fields("245"), *linked(marc, "245"))]
    return " = ".join(distinct(written))[:MOST_CHARACTERS]


def authors_in(marc: Marc) -> tuple[str, ...]:
    """Return the names of persons, bodies and meetings, at most 50."""
    fields = (field for tag in NAMES for field in (*marc.get_fields(tag), *linked(marc, tag)))
    return tuple(distinct(joined(field, "a")[:MOST_CHARACTERS] for field in fields)[:50])


def isbn_in(marc: Marc) -> str | None:
    """Return the first valid ISBN."""
    return next((one.value for one in identifiers_in(marc, []) if one.scheme == "isbn"), None)


def kind_in(marc: Marc) -> str:
    """Return the format of a title, by leader 06 and 07, 007 and 008/23, /26 and /33."""
    leader = str(marc.leader)
    material, level = leader[6], leader[7]
    physical = [field.data or "" for field in marc.get_fields("007")]
    if material == "a" and level in _SERIALS:
        return "periodical"
    if material == "a":
        large = fixed(marc, 23) == "d" or any(each.startswith("tb") for each in physical)
        return "large-print" if large else "book"
    if material == "m" and fixed(marc, 26) == "g":
        return "game"
    if material in "gkor" and fixed(marc, 33) in ("b", "g"):
        return {"b": "kit", "g": "game"}[fixed(marc, 33)]
    if material == "r" and any(each.startswith("c") for each in physical):
        return "device"
    return _KINDS.get(material, "other")


def record_in(marc: Marc, faults: list[Fault]) -> Record:
    """Return the record of the title; what can't be read is left out and added to `faults`."""
    imprint = imprint_in(marc)
    isbn = isbn_in(marc)
    numbers = [one for one in identifiers_in(marc, faults) if one != Identifier("isbn", isbn or "")]
    return Record(
        languages=tuple(_languages(marc, faults))[:20],
        edition=_first(marc, "250", "ab"),
        publisher=_cut(joined(imprint, "b")) if imprint else None,
        place=_cut(joined(imprint, "a")) if imprint else None,
        year=year_in(marc, imprint),
        series=tuple(dict.fromkeys(filter(None, map(series_of, series_fields(marc)))))[:20],
        subjects=tuple(
            distinct(heading_of(field) for tag in SUBJECTS for field in _both(marc, tag))[:100]
        ),
        extent=_first(marc, "300", "abce"),
        audience=audience_in(marc),
        summary=text_of(marc, "520", "ab"),
        contents=text_of(marc, "505", "agrt"),
        cover=_cover(marc, faults),
        identifiers=tuple(numbers[:50]),
        original_title=_first(marc, "240", "anp") or _first(marc, "765", "t"),
        other_titles=tuple(
            distinct(
                joined(field, "abnp")[:MOST_CHARACTERS]
                for field in (*linked(marc, "245"), *_both(marc, "246"))
            )[:20]
        ),
    )


def audience_in(marc: Marc) -> str | None:
    """Return the audience by 008/22; None if it is not coded, or for all."""
    leader = str(marc.leader)
    serial = leader[6] == "a" and leader[7] in _SERIALS
    return None if serial or leader[6] in _WITHOUT_AUDIENCE else AUDIENCES.get(fixed(marc, 22))


def fixed(marc: Marc, start: int, end: int | None = None) -> str:
    """Return positions of 008, empty if it is too short."""
    coded = next((field.data or "" for field in marc.get_fields("008")), "")
    return coded[start : end or start + 1].strip()


def imprint_in(marc: Marc) -> Field | None:
    """Return the field with place, publisher and date of publication (RDA's 264 #1, else 260)."""
    fields = (*marc.get_fields("264"), *marc.get_fields("260"))
    return next((field for field in fields if field.tag == "260" or field.indicator2 == "1"), None)


def year_in(marc: Marc, imprint: Field | None) -> int | None:
    """Return the year of publication in 008/07-10, else the first in the imprint."""
    if re.fullmatch(r"[12]\d{3}", coded := fixed(marc, 7, 11)):
        return int(coded)
    written = re.search(r"(?<!\d)[12]\d{3}(?!\d)", joined(imprint, "c") if imprint else "")
    return int(written[0]) if written else None


def series_fields(marc: Marc) -> list[Field]:
    """Return the fields of series statements, or of series headings if there are none."""
    return marc.get_fields("490") or marc.get_fields("830", "440")


def series_of(field: Field) -> Series | None:
    """Return the series in its field."""
    title = joined(field, "a")[:MOST_CHARACTERS]
    return Series(title, joined(field, "v")[:200] or None) if title else None


def heading_of(field: Field) -> str:
    """Return a subject heading with its subdivisions after ` -- `."""
    parts = [clean(value) for code, value in field.subfields if code in "abcdtvxyz"]
    return " -- ".join(part for part in parts if part)[:MOST_CHARACTERS]


def identifiers_in(marc: Marc, faults: list[Fault]) -> list[Identifier]:
    """Return the valid ISBNs, ISSNs and EANs; the others are added to `faults`."""
    found: dict[Identifier, None] = {}
    for field in marc.get_fields(*IDENTIFIERS):
        if field.tag == "024" and field.indicator1 not in "13":
            continue  # numbers of other kinds, such as a DOI
        for written in field.get_subfields("a"):
            try:
                found[identifier_of(field.tag, written)] = None
            except ValueError as error:
                faults.append(Fault(f"{field.tag} $a", f"{error}: {clean(written)[:100]}"))
    return list(found)


def identifier_of(tag: str, written: str) -> Identifier:
    """Return the number in a subfield, without a qualifier. Raises ValueError."""
    number = re.split(r"[\s(:]", written.strip(), maxsplit=1)[0]
    return Identifier(IDENTIFIERS[tag], normal_identifier(IDENTIFIERS[tag], number))


def _languages(marc: Marc, faults: list[Fault]) -> list[str]:
    coded = [fixed(marc, 35, 38)]
    for field in marc.get_fields("041"):
        if field.indicator2 == "7":
            continue  # codes of another list
        for text in field.get_subfields("a"):
            if len(text.strip()) % 3:
                faults.append(Fault("041 $a", f"no codes of three letters: {clean(text)[:100]}"))
                continue
            # Older records write codes one after the other.
            coded += [text[at : at + 3] for at in range(0, len(text.strip()), 3)]
    known = (one.lower() for one in coded if re.fullmatch(r"[A-Za-z]{3}", one))
    return distinct(one for one in known if one not in ("zxx", "und", "xxx"))


def _cover(marc: Marc, faults: list[Fault]) -> str | None:
    for field in marc.get_fields("856"):
        if "cover" in " ".join(field.get_subfields("3", "y", "z")).lower():
            address = (field.get("u") or "").strip()
            if is_web_address(address):
                return address
            faults.append(Fault("856 $u", f"no web address: {clean(address)[:100]}"))
    return None


def is_web_address(text: str) -> bool:
    """Return whether a text is the address of a page or picture on the web."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and len(text) <= 500
    except ValueError:
        return False


def linked(marc: Marc, tag: str) -> list[Field]:
    """Return the fields in another script (880) that are linked to a tag."""
    return [one for one in marc.get_fields("880") if (one.get("6") or "").startswith(f"{tag}-")]


def _both(marc: Marc, tag: str) -> list[Field]:
    return [*marc.get_fields(tag), *linked(marc, tag)]


def _first(marc: Marc, tag: str, codes: str) -> str | None:
    return next((text for one in marc.get_fields(tag) if (text := _cut(joined(one, codes)))), None)


def _cut(text: str) -> str | None:
    return text[:MOST_CHARACTERS].strip() or None


def text_of(marc: Marc, tag: str, codes: str) -> str | None:
    """Return the paragraphs of a note in all its fields."""
    texts = [joined(field, codes) for field in marc.get_fields(tag)]
    return "\n".join(text for text in texts if text)[:MOST_TEXT].strip() or None


def joined(field: Field, codes: str) -> str:
    """Return subfields in one line, without ISBD punctuation at the end."""
    return clean(" ".join(field.get_subfields(*codes)))


def clean(text: str) -> str:
    """Return a text in one line, without ISBD punctuation at the end."""
    if not text.isprintable():
        text = "".join(letter for letter in text if letter.isprintable() or letter.isspace())
    return " ".join(text.split()).rstrip(" /:;,=")


def distinct(texts: Iterable[str]) -> list[str]:
    """Return the texts that are not empty, each once."""
    return [*dict.fromkeys(text for text in texts if text)]


def to_bytes(marc: Marc) -> bytes:
    """Return a record in the form in which it is kept: MARC in JSON, as pymarc writes it.

    It is without the lengths in the leader, which depend on the encoding of a file.
    """
    leader = str(marc.leader)
    return orjson.dumps({**marc.as_dict(), "leader": f"00000{leader[5:12]}00000{leader[17:]}"})


def from_bytes(kept: bytes) -> Marc:
    """Return a kept record."""
    document = orjson.loads(kept)
    marc = Marc()
    marc.leader = Leader(document["leader"])
    marc.fields = list(_fields(document["fields"]))
    return marc


def _fields(documents: Iterable[dict[str, str | dict[str, object]]]) -> Iterator[Field]:
    for document in documents:
        for tag, value in document.items():
            if isinstance(value, str):
                yield Field(tag, data=value)
                continue
            subfields = [Subfield(*pair) for one in value["subfields"] for pair in one.items()]  # type: ignore[attr-defined]
            yield Field(tag, Indicators(str(value["ind1"]), str(value["ind2"])), subfields)
