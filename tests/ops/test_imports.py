"""`carrel import`: titles and patrons of another system, with refused records and reasons."""

import csv
import json
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from pymarc import Field, Indicators, Record, Subfield
from pymongo import MongoClient
from pymongo.database import Database
from typer.testing import CliRunner

from ops.commands import export, import_
from services.circulation.catalogue.formats import marc8, marc_files
from services.circulation.catalogue.formats.marc_files import records
from services.circulation.catalogue.formats.marc_written import written
from services.circulation.imports.formats import title_of
from services.circulation.rules.title import Title
from shared.ids import card_digest
from shared.mongo import plain
from tests.ops import marc_records as varied

Run = Callable[..., dict[str, Any]]
KEY = "the card key of these tests"
XML_WITHOUT = marc_files.XML_BEGIN + marc_files.XML_END
HEADING = "card_number,pin,name,category,home_branch,language,email\n"


@pytest.fixture
def run(mongo_url: str, database: str) -> Run:
    """A function that runs `carrel import … --json` and returns its document, with its `code`.

    With `out="FILE"` it runs `carrel export`.
    """

    def invoke(*arguments: str, out: bool = False, **environment: str) -> dict[str, Any]:
        app = export.app if out else import_.app
        variables = {
            "CARREL_MONGO_URL": mongo_url,
            "CARREL_DATABASE_PREFIX": database,
            "CARREL_CARD_KEY": KEY,
            **environment,
        }
        ran = CliRunner().invoke(app, [*arguments, "--json"], env=variables)
        if ran.exception and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        said = json.loads(ran.stdout) if ran.stdout else {}
        return {"code": ran.exit_code, "err": ran.stderr, **said}

    return invoke


@pytest.fixture
def stores(mongo_url: str, database: str) -> Iterator[Callable[[str], Database[dict[str, Any]]]]:
    client: MongoClient[dict[str, Any]] = MongoClient(mongo_url)
    with client:
        yield lambda service: client[f"{database}_{service}"]


def field(tag: str, *subfields: str) -> Field:
    """Return a MARC field: `field("245", "a Kite", "c by me")`."""
    return Field(
        tag, Indicators(" ", " "), [Subfield(code=text[0], value=text[2:]) for text in subfields]
    )


def record(
    number: str | None, *fields: Field, audience: str = " ", leader: tuple[str, str] = ("a", "m")
) -> Record:
    made = Record(force_utf8=True)
    made.leader.type_of_record, made.leader.bibliographic_level = leader
    if number:
        made.fields.append(Field("001", data=number))
    fixed = Field("008", data=f"{'':22}{audience}{'':17}")
    made.fields += [fixed, *(fields or (field("245", f"a Title {number} /", "c by me."),))]
    return made


def item(barcode: str, branch: str = "HKCL", price: str = "128.00", *more: str) -> Field:
    return field("952", f"a {branch}", f"p {barcode}", f"v {price}", *more)


def marc_file(folder: Path, *made: Record | bytes) -> Path:
    path = folder / "titles.mrc"
    path.write_bytes(b"".join(r if isinstance(r, bytes) else r.as_marc() for r in made))
    return path


def refused_in(answer: dict[str, Any]) -> list[list[str]]:
    with Path(answer["refused_in"]).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def events_of(store: Database[dict[str, Any]]) -> list[dict[str, Any]]:
    return [orjson.loads(row["body"]) for row in store.outbox.find({})]


# ---- MARC ---------------------------------------------------------------------------------------


def test_a_marc_record_becomes_a_title_with_its_copies() -> None:
    title, faults = title_of(
        record(
            "ocm1",
            Field("003", data="HkPL"),
            field("020", "a 7108000000"),  # printed with a wrong check digit
            field("020", "a 0061120081 (pbk.) :"),
            field("100", "6 880-01", "a Xi, Xi,", "d 1937-"),
            field("245", "6 880-02", "a Wo cheng :", "b a novel /", "c Xi Xi."),
            field("700", "a Smith, Ann,", "e translator."),
            field("880", "6 100-01/$1", "a 西西."),
            field("880", "6 245-02/$1", "a 我城 /", "c 西西."),
            item("B1", "HKCL", "HK$128.5", "h v. 2"),
            item("B2", "LFU", price=""),
            audience="d",
        )
    )
    assert [fault.field for fault in faults] == ["020 $a"]
    assert (title.control_number, title.title) == ("HkPL/ocm1", "Wo cheng : a novel = 我城")
    assert title.authors == ("Xi, Xi", "西西.", "Smith, Ann")
    assert (title.isbn, title.kind) == ("9780061120084", "book")
    assert [copy.volume for copy in title.copies] == ["v. 2", None]
    assert [(c.barcode, c.branch, c.category, c.price_cents) for c in title.copies] == [
        ("B1", "HKCL", "young-adult", 12850),
        ("B2", "LFU", "young-adult", None),
    ]


