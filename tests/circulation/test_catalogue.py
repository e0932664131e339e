"""Titles are corrected and gain copies; an event publishes each change."""

import asyncio
from datetime import date
from typing import Any

import orjson
import pytest

from services.circulation.catalogue.commands import NewCopy
from services.circulation.imports.commands import ImportTitles, import_titles
from services.circulation.imports.formats import ImportedTitle
from services.circulation.rules.record import Record
from services.circulation.rules.title import MOST_COPIES
from services.circulation.search import store as search_store
from tests.circulation.desk import STAFF, Desk
from tests.circulation.shelf import hold
from tests.support import Answer


def copies(*barcodes: str, branch: str = "HKCL", category: str = "adult") -> list[dict[str, Any]]:
    return [{"barcode": b, "category": category, "branch": branch} for b in barcodes]


async def catalogued(desk: Desk, **more: Any) -> dict[str, Any]:
    body = {"title": "Kite", "authors": [], "kind": "book", "copies": copies("K1"), **more}
    answer = await desk.api.post("/v1/titles", body, as_=STAFF)
    made: dict[str, Any] = answer.json()
    return made


async def add(desk: Desk, title: dict[str, Any], *barcodes: str, **more: Any) -> Answer:
    body = {"copies": copies(*barcodes, **more)}
    return await desk.api.insist("POST", f"/v1/titles/{title['id']}/copies", body, as_=STAFF)


async def amend(desk: Desk, of: dict[str, Any], **changes: Any) -> Answer:
    return await desk.api.patch(f"/v1/titles/{of['id']}", changes, as_=STAFF)


async def found(desk: Desk, q: str) -> list[str]:
    answer = await desk.api.get(f"/v1/titles?q={q}")
    return [title["title"] for title in answer.json()["items"]]


async def told(desk: Desk) -> list[dict[str, Any]]:
    rows = desk.run().database.outbox.find({"topic": "title.catalogued"})
    return [orjson.loads(row["body"]) async for row in rows]


async def test_new_copies_can_be_lent_and_count_at_their_branch(desk: Desk) -> None:
    title = await catalogued(desk)
    answer = await add(desk, title, "K2", "K3", branch="LFU")
    assert answer.status == 201
    assert answer.json()["availability"] == [
        {"branch": "HKCL", "copies": 1, "available": 1, "call_number": None},
        {"branch": "LFU", "copies": 2, "available": 2, "call_number": None},
    ]
    [lent] = await desk.lend("K3")
    assert lent["loan"]["title_id"] == title["id"]
    assert [event["version"] for event in await told(desk)] == [1, 2]
    assert [copy["barcode"] for copy in (await told(desk))[1]["copies"]] == ["K1", "K2", "K3"]


async def test_a_corrected_title_is_found_by_its_new_words(desk: Desk) -> None:
    title = await catalogued(desk, isbn="0-06-112008-1")
    answer = await amend(desk, title, title="我城", authors=["西西"])
    assert (answer.json()["title"], answer.json()["isbn"]) == ("我城", "9780061120084")
    assert [await found(desk, q) for q in ("kite", "城", "西")] == [[], ["我城"], ["我城"]]
    assert (await amend(desk, title, isbn=None)).json()["isbn"] is None
    same = await amend(desk, title, title="我城")
    assert (same.status, same.json()["version"]) == (200, 3)
    assert [(e["version"], e["title"]) for e in await told(desk)] == [
        (1, "Kite"),
        (2, "我城"),
        (3, "我城"),
    ]
    faulty: list[dict[str, Any]] = [{"title": None}, {"title": ""}, {"copies": []}, {"isbn": "1"}]
    for changes in faulty:
        assert (await amend(desk, title, **changes)).status == 422, changes


async def test_invalid_catalogue_entries_are_refused(desk: Desk) -> None:
    title = await catalogued(desk)
    for answer, code in (
        (await add(desk, {"id": "none"}, "K2"), "no-such-title"),
        (await amend(desk, {"id": "none"}, title="Kites"), "no-such-title"),
        (await add(desk, title, "K1"), "barcode-taken"),
        (await add(desk, title, "K2", "K2"), "malformed"),
        (await add(desk, title), "malformed"),
    ):
        assert answer.json()["code"] == code
    many = [
        {"_id": f"c{n}", "barcode": f"M{n}", "title_id": title["id"], "category": "adult"}
        | {"branch_code": "HKCL"}
        for n in range(MOST_COPIES - 1)
    ]
    await desk.run().database.copies.insert_many(many)
    assert (await add(desk, title, "K2")).json()["code"] == "too-many-copies"


