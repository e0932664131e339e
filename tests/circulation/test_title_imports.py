"""Files of MARC records are previewed, imported in steps, and reported record by record."""

import asyncio
from io import BytesIO
from typing import Any

import pytest
from pymarc import Field, Indicators, Record, Subfield

from ops.imports import marc
from services.circulation.catalogue.formats.marc_files import (
    XML_BEGIN,
    XML_END,
    in_iso2709,
    in_xml,
    records_in,
)
from services.circulation.imports.routes import BATCH, MOST_RECORDS
from tests.circulation.desk import STAFF, STATION, Desk
from tests.support import Answer, plans

BLANK = Indicators(" ", " ")


def record(number: str, title: str = "Kite", *barcodes: str, branch: str = "HKCL") -> Record:
    made = Record()
    made.fields = [Field("001", data=number), Field("245", BLANK, [Subfield("a", title)])]
    for barcode in barcodes:
        item = [Subfield("a", branch), Subfield("p", barcode)]
        made.fields.append(Field("952", BLANK, item))
    return made


def iso2709(*records: Record, utf8: bool = True) -> bytes:
    return b"".join(in_iso2709(one, utf8=utf8) for one in records)


async def send(desk: Desk, content: bytes, as_: str = STAFF) -> Answer:
    kind = {"Content-Type": "application/octet-stream"}
    return await desk.api.call("POST", "/v1/title-imports", data=content, as_=as_, headers=kind)


async def run(desk: Desk, sent: dict[str, Any]) -> dict[str, Any]:
    path = f"/v1/title-imports/{sent['import_id']}/run"
    found: dict[str, Any] = (await desk.api.insist("POST", path, as_=STAFF)).json()
    return found


async def whole(desk: Desk, sent: dict[str, Any]) -> dict[str, Any]:
    while sent["done"] < sent["records"]:
        sent = await run(desk, sent)
    return sent


def outcomes(report: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["known_as"], one["outcome"]) for one in report["items"]]


async def stored(desk: Desk, collection: str) -> int:
    return int(await desk.api.app.state.database[collection].count_documents({}))


@pytest.mark.parametrize("form", ["utf8", "marc8", "xml"])
async def test_a_file_is_previewed_then_imported_and_a_repeat_changes_nothing(
    desk: Desk, form: str
) -> None:
    records = [record("n1", "海港 café", "M1", "M2"), record("n2")]
    xml = XML_BEGIN + b"".join(map(in_xml, records)) + XML_END
    content = xml if form == "xml" else iso2709(*records, utf8=form == "utf8")
    answer = await send(desk, content)
    sent = answer.json()
    assert (answer.status, sent["records"], sent["done"]) == (201, 2, 0)
    assert outcomes(sent) == [("n1", "added"), ("n2", "added")]
    assert (sent["items"][0]["new_copies"], sent["items"][0]["title"]) == (2, "海港 café")
    assert await stored(desk, "titles") == await stored(desk, "copies") == 0

    report = await whole(desk, sent)
    assert (report["done"], outcomes(report)) == (2, outcomes(sent))
    assert (await stored(desk, "titles"), await stored(desk, "copies")) == (2, 2)
    path = f"/v1/title-imports/{sent['import_id']}"
    assert (await desk.api.get(path, as_=STAFF)).json() == report
    again = (await send(desk, content)).json()
    assert outcomes(again) == [("n1", "unchanged"), ("n2", "unchanged")]
    assert outcomes(await whole(desk, again)) == outcomes(again)
    assert await desk.run().database.outbox.count_documents({"topic": "title.catalogued"}) == 2


async def test_a_preview_says_what_changes_and_what_can_not_be_read(desk: Desk) -> None:
    await whole(desk, (await send(desk, iso2709(record("n1", "Kite", "M1")))).json())
    changed = record("n1", "Kites", "M1", "M2")
    changed.fields.append(Field("250", BLANK, [Subfield("a", "2nd edition")]))
    changed.fields.append(Field("020", BLANK, [Subfield("a", "9780061120085")]))
    unknown = record("n2", "Boats", "M3", branch="XX")
    nameless = record("n3", "")
    content = iso2709(changed, unknown, nameless) + b"garbage\x1d"
    sent = (await send(desk, content)).json()
    first, *refused = sent["items"]
    assert (first["outcome"], first["new_copies"]) == ("changed", 1)
    assert {"title", "edition"} <= set(first["changes"])
    assert first["unread"] == [
        {
            "field": "020 $a",
            "reason": "the check digit of this ISBN is wrong: 9780061120085",
        }
    ]
    assert [(one["number"], one["outcome"]) for one in refused] == [
        (number, "refused") for number in (2, 3, 4)
    ]
    assert refused[0]["reason"] == "No library has the code XX."
    assert refused[1]["reason"] == "no title (245)"
    report = await whole(desk, sent)
    assert outcomes(report) == outcomes(sent)
    assert await stored(desk, "titles") == 1


async def test_two_librarians_who_run_a_file_at_once_import_each_record_once(
    desk: Desk, second: Desk
) -> None:
    records = [record(f"n{n}", f"Title {n}", f"M{n}") for n in range(2 * BATCH + 5)]
    sent = (await send(desk, iso2709(*records))).json()
    await asyncio.gather(*(run(one, sent) for one in (desk, second, desk, second)))
    report = await whole(desk, sent)
    assert {outcome for _, outcome in outcomes(report)} == {"added"}
    assert (await stored(desk, "titles"), await stored(desk, "copies")) == (205, 205)


async def test_records_with_the_same_number_are_imported_one_after_the_other(desk: Desk) -> None:
    sent = (await send(desk, iso2709(record("n1", "Kite"), record("n1", "Kites")))).json()
    report = await whole(desk, sent)
    assert outcomes(report) == [("n1", "added"), ("n1", "changed")]


