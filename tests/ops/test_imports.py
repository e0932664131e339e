"""`carrel import`: titles and patrons of another system, with refused records and reasons."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from pymarc import Field, Indicators, Record, Subfield
from pymongo import MongoClient
from pymongo.database import Database
from typer.testing import CliRunner

from ops.commands.import_ import app
from ops.imports.marc import records, title_of
from shared.ids import card_digest

Run = Callable[..., dict[str, Any]]
KEY = "the card key of these tests"
HEADING = "card_number,pin,name,category,home_branch,language,email\n"


@pytest.fixture
def run(mongo_url: str, database: str) -> Run:
    """A function that runs `carrel import … --json` and returns its document, with its `code`."""

    def invoke(*arguments: str, **environment: str) -> dict[str, Any]:
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


def item(barcode: str, branch: str = "HKCL", price: str = "128.00") -> Field:
    return field("952", f"a {branch}", f"p {barcode}", f"v {price}")


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
    title = title_of(
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
            item("B1", price="HK$128.5"),
            item("B2", "LFU", price=""),
            audience="d",
        )
    )
    assert (title.control_number, title.title) == ("HkPL/ocm1", "Wo cheng : a novel = 我城")
    assert title.authors == ("Xi, Xi", "西西.", "Smith, Ann")
    assert (title.isbn, title.kind) == ("9780061120084", "book")
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
    title = title_of(
        record("1", field("245", "a Kite"), item("B1"), audience=audience, leader=leader)
    )
    assert (title.kind, title.copies[0].category) == (kind, category)


def test_a_record_with_a_wrong_length_is_not_the_end_of_the_file(tmp_path: Path) -> None:
    wrong = b"00999" + record("2").as_marc()[5:]
    path = marc_file(tmp_path, record("1"), b"\r\n", b"no record\x1d", wrong, record("3"))
    with path.open("rb") as file:
        read = list(records(file))
    assert [isinstance(each, Record) for each in read][:2] == [True, False]
    assert isinstance(read[-1], Record)
    assert len(read) == 4


def test_a_repeated_import_of_titles_saves_only_changes(
    run: Run, stores: Any, tmp_path: Path
) -> None:
    first = [record(f"n{n}", field("245", f"a Title {n} /"), item(f"B{n}")) for n in range(250)]
    answer = run("marc", str(marc_file(tmp_path, *first)))
    assert (answer["code"], answer["added"], answer["refused_in"]) == (0, 250, None)
    store = stores("circulation")
    assert store.titles.count_documents({"terms": "title"}) == 250
    assert store.copies.count_documents({"branch_code": "HKCL", "price_cents": 12800}) == 250

    again = run("marc", str(marc_file(tmp_path, *first)))
    assert (again["code"], again["unchanged"], len(events_of(store))) == (0, 250, 250)

    first[7] = record("n7", field("245", "a A better title /"), item("B7", "LFU"), item("B7b"))
    changed = run("marc", str(marc_file(tmp_path, *first)))
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
    answer = run("marc", str(path))
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

    mended = run("marc", str(marc_file(tmp_path, record("n1", field("245", "a One"), item("B1")))))
    assert (mended["code"], mended["refused_in"]) == (0, None)
    assert not Path(answer["refused_in"]).exists()  # its content would be outdated


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
    answer = run("patrons", str(csv_file(tmp_path, *lines)))
    assert (answer["code"], answer["added"]) == (0, 150), answer
    store = stores("accounts")
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