async def test_copies_added_by_twenty_concurrent_requests_are_all_stored(desk: Desk) -> None:
    title = await catalogued(desk)
    await asyncio.gather(*(add(desk, title, f"M{number}") for number in range(20)))
    events = await told(desk)
    assert [event["version"] for event in events] == list(range(1, 22))
    assert [len(event["copies"]) for event in events] == list(range(1, 22))


async def test_a_search_reads_only_the_titles_that_contain_its_rarest_word(desk: Desk) -> None:
    titles = desk.run().database.titles
    await titles.insert_many(
        [
            {"_id": f"t{n:04}", "terms": ["common", f"rare{n:04}", "城邦" if n % 2 else "邦"]}
            for n in range(2000)
        ]
    )
    for text, most in (("rare0042", 5), ("common rare0042", 5), ("rare0042 城", 5), ("none", 1)):
        plan = {"find": "titles", "filter": search_store.matching(text), "sort": {"_id": 1}}
        explained = await titles.database.command(
            "explain", {**plan, "limit": 51}, verbosity="executionStats"
        )
        assert explained["executionStats"]["totalDocsExamined"] <= most, text


@pytest.mark.deadlines
async def test_a_search_that_takes_too_long_is_given_up_and_other_reads_go_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = await catalogued(desk)
    monkeypatch.setattr(search_store, "SEARCH_SECONDS", 0.0001)
    late = await desk.api.get("/v1/titles?q=kites")
    assert (late.status, late.json()["code"]) == (503, "unavailable")
    assert (await desk.api.insist("GET", f"/v1/titles/{title['id']}")).status == 200


RECORD = {
    "languages": ["chi", "eng"],
    "edition": "2nd edition",
    "publisher": "Su Yeh",
    "place": "Hong Kong",
    "year": 1979,
    "series": [{"title": "Island tales", "number": "vol. 3"}],
    "subjects": ["Hong Kong -- Fiction"],
    "extent": "236 pages ; 19 cm",
    "audience": "adult",
    "summary": "A city in a child's eyes.\nIts people.",
    "contents": "Doors -- Roofs",
    "cover": "https://covers.example.org/1.jpg",
    "identifiers": [{"scheme": "isbn", "value": "0-06-112008-1"}],
    "original_title": "我城",
    "other_titles": ["My city"],
}


async def test_the_record_of_a_title_is_shown_searched_changed_and_published(desk: Desk) -> None:
    title = await catalogued(desk, record=RECORD)
    shown = RECORD | {"identifiers": [{"scheme": "isbn", "value": "9780061120084"}]}
    assert title["record"] == shown
    read = await desk.api.get(f"/v1/titles/{title['id']}")
    assert read.json()["record"] == shown
    for query in ("fiction", "island", "my city", "城", "9780061120084", "kite 0061120081"):
        assert await found(desk, query) == ["Kite"], query
    [listed] = (await desk.api.get("/v1/titles?q=kite")).json()["items"]
    assert listed["record"] == shown | {"summary": None, "contents": None}

    changes: dict[str, Any] = {"year": 1989, "summary": None, "subjects": []}
    amended = await amend(desk, title, record=changes)
    assert amended.json()["record"] == shown | changes
    assert (await amend(desk, title, record={"year": 1989})).json()["version"] == 2
    assert await found(desk, "fiction") == []
    assert [event["record"] for event in await told(desk)] == [shown, shown | changes]


async def test_a_title_without_a_record_stores_and_publishes_none(desk: Desk) -> None:
    title = await catalogued(desk)
    assert title["record"]["languages"] == []
    assert "record" not in (await desk.run().database.titles.find_one({"_id": title["id"]}) or {})
    assert [event["record"] for event in await told(desk)] == [None]


@pytest.mark.parametrize(
    "faulty",
    [
        {"languages": ["english"]},
        {"year": 0},
        {"cover": "javascript:alert(1)"},
        {"identifiers": [{"scheme": "isbn", "value": "0061120082"}]},
        {"identifiers": [{"scheme": "issn", "value": "0317-8472"}]},
        {"audience": "cats"},
        {"subjects": [""]},
        {"pages": 12},
    ],
)
async def test_an_invalid_record_is_refused(desk: Desk, faulty: dict[str, Any]) -> None:
    body = {"title": "Kite", "authors": [], "kind": "book", "copies": [], "record": faulty}
    assert (await desk.api.insist("POST", "/v1/titles", body, as_=STAFF)).status == 422


COPY_RECORD = {
    "call_number": {"number": "823.92 KIT", "scheme": "ddc"},
    "shelf_location": "Adult Library, 3/F",
    "collection": "Local history",
    "supplier": "Harbour Books",
    "condition": "Spine repaired",
    "acquired_on": "2020-06-15",
}


async def copy_of(desk: Desk, barcode: str) -> dict[str, Any]:
    answer = await desk.api.get(f"/v1/copies/{barcode}", as_=STAFF)
    shown: dict[str, Any] = answer.json()
    return shown


