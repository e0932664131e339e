"""Varied MARC 21 records for tests and benchmarks, always the same for a number.

Their names and words are invented. Their forms are those that cataloguing rules give: books in two
scripts, serials, music, maps, games, kits and devices, with local fields, repeated fields, items.
"""

import random
from collections.abc import Iterator

from pymarc import Field, Indicators, Leader, Record, Subfield

from services.circulation.rules.record import isbn_of_ten

_WORDS = (
    ("harbour", "海港"),
    ("lights", "燈火"),
    ("city", "城市"),
    ("mountain", "山"),
    ("garden", "花園"),
    ("letters", "書信"),
    ("river", "河流"),
    ("winter", "冬天"),
    ("history", "歷史"),
    ("children", "兒童"),
    ("cooking", "烹飪"),
    ("music", "音樂"),
)
_NAMES = (
    ("Chan, Tai-man", "陳大文"),
    ("Müller, Jörg", ""),
    ("Dvořáková, Žofie", ""),
    ("Nguyễn, Văn Ấn", ""),
    ("Ong, Mei-ling", "王美玲"),
    ("Søren, Åse", ""),
    ("Łukasz, Święta", ""),
)
_PLACES = (("Hong Kong", "Lantern Press"), ("台北市", "洪範書店"), ("Praha", "Odeon"))
_KINDS = ("am", "am", "am", "am", "as", "jm", "im", "gm", "em", "mm", "rm", "om", "cm", "km")