@pytest.mark.parametrize(
    ("leader", "audience", "kind", "category"),
    [
        (("a", "m"), "j", "book", "children"),
        (("a", "s"), " ", "periodical", "adult"),
        (("g", "m"), "a", "video", "children"),
        (("j", "m"), "e", "music", "adult"),
        (("z", "z"), " ", "other", "adult"),
    ],
)
def test_kind_and_category_are_those_of_leader_and_audience(
    leader: tuple[str, str], audience: str, kind: str, category: str
) -> None:
    title, _ = title_of(
        record("1", field("245", "a Kite"), item("B1"), audience=audience, leader=leader)
    )
    assert (title.kind, title.copies[0].category) == (kind, category)


def test_a_record_with_a_wrong_length_is_not_the_end_of_the_file(tmp_path: Path) -> None:
    wrong = b"00999" + record("2").as_marc()[5:]
    path = marc_file(tmp_path, record("1"), b"\r\n", b"no record\x1d", wrong, record("3"))
    read = list(records(path))
    assert [isinstance(each, Exception) for each in read][:2] == [False, True]
    assert not isinstance(read[-1], Exception)
    assert len(read) == 4


def test_a_repeated_import_of_titles_saves_only_changes(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    first = [record(f"n{n}", field("245", f"a Title {n} /"), item(f"B{n}")) for n in range(250)]
    answer = run("titles", str(marc_file(tmp_path, *first)))
    assert (answer["code"], answer["added"], answer["refused_in"]) == (0, 250, None)
    store = stores("circulation")
    assert store.titles.count_documents({"terms": "title"}) == 250
    assert store.copies.count_documents({"branch_code": "HKCL", "price_cents": 12800}) == 250

    again = run("titles", str(marc_file(tmp_path, *first)))
    assert (again["code"], again["unchanged"], len(events_of(store))) == (0, 250, 250)

    first[7] = record("n7", field("245", "a A better title /"), item("B7", "LFU"), item("B7b"))
    changed = run("titles", str(marc_file(tmp_path, *first)))
    assert (changed["changed"], changed["unchanged"]) == (1, 249)
    event = events_of(store)[-1]
    assert (event["version"], event["title"]) == (2, "A better title")
    assert [(c["barcode"], c["branch"]) for c in event["copies"]] == [
        ("B7", "LFU"),
        ("B7b", "HKCL"),
    ]


def test_refused_records_are_listed_with_their_numbers_and_others_are_imported(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    path = marc_file(
        tmp_path,
        record("n1", field("245", "a One"), item("B1")),
        b"no record\x1d",
        record(None),
        record("n4", field("100", "a Nobody")),
        record("n5", field("245", "a Five"), item("B1")),  # another title's barcode
        record("n6", field("245", "a Six"), field("952", "p B6")),
        record("n7", field("245", "a Seven"), item("B 7")),
        record("n1", field("245", "a One, corrected"), item("B1")),  # the same title again
    )
    answer = run("titles", str(path))
    assert (answer["code"], answer["added"], answer["changed"]) == (1, 1, 1)
    refused = refused_in(answer)
    assert sorted(row[:2] for row in refused) == [
        ["2", ""],
        ["3", ""],
        ["4", "n4"],
        ["5", "n5"],
        ["6", "n6"],
        ["7", "n7"],
    ]
    reasons = {number: reason for number, _, reason in refused}
    assert "001" in reasons["3"]
    assert "245" in reasons["4"]
    assert "B1" in reasons["5"]
    assert "copies.0.barcode" in reasons["7"]
    titles = {
        title["control_number"]: title["title"] for title in stores("circulation").titles.find()
    }
    assert titles == {"n1": "One, corrected"}

    mended = run(
        "titles", str(marc_file(tmp_path, record("n1", field("245", "a One"), item("B1"))))
    )
    assert (mended["code"], mended["refused_in"]) == (0, None)
    assert "1 records name HKCL, which is no registered library." in mended["err"]
    assert not Path(answer["refused_in"]).exists()  # its content would be outdated


def content(records: Iterable[Record]) -> list[Any]:
    """Return the fields of records with all their parts."""
    return [
        [
            field.data or (field.indicators, [tuple(each) for each in field.subfields])
            for field in record.fields
        ]
        for record in records
    ]


def test_five_hundred_varied_records_come_out_as_they_came_in(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    made = [varied.record(number) for number in range(500)]
    came = tmp_path / "in.mrc"
    came.write_bytes(b"".join(marc_files.in_iso2709(one, utf8=False) for one in made))
    answer = run("titles", str(came))
    assert (answer["added"], answer["refused"], answer["unread"]) == (500, 0, 0)
    first, last = (
        stores("circulation").titles.find_one({"control_number": f"TEST/test{n:08}"})
        for n in (0, 499)
    )
    assert first["record"]["publisher"] in ("Lantern Press", "洪範書店", "Odeon")
    assert last["kind"] == "software"

    for form, encoding in (("marc", "utf8"), ("marc", "marc8"), ("marcxml", "utf8")):
        gone = tmp_path / f"out.{form}.{encoding}"
        written = run("titles", str(gone), "--format", form, "--encoding", encoding, out=True)
        assert (written["code"], written["written"]) == (0, 500)
        read = [one for one in marc_files.records(gone) if not isinstance(one, Exception)]
        assert content(record for record, _ in read) == content(made)
        again = run("titles", str(gone))
        assert (again["unchanged"], again["refused"]) == (500, 0), form
    assert len(events_of(stores("circulation"))) == 500


def test_an_export_writes_what_was_changed_here_and_keeps_the_rest(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    run("titles", str(marc_file(tmp_path, varied.record(7))))
    store = stores("circulation")
    record = {"year": 2001, "edition": "3rd edition", "subjects": ["Harbours", "Novels."]}
    changes = {f"record.{name}": value for name, value in record.items()}
    store.titles.update_one({}, {"$set": {**changes, "title": "Another title"}})
    label = {"call_number": {"number": "QA76 .A1", "scheme": "lcc"}, "shelf_location": "4/F"}
    store.copies.update_one({}, {"$set": {"record": label, "branch_code": "LFU"}})
    gone = tmp_path / "out.mrc"
    run("titles", str(gone), out=True)
    [(out, _)] = (one for one in marc_files.records(gone) if not isinstance(one, Exception))
    before = varied.record(7)
    assert out["245"]["a"] == "Another title"
    assert out["250"]["a"] == "3rd edition"
    assert (out["008"].data or "")[6:11] == "s2001"
    assert (out["264"]["a"], out["264"]["c"]) == (before["264"]["a"], "2001")
    assert [field["a"] for field in out.get_fields("650", "651", "655")] == ["Harbours", "Novels."]
    item = out["852"]
    assert (item["b"], item["c"], item["h"], item["p"], item["z"]) == (
        "LFU",
        "4/F",
        "QA76 .A1",
        "M00000007",
        "Gift",
    )
    assert item.indicator1 == "0"
    untouched = {"100", "700", "880", "500", "505", "520", "907", "999", "490", "830"}
    kept = [
        field
        for field in before.fields
        if field.tag in untouched and not (field.get("6") or "").startswith(("245", "650"))
    ]
    assert [str(field) for field in out.fields if field.tag in untouched] == [str(f) for f in kept]
    again = run("titles", str(gone))
    assert (again["code"], again["refused"]) == (0, 0)
    assert store.titles.find_one({})["title"] == "Another title"


def test_a_title_catalogued_here_is_exported_with_its_record_and_copies(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    store = stores("circulation")
    record = {
        "languages": ["chi", "eng"],
        "publisher": "Lantern",
        "place": "Hong Kong",
        "year": 1999,
        "series": [{"title": "Tales", "number": "3"}],
        "subjects": ["Harbours"],
        "audience": "adult",
        "extent": "12 pages",
        "summary": "Two.\nLines.",
        "cover": "https://c.example.org/1.jpg",
        "identifiers": [{"scheme": "issn", "value": "0317-8471"}],
        "original_title": "海港",
        "other_titles": ["Harbour"],
        "contents": "Doors",
        "edition": "1st",
    }
    title = {"title": "Wo cheng", "authors": ["Xi Xi", "Ann Smith"], "isbn": "9780061120084"}
    store.titles.insert_one(
        {"_id": "t1", **title, "kind": "audiobook", "version": 1, "record": record}
    )
    copy = {"barcode": "B1", "category": "adult", "branch_code": "HKCL", "price_cents": 12805}
    label = {"call_number": {"number": "823", "scheme": "ddc"}, "acquired_on": "2020-06-15"}
    store.copies.insert_one({"_id": "c1", "title_id": "t1", **copy, "record": label})
    gone = tmp_path / "out.xml"
    run("titles", str(gone), "--format", "marcxml", out=True)
    [(out, _)] = (one for one in marc_files.records(gone) if not isinstance(one, Exception))
    found, faults = title_of(out)
    assert not faults
    assert (found.title, list(found.authors), found.isbn) == tuple(title.values())
    assert found.kind == "audiobook"
    assert plain(found.record) == {**record, "summary": "Two. Lines."}
    [item] = found.copies
    assert (item.barcode, item.price_cents, str(item.record and item.record.acquired_on)) == (
        "B1",
        12805,
        "2020-06-15",
    )


def test_parts_that_cannot_be_read_are_listed_by_record_and_field(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    faulty = record(
        "n1",
        field("020", "a 7108000000"),
        field("022", "a 0317-8472"),
        field("041", "a english"),
        field("245", "a Kite"),
        field("856", "3 Cover", "u javascript:alert(1)"),
    )
    broken = record("n2", field("245", "a Caf\x00")).as_marc().replace(b"Caf\x00", b"Caf\xe9")
    answer = run("titles", str(marc_file(tmp_path, faulty, broken, record("n3"))))
    assert (answer["code"], answer["added"], answer["unread"]) == (0, 3, 5)
    with Path(answer["unread_in"]).open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [row[:3] for row in rows] == [
        ["1", "n1", "020 $a"],
        ["1", "n1", "022 $a"],
        ["1", "n1", "041 $a"],
        ["1", "n1", "856 $u"],
        ["2", "n2", "245 $a"],
    ]
    titles = {one["control_number"]: one for one in stores("circulation").titles.find()}
    assert titles["n2"]["title"] == "Caf\ufffd"
    assert "record" not in titles["n1"]


def damaged(record: bytes, draw: random.Random) -> bytes:
    """Return a record with some bytes replaced, removed or inserted."""
    found = bytearray(record)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(found))
        size = draw.choice((0, 1, 1, 1, 4))
        found[at : at + size] = draw.choice((b"", b"\x1f", b"\x1e", b"\x1b", b"\xe9", b"0", b" a"))
    return bytes(found)


def test_a_damaged_record_is_refused_or_comes_out_as_it_was_read(tmp_path: Path) -> None:
    path, outcomes = tmp_path / "damaged.mrc", Counter[str]()
    for seed in range(300):
        draw = random.Random(seed)  # noqa: S311
        whole = marc_files.in_iso2709(varied.record(seed), utf8=seed % 2 == 0)
        path.write_bytes(damaged(whole, draw))
        for found in marc_files.records(path):
            try:
                if isinstance(found, Exception):
                    raise ValueError from found
                given, _ = title_of(found[0])
            except ValueError:
                outcomes["refused"] += 1
                continue
            fields = (given.title, given.authors, given.isbn, given.kind)
            title = Title("t1", *fields, control_number=given.control_number, record=given.record)
            assert content([written(title, (), given.marc)]) == content([found[0]])
            outcomes["read"] += 1
    assert min(outcomes.values()) > 20, outcomes


def test_a_faulty_element_of_marcxml_refuses_its_record_alone(tmp_path: Path) -> None:
    path = tmp_path / "titles.xml"
    whole = [marc_files.in_xml(record(f"n{n}")) for n in range(3)]
    whole[1] = whole[1].replace(b' tag="245"', b"")
    path.write_bytes(marc_files.XML_BEGIN + b"".join(whole) + marc_files.XML_END)
    assert marc_files.count(path) == 3
    read = list(marc_files.records(path))
    assert [isinstance(each, Exception) for each in read] == [False, True, False]
    path.write_bytes(marc_files.XML_BEGIN + whole[0] + b"<record><leader>")
    read = list(marc_files.records(path))
    assert [isinstance(each, Exception) for each in read] == [False, True]


@pytest.mark.parametrize("form", ["marc", "marcxml"])
def test_a_file_that_was_cut_off_is_imported_to_the_cut_and_reported(
    run: Run, tmp_path: Path, form: str
) -> None:
    whole = [record(f"n{n}") for n in range(3)]
    if form == "marc":
        parts = [marc_files.in_iso2709(one, utf8=True) for one in whole]
        content, cuts = b"".join(parts), (-1, -40)
    else:
        parts = [marc_files.XML_BEGIN, *map(marc_files.in_xml, whole), marc_files.XML_END]
        content, cuts = b"".join(parts), (-100, -150)
    path = tmp_path / "titles"
    for cut, outcome in zip(cuts, ("added", "unchanged"), strict=True):
        path.write_bytes(content[:cut])
        answer = run("titles", str(path))
        assert (answer["code"], answer[outcome], answer["refused"]) == (1, 2, 1)
        assert f"{path} is not whole. The file ends too early" in answer["err"]
        assert "import it again" in refused_in(answer)[0][2]
    path.write_bytes(content + b"\n\x1a" * (form == "marc"))
    answer = run("titles", str(path))
    assert (answer["code"], answer["added"], answer["unchanged"]) == (0, 1, 2)


def test_a_file_without_records_ends_with_exit_code_1(run: Run, tmp_path: Path) -> None:
    for name, content in (("titles", b""), ("titles", XML_WITHOUT), ("patrons", HEADING.encode())):
        path = tmp_path / "empty"
        path.write_bytes(content)
        answer = run(name, str(path))
        assert (answer["code"], answer["added"], answer["refused_in"]) == (1, 0, None)
        assert f"{path} has no" in answer["err"]
        assert "Nothing was imported." in answer["err"]


def test_a_record_too_long_for_iso_2709_is_named_and_written_as_xml(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    store = stores("circulation")
    title = {"title": "Kite", "authors": [], "kind": "book", "version": 1}
    store.titles.insert_one({"_id": "t1", **title, "record": {"contents": "長" * 5000}})
    gone = tmp_path / "out"
    answer = run("titles", str(gone), out=True)
    assert (answer["code"], answer["written"], list(answer["left_out"])) == (1, 0, ["t1"])
    assert run("titles", str(gone), "--format", "marcxml", out=True)["written"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "Dvořák, Antonín; Łukasz Święta; Ångström; straße",
        "Nguyễn Văn Ấn",
        "我城 : 西西著",
        "Война и мир",
        "Ἀθῆναι και λόγος",
        "ירושלים",
        "H₂O and E=mc²",
        "東京の café — “quoted”…",
        "한국어 소설",
        "emoji 🎈 and Thai ไทย",
    ],
)
def test_texts_of_many_scripts_are_the_same_after_marc8(text: str) -> None:
    assert marc8.decode(marc8.encode(text)) == unicodedata.normalize("NFC", text)


# ---- patrons ------------------------------------------------------------------------------------


def csv_file(folder: Path, *lines: str, heading: str = HEADING) -> Path:
    path = folder / "patrons.csv"
    path.write_text("\ufeff" + heading + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_repeated_import_of_patrons_saves_only_changes(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    lines = [f"CARD{n},,Reader {n},adult,HKCL,en," for n in range(150)]
    lines[0] = "card0,271828,陳大文,junior,LFU,zh-Hant,a@example.org"
    store = stores("accounts")
    store.branches.insert_one({"_id": "HKCL"})
    answer = run("patrons", str(csv_file(tmp_path, *lines)))
    assert (answer["code"], answer["added"]) == (0, 150), answer
    assert "1 records name LFU, which is no registered library." in answer["err"]
    assert "HKCL" not in answer["err"]
    holder = store.cardholders.find_one({"card_number": "CARD0"})
    assert (holder["name"], holder["pin_hash"][:9]) == ("陳大文", "$argon2id")
    assert store.cardholders.count_documents({"pin_hash": ""}) == 149
    assert store.preferences.count_documents({}) == 150

    lines[0] = "CARD0,999999,陳大文,adult,LFU,zh-Hant,b@example.org"
    lines[1] = "CARD1,,Reader One,adult,HKCL,en,"
    again = run("patrons", str(csv_file(tmp_path, *lines)))
    assert (again["changed"], again["unchanged"]) == (2, 148)
    after = store.cardholders.find_one({"card_number": "CARD0"})
    assert (after["email"], after["pin_hash"]) == ("b@example.org", holder["pin_hash"])
    assert store.cardholders.find_one({"card_number": "CARD1"})["name"] == "Reader One"
    # Events carry no names: only the category of the first was published, and that its reader is
    # told at the former address.
    told, amended = events_of(store)[150:]
    assert (amended["category"], told["changed"], told["by"]) == ("adult", True, "staff")
    kept = store.kept_addresses.find_one({"_id": told["alert_id"]})
    assert (kept["patron_id"], kept["email"]) == (holder["_id"], "a@example.org")


def test_a_postal_address_is_imported_and_stays_if_the_file_has_none(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    heading = HEADING.replace("email", "address_1,address_2,locality")
    lines = [
        "CARD1,,Mary Fields,adult,HKCL,en,Flat 1,2 Nathan Road,Kowloon",
        "CARD2,,Mary Fields,adult,HKCL,en,,,",
        "CARD3,,Mary Fields,adult,HKCL,en,,,Kowloon",
    ]
    answer = run("patrons", str(csv_file(tmp_path, *lines, heading=heading)))
    assert (answer["added"], answer["refused"]) == (2, 1)
    plain = [f"CARD{n},,Mary Fields,adult,HKCL,en," for n in (1, 2)]
    again = run("patrons", str(csv_file(tmp_path, *plain)))
    assert again["unchanged"] == 2
    store = stores("accounts")
    stored = store.cardholders.find_one({"card_number": "CARD1"})["postal_address"]
    assert stored == {"lines": ["Flat 1", "2 Nathan Road"], "locality": "Kowloon", "country": ""}
    assert [event["by_post"] for event in events_of(store)] == [True, False]
    moved = lines[0].replace("Flat 1", "Flat 2")
    assert run("patrons", str(csv_file(tmp_path, moved, heading=heading)))["changed"] == 1
    *_, told = events_of(store)
    assert (told["postal"], told["changed"], told["by"]) == (True, False, "staff")


def test_a_refused_patron_is_reported_by_line_without_personal_data(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    stores("accounts").cardholders.insert_one(
        {"_id": "s1", "role": "staff", "card_digest": card_digest("S", KEY), "card_number": "S"}
        | {"name": "S", "pin_hash": ""}
    )
    path = csv_file(
        tmp_path,
        "CARD1,,Mary Fields,adult,HKCL,en,",
        "CARD2,,Mary Fields,Adult!,HKCL,xx,",
        "CARD3,12,Mary Fields,adult,HKCL,en,",
        "CARD4,,Mary Fields,adult",
        'CARD5,,"Mary\nFields",adult,HKCL,en,',
        "CARD6,,Mary Fields,adult,HKCL,en,|cat@example.org",
    )
    answer = run("patrons", str(path))
    assert (answer["code"], answer["added"]) == (1, 2)
    refused = refused_in(answer)
    assert [number for number, _, _ in refused] == ["3", "4", "5", "8"]
    assert "category" in refused[0][2]
    assert "language" in refused[0][2]
    assert "email" in refused[3][2]
    assert not any("Mary" in text or "CARD" in text for row in refused for text in row)


def test_an_unknown_heading_changes_nothing(run: Run, stores: Any, tmp_path: Path) -> None:
    for heading in ("card_number,name\n", HEADING.replace("email", "birthday")):
        answer = run("patrons", str(csv_file(tmp_path, heading=heading)))
        assert answer["code"] == 1
        assert "heading" in answer["err"]
    assert not stores("accounts").list_collection_names()