async def amend_copy(desk: Desk, barcode: str, **changes: Any) -> Answer:
    return await desk.api.patch(f"/v1/copies/{barcode}", changes, as_=STAFF)


async def test_a_copy_is_described_shown_changed_and_published(desk: Desk) -> None:
    [first] = copies("K1")
    title = await catalogued(desk, copies=[first | {"record": COPY_RECORD}])
    number = {"number": "823.92 KIT", "scheme": "ddc", "shelf_order": "823.92 KIT"}
    shown = {**COPY_RECORD, "call_number": number}
    detail = await copy_of(desk, "K1")
    assert {name: detail[name] for name in shown} == shown
    [public] = title["copies"]
    assert (public["call_number"], public["collection"]) == (number, "Local history")
    assert "supplier" not in public

    changes = {"branch": "LFU", "price_cents": 9000, "record": {"condition": None}}
    amended = await amend_copy(desk, "K1", **changes)
    assert (amended.json()["branch"], amended.json()["at_branch"]) == ("LFU", "HKCL")
    assert (amended.json()["condition"], amended.json()["supplier"]) == (None, "Harbour Books")
    assert (await amend_copy(desk, "K1", branch="LFU")).json()["version"] == 2
    published = [event["copies"][0] for event in await told(desk)]
    assert [copy["branch"] for copy in published] == ["HKCL", "LFU"]
    assert published[1]["record"] == {
        **COPY_RECORD,
        "call_number": "823.92 KIT",
        "scheme": "ddc",
        "condition": None,
    }
    emptied = dict.fromkeys(COPY_RECORD)
    await amend_copy(desk, "K1", record=emptied)
    assert (await told(desk))[2]["copies"][0]["record"] is None
    for barcode, faulty, status in (
        ("K9", {"branch": "LFU"}, 409),
        ("K1", {"state": "available"}, 422),
        ("K1", {"category": None}, 422),
    ):
        assert (await amend_copy(desk, barcode, **faulty)).status == status, faulty


async def test_a_copy_on_order_is_lent_only_after_it_has_arrived(desk: Desk) -> None:
    [ordered] = copies("K1")
    title = await catalogued(desk, copies=[ordered | {"state": "on-order"}])
    assert title["availability"] == [
        {"branch": "HKCL", "copies": 1, "available": 0, "call_number": None}
    ]
    [refused] = await desk.lend("K1")
    assert refused["problem"]["code"] == "copy-not-ready"

    answer = await desk.api.post("/v1/copies/K1/removal", {"fault": "in-process"}, as_=STAFF)
    assert answer.json()["copy"]["state"] == "in-process"
    assert (await desk.lend("K1"))[0]["problem"]["code"] == "copy-not-ready"
    await desk.patron("p2")
    placed = await hold(desk, "p2", title["id"], at="LFU")
    assert placed["state"] == "waiting"  # patrons can reserve what is on order

    arrived = await desk.api.post("/v1/copies/K1/arrival", {"branch": "HKCL"}, as_=STAFF)
    assert (arrived.json()["copy"]["state"], arrived.json()["hold"]["id"]) == (
        "in-transit",
        placed["id"],
    )


async def test_copies_described_at_the_same_moment_lose_no_change(desk: Desk) -> None:
    title = await catalogued(desk, copies=copies(*(f"M{n}" for n in range(20))))
    await asyncio.gather(
        *(amend_copy(desk, f"M{n}", record={"collection": f"C{n}"}) for n in range(20)),
        *(amend_copy(desk, f"M{n}", price_cents=n) for n in range(20)),
    )
    described = [await copy_of(desk, f"M{n}") for n in range(20)]
    assert [(copy["collection"], copy["price_cents"]) for copy in described] == [
        (f"C{n}", n) for n in range(20)
    ]
    last = (await told(desk))[-1]
    assert {copy["record"]["collection"] for copy in last["copies"]} == {f"C{n}" for n in range(20)}
    assert title["version"] < last["version"]


async def test_titles_imported_twice_at_the_same_moment_are_there_once(desk: Desk) -> None:
    copy = NewCopy("K1", "adult", "HKCL", None)
    given = ImportedTitle("n1", "Kite", (), None, "book", (copy,), Record(year=1999), b"{}")
    run = desk.run()
    command = ImportTitles((given,), date(2020, 11, 20))
    results = await asyncio.gather(*(run(import_titles, command) for _ in range(10)))
    assert sorted(one.outcome for [one] in results) == ["added", *["unchanged"] * 9]
    assert [
        await run.database[name].count_documents({}) for name in ("titles", "marc_records")
    ] == [1, 1]
    assert len(await told(desk)) == 1