async def test_a_file_without_records_or_with_too_many_is_refused(desk: Desk) -> None:
    for content, code in (
        (b" ", "no-records"),
        (iso2709(*[record(f"n{n}") for n in range(MOST_RECORDS + 1)]), "too-many-records"),
    ):
        answer = await send(desk, content)
        assert (answer.status, answer.json()["code"]) == (409, code)
    assert (await send(desk, iso2709(record("n1")), STATION)).status == 403
    for method, path in (("GET", ""), ("POST", "/run")):
        answer = await desk.api.insist(method, f"/v1/title-imports/none{path}", as_=STAFF)
        assert (answer.status, answer.json()["code"]) == (404, "no-such-import")


async def test_a_batch_looks_for_its_numbers_in_the_index(desk: Desk) -> None:
    async with plans(desk.api.app.state.database, "control_number") as found:
        await whole(desk, (await send(desk, iso2709(record("1"), record("2")))).json())
    assert found == {"IXSCAN { control_number: 1 }"}


async def title_and_copies(desk: Desk, title_id: str) -> tuple[Any, list[Any]]:
    """Return a title and its copies as they are stored, without the times of their writes."""
    database, without = desk.api.app.state.database, {"changed_at": 0}
    title = await database.titles.find_one({"_id": title_id}, without)
    copies = database.copies.find({"title_id": title_id}, without).sort("barcode", 1)
    return title, [one async for one in copies]


async def exported(desk: Desk, form: str) -> list[Record]:
    """Return the records that `carrel export titles` writes, as another system reads them."""
    records = [one async for one in marc.exported(desk.api.app.state.database)]
    xml = XML_BEGIN + b"".join(map(in_xml, records)) + XML_END
    content = xml if form == "xml" else iso2709(*records, utf8=form == "utf8")
    return [one[0] for one in records_in(BytesIO(content)) if not isinstance(one, Exception)]


LOSSY = {
    "title": "Wo cheng",
    "authors": ["Xi Xi", "Ann Smith"],
    "isbn": "9780061120084",
    "kind": "other",
    "record": {
        "languages": ["chi", "eng"],
        "publisher": "Lantern,",
        "year": 1999,
        "audience": "young-adult",
        "summary": "Two.\nLines.",
        "cover": "https://c.example.org/1.jpg",
        "identifiers": [{"scheme": "issn", "value": "0317-8471"}],
    },
}
"""A title of which MARC can't say all: its format, the category of copies, lines of its summary."""
LOSSY_COPIES = [
    {"barcode": "L2", "category": "reference", "branch": "HKCL", "volume": "v. 2"},
    {
        "barcode": "L1",
        "category": "adult",
        "branch": "LFU",
        "price_cents": 12805,
        "record": {
            "call_number": {"number": "823", "scheme": "ddc"},
            "condition": "spine repaired",
            "acquired_on": "2020-06-15",
        },
    },
]


@pytest.mark.parametrize("form", ["utf8", "marc8", "xml"])
async def test_a_title_made_here_comes_back_from_an_export_with_its_corrections_alone(
    desk: Desk, form: str
) -> None:
    made = {**LOSSY, "copies": LOSSY_COPIES}
    here = (await desk.api.insist("POST", "/v1/titles", made, as_=STAFF)).json()
    other = {**made, "title": "海港 café", "isbn": None, "copies": [], "kind": "periodical"}
    await desk.api.insist("POST", "/v1/titles", other, as_=STAFF)
    await whole(desk, (await send(desk, iso2709(record("n1", "Kite", "K1")))).json())
    imported = await desk.api.app.state.database.titles.find_one({"control_number": "n1"})
    path = f"/v1/titles/{imported['_id']}"
    await desk.api.insist("PATCH", path, {"kind": "other", "title": "Kite!"}, as_=STAFF)

    records = await exported(desk, form)
    numbers = [(one["001"].data, one.get("003") and one["003"].data) for one in records]
    assert numbers[0] == (here["id"], "Carrel")
    assert numbers[2] == ("n1", None)
    for _ in range(2):
        report = await whole(desk, (await send(desk, iso2709(*records))).json())
        assert [one["outcome"] for one in report["items"]] == ["unchanged"] * 3

    before, [first_before, second_before] = await title_and_copies(desk, here["id"])
    records[0]["245"]["a"] = "Wo cheng, corrected"
    records[0].get_fields("952")[0].add_subfield("c", "3/F")
    for outcome in ("changed", "unchanged"):
        report = await whole(desk, (await send(desk, iso2709(*records))).json())
        assert [one["outcome"] for one in report["items"]] == [outcome, "unchanged", "unchanged"]
    after, [first, second] = await title_and_copies(desk, here["id"])
    corrected = {"title": "Wo cheng, corrected", "version": before["version"] + 1}
    assert after == {**before, **corrected, "terms": after["terms"]}
    label = {**first_before["record"], "shelf_location": "3/F"}
    assert first == {**first_before, "record": label, "version": first_before["version"] + 1}
    assert second == second_before
    assert await stored(desk, "titles") == 3

    for sent, again in zip(records, await exported(desk, form), strict=True):
        assert [str(field) for field in again.fields] == [str(field) for field in sent.fields]


async def test_a_number_of_another_carrel_is_added_once(desk: Desk) -> None:
    moved = record("0199-unknown", "Kite", "K1")
    moved.add_ordered_field(Field("003", data="Carrel"))
    for outcome in ("added", "unchanged"):
        report = await whole(desk, (await send(desk, iso2709(moved))).json())
        assert outcomes(report) == [("Carrel/0199-unknown", outcome)]