def record(number: int) -> Record:
    """Return the record of a number, with one or two items."""
    draw = random.Random(number)  # noqa: S311
    words = draw.sample(_WORDS, 3)
    name, other_name = draw.choice(_NAMES)
    place, publisher = draw.choice(_PLACES)
    year = draw.randint(1890, 2026)
    kind = _KINDS[number % len(_KINDS)]
    title = " ".join(word for word, _ in words).capitalize() + f" {number}"
    marc = Record()
    marc.leader = Leader(f"00000n{kind} a2200000 {draw.choice('ia ')} 4500")
    fields = [
        Field("001", data=f"test{number:08}"),
        Field("003", data="TEST"),
        Field("005", data="20260102030405.0"),
        Field("008", data=_fixed(draw, year, kind)),
    ]
    if number % 3 == 0:
        fields.append(
            Field("007", data=draw.choice(["ta", "tb", "sd fsngnnmmned", "cr |n|||||||||"]))
        )
    isbn = _isbn(number)
    if kind == "am":
        fields.append(_field("020", f"a {isbn} (pbk.) :", "c HK$98.00"))
        fields.append(_field("020", f"a {isbn_of_ten(_isbn(number + 5_000_000))}", "q hardback"))
    if kind == "as":
        fields.append(_field("022", "a 0317-8471", "l 0317-8471"))
    if number % 4 == 0:
        fields.append(_field("024", "a 4006381333931", indicators="3 "))
        fields.append(_field("024", "a 10.1000/182", "2 doi", indicators="7 "))
    fields.append(_field("040", "a TEST", "b eng", "e rda", "c TEST", "d TEST", "d OTHER"))
    if number % 5 == 0:
        fields.append(_field("041", "a engchi", "h chi", indicators="1 "))
    fields.append(_field("082", "a 823/.92", "2 23", indicators="04"))
    fields.append(_field("100", "6 880-01", f"a {name},", "d 1950-", "e author.", indicators="1 "))
    if number % 6 == 0:
        fields.append(_field("240", "a Selections.", "l English", indicators="10"))
    fields.append(
        _field("245", "6 880-02", f"a {title} :", "b a story /", f"c {name}.", indicators="10")
    )
    fields.append(_field("246", "i Title on cover:", f"a {title} again", indicators="1 "))
    if number % 2:
        fields.append(_field("250", "a 2nd ed. /", "b revised by the author."))
    imprint = (f"a {place} :", f"b {publisher},", f"c [{year}]")
    tag = "264" if number % 2 else "260"
    fields.append(_field(tag, "6 880-03", *imprint, indicators=" 1" if tag == "264" else "  "))
    fields.append(_field("264", f"c ©{year}", indicators=" 4"))
    fields.append(
        _field("300", f"a {number % 500} pages :", "b illustrations ;", "c 21 cm +", "e 1 CD")
    )
    fields.append(_field("336", "a text", "b txt", "2 rdacontent"))
    if number % 3 == 1:
        fields.append(
            _field("490", "a Tales of the harbour ;", f"v vol. {number % 9}", indicators="1 ")
        )
        fields.append(_field("830", "a Tales of the harbour ;", "v 3.", indicators=" 0"))
    fields.append(_field("500", "a Includes index."))
    fields.append(_field("505", "t Doors /", "r Ong --", "t Roofs /", "r Chan.", indicators="00"))
    fields.append(_field("520", f"a A story of {words[0][0]} and {words[1][0]}…"))
    fields.append(
        _field(
            "650", f"a {words[0][0].capitalize()}", "x History", "y 20th century.", indicators=" 0"
        )
    )
    fields.append(
        _field(
            "650",
            f"a {words[1][0].capitalize()}",
            "v Fiction.",
            "2 fast",
            "0 (OCoLC)fst1",
            indicators=" 7",
        )
    )
    fields.append(_field("651", "a Hong Kong (China)", "v Fiction.", indicators=" 0"))
    fields.append(_field("655", "a Novels.", "2 lcgft", indicators=" 7"))
    fields.append(
        _field(
            "700",
            f"a {draw.choice(_NAMES)[0]},",
            "e translator,",
            "e illustrator.",
            indicators="1 ",
        )
    )
    if number % 7 == 0:
        fields.append(
            _field(
                "856",
                "3 Cover image",
                f"u https://covers.example.org/{number}.jpg",
                indicators="42",
            )
        )
    chinese = "".join(word for _, word in words)
    if other_name:
        fields.append(
            _field("880", "6 100-01/$1", f"a {other_name},", "e author.", indicators="1 ")
        )
    fields.append(
        _field("880", "6 245-02/$1", f"a {chinese} :", "b 故事 /", "c 著.", indicators="10")
    )
    fields.append(
        _field("880", "6 264-03/$1", "a 香港 :", "b 燈出版社,", f"c {year}.", indicators=" 1")
    )
    fields.append(_field("880", "6 650-00/$1", f"a {words[0][1]}", "x 歷史.", indicators=" 4"))
    fields.append(_field("907", "a .b10203044", "b 05-06-20", "c -"))
    fields.append(_field("999", "c 7", "d 7", "x local note: keep", "x and again", indicators="ff"))
    if number % 2:
        fields.append(
            _field(
                "852",
                "b HKCL",
                "c Adult library",
                "h 823.92",
                f"i {name[:3].upper()}",
                f"p M{number:08}",
                "z Gift",
                indicators="1 ",
            )
        )
    else:
        fields.append(
            _field(
                "952",
                "0 0",
                "2 ddc",
                "4 0",
                "7 0",
                "8 REF",
                "a HKCL",
                "b HKCL",
                "c 3/F",
                "d 2020-06-15",
                "e Harbour Books",
                f"h v. {number % 7}",
                "o 823.92 CHA",
                f"p M{number:08}",
                "r 2021-01-01",
                "v 98.00",
                "y BK",
            )
        )
    marc.fields = fields
    return marc


def records(count: int) -> Iterator[Record]:
    """Yield the records of the numbers from 0."""
    return (record(number) for number in range(count))


def _fixed(draw: random.Random, year: int, kind: str) -> str:
    """Return an 008 of 40 characters."""
    audience, form = draw.choice(" abcdejg"), draw.choice(" d r")
    middle = "".join(draw.choice(" |0") for _ in range(11))
    language = draw.choice(["eng", "chi", "ger", "cze"])
    if kind == "rm":
        middle = f"{middle[:9]}{draw.choice('gr')} "
    return f"260102s{year}    cc a   {audience}{form}{middle}"[:35].ljust(35) + f"{language} d"


def _isbn(number: int) -> str:
    digits = f"978{number % 10**9:09}"
    total = sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(digits))
    return digits + str(-total % 10)


def _field(tag: str, *subfields: str, indicators: str = "  ") -> Field:
    parts = [Subfield(code=text[0], value=text[2:]) for text in subfields]
    return Field(tag, Indicators(*indicators), parts)
