"""The catalogue is searched by words, parts, filters and counts, in any script."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest

from services.circulation.app import create_app
from services.circulation.search.queries import CatalogueView
from services.circulation.search.rules import number_in_words
from tests.circulation.desk import STAFF, Desk, settings_for
from tests.support import served

BOOKS: list[dict[str, Any]] = [
    {
        "title": "The Sea, the Sea",
        "authors": ["Murdoch, Iris"],
        "isbn": "0-14-118616-X",
        "record": {"languages": ["eng"], "year": 1978, "subjects": ["Theatre -- Fiction"]},
        "copies": [("S1", "HKCL"), ("S2", "LFU")],
    },
    {
        "title": "Sea birds of Asia",
        "authors": ["Morton, Iris"],
        "record": {
            "languages": ["eng"],
            "year": 2019,
            "audience": "children",
            "series": [{"title": "Seen from the sea", "number": "3"}],
        },
        "copies": [("B1", "LFU")],
    },
    {
        "title": "Sea",
        "authors": ["Zhang, Wei"],
        "kind": "video",
        "record": {"languages": ["eng", "chi"], "year": 2021, "other_titles": ["大海"]},
        "copies": [],
    },
    {
        "title": "哈利波特與神秘的魔法石",
        "authors": ["J.K. 羅琳"],
        "record": {"languages": ["chi"], "year": 2000, "subjects": ["魔法 -- 小說"]},
        "copies": [("H1", "HKCL")],
    },
]


class Shelf:
    """A library with BOOKS, and searches in it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.view: CatalogueView = desk.api.app.state.catalogue_view

    async def add(self, book: dict[str, Any]) -> dict[str, Any]:
        """Catalogue a title; its copies are pairs of barcode and branch."""
        copies = [
            {"barcode": barcode, "category": "adult", "branch": branch}
            for barcode, branch in book["copies"]
        ]
        body = {"kind": "book", **book, "copies": copies}
        answer = await self.desk.api.insist("POST", "/v1/titles", body, as_=STAFF)
        assert answer.status == 201, answer.json()
        made: dict[str, Any] = answer.json()
        return made

    async def page(self, **query: Any) -> dict[str, Any]:
        """Search, with all changes until now."""
        await self.view.refresh()
        answer = await self.desk.api.get("/v1/titles?" + urlencode(query))
        assert answer.status == 200, answer.json()
        found: dict[str, Any] = answer.json()
        return found

    async def titles(self, **query: Any) -> list[str]:
        """Return the titles found, in their order."""
        return [item["title"] for item in (await self.page(**query))["items"]]


@pytest.fixture
async def shelf(desk: Desk) -> Shelf:
    """A library with BOOKS."""
    shelf = Shelf(desk)
    for book in BOOKS:
        await shelf.add(book)
    return shelf


SEA, BIRDS, FILM, POTTER = (book["title"] for book in BOOKS)


SEARCHES: list[tuple[dict[str, Any], list[str]]] = [
    ({"q": "sea"}, [FILM, BIRDS, SEA]),
    ({"q": "iris mur"}, [SEA]),
    ({"q": "asia bird"}, [BIRDS]),
    ({"q": "bird asia sea iris murdoch"}, []),
    ({"q": "theatre"}, [SEA]),
    ({"q": "014118616X"}, [SEA]),
    ({"q": "978-0-14-118616-0"}, [SEA]),
    ({"q": "神秘"}, [POTTER]),
    ({"q": "魔法石 罗琳"}, [POTTER]),
    ({"q": "石魔"}, []),
    ({"q": "石"}, [POTTER]),
    ({"q": "大海"}, [FILM]),
    ({"title": "sea"}, [FILM, SEA, BIRDS]),
    ({"author": "iris"}, [SEA, BIRDS]),
    ({"author": "sea"}, []),
    ({"subject": "小说"}, [POTTER]),
    ({"series": "seen"}, [BIRDS]),
    ({"branch": "LFU"}, [SEA, BIRDS]),
    ({"branch": "LFU", "q": "iris", "audience": "children"}, [BIRDS]),
    ({"format": "video"}, [FILM]),
    ({"language": "chi"}, [FILM, POTTER]),
    ({"year_from": 2000, "year_to": 2019}, [BIRDS, POTTER]),
    ({"available": True}, [SEA, BIRDS, POTTER]),
    ({"since": "2020-01-01", "language": "chi"}, [FILM, POTTER]),
    ({"since": "2100-01-01"}, []),
    ({"sort": "title"}, [FILM, BIRDS, SEA, POTTER]),
    ({"sort": "author"}, [POTTER, BIRDS, SEA, FILM]),
    ({"sort": "year"}, [FILM, BIRDS, POTTER, SEA]),
]


async def test_titles_are_found_by_words_and_filters(shelf: Shelf) -> None:
    for query, found in SEARCHES:
        titles = await shelf.titles(**{"sort": "relevance", **query})
        if "sort" in query or "q" in query:
            assert titles == found, query
        assert sorted(titles) == sorted(found), query


async def test_the_counts_follow_loans_and_returns(shelf: Shelf) -> None:
    counts = (await shelf.page(facets=True))["facets"]
    assert counts["branches"] == [{"value": "HKCL", "count": 2}, {"value": "LFU", "count": 2}]
    assert counts["available"] == 3
    assert counts["formats"] == [{"value": "book", "count": 3}, {"value": "video", "count": 1}]
    assert {one["value"]: one["count"] for one in counts["languages"]} == {"eng": 3, "chi": 2}
    assert [one["value"] for one in counts["decades"]] == ["2020", "2010", "2000", "1970"]
    assert counts["audiences"] == [{"value": "children", "count": 1}]

    await shelf.desk.lend("S1")
    found = await shelf.page(q="iris", facets=True)
    assert (found["total"], found["facets"]["available"]) == (2, 2)
    assert found["items"][0]["availability"] or found["items"][1]["availability"]
    assert await shelf.titles(available=True, branch="HKCL") == [POTTER]
    await shelf.desk.lend("S2", "B1")
    assert await shelf.titles(q="iris", available=True) == []
    await shelf.desk.take_back("S1", on="2021-03-10")
    assert await shelf.titles(available=True, branch="HKCL", q="iris") == [SEA]


async def test_small_counts_are_not_kept_however_busy_the_process_is(shelf: Shelf) -> None:
    await shelf.view.refresh()
    search = "/v1/titles?q=iris&facets=true"
    answers = await asyncio.gather(*(shelf.desk.api.get(search) for _ in range(100)))
    assert {answer.status for answer in answers} <= {200, 503}
    await shelf.desk.lend("S1", "S2", "B1")
    assert (await shelf.page(q="iris", facets=True))["facets"]["available"] == 0


async def test_pages_follow_each_other_without_a_gap(shelf: Shelf) -> None:
    for number in range(7):
        await shelf.add({"title": f"Volume {number}", "authors": [], "copies": []})
    found: list[str] = []
    after: str | None = "0"
    while after is not None:
        page = await shelf.page(q="volume", sort="title", limit=3, after=after)
        assert page["total"] == 7
        found += [item["title"] for item in page["items"]]
        after = page["next"]
    assert found == [f"Volume {number}" for number in range(7)]
    for wrong in ("x", "-1", "10000", "²"):
        answer = await shelf.desk.api.get(
            "/v1/titles?" + urlencode({"sort": "title", "after": wrong})
        )
        assert answer.status == 422


async def test_another_replica_finds_a_change_and_a_restart_loses_none(
    mongo_url: str, database: str, shelf: Shelf, tmp_path: Any
) -> None:
    settings = settings_for(mongo_url, database).model_copy(
        update={"search_folder": str(tmp_path), "replica": "b"}
    )
    found = []
    for title in ("Kite", "Kitesurfing"):
        await shelf.add({"title": title, "authors": [], "copies": []})
        async with served(create_app, settings) as api:
            found.append(await Shelf(Desk(api)).titles(title="kit", sort="title"))
    assert found == [["Kite"], ["Kite", "Kitesurfing"]]


ORWELL = {
    "title": "Nineteen Eighty-Four",
    "authors": ["Orwell, George"],
    "copies": [("O1", "HKCL"), ("O2", "LFU")],
}


async def test_a_misspelt_search_is_corrected(shelf: Shelf) -> None:
    await shelf.add(ORWELL)
    for typed, meant in {
        "orwel": None,  # the beginning of a word finds the title
        "orwlel": "orwell",
        "Orwall George": "orwell George",
        "murdosh sea": "murdoch sea",
        "1984": "nineteen eighty four",
        "qqqqq": None,
        "orwall murdosh": None,  # no title has both
        "石魔": None,
    }.items():
        found = await shelf.page(q=typed, facets=True)
        assert found["did_you_mean"] == meant, typed
        if meant:
            assert (await shelf.page(q=meant, facets=True))["total"] == 1, typed


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("1984", "nineteen eighty four"),
        ("2001", "two thousand one"),
        ("1900", "nineteen hundred"),
        ("1805", "eighteen hundred five"),
        ("101", "one hundred one"),
        ("20", "twenty"),
        ("7", "seven"),
        ("0", "zero"),
        ("20000", None),
        ("sea", None),
    ],
)
def test_numbers_are_named_as_in_titles(digits: str, words: str | None) -> None:
    assert number_in_words(digits) == words


async def test_titles_are_suggested_for_the_beginning_of_a_search(shelf: Shelf) -> None:
    await shelf.view.refresh()
    answer = await shelf.desk.api.get("/v1/titles/suggestions?q=se")
    suggested = answer.json()["items"]
    assert {one["title"] for one in suggested} == {FILM, SEA, BIRDS}
    assert set(suggested[0]) == {"id", "title", "authors", "kind"}
    assert (await shelf.desk.api.get("/v1/titles/suggestions?q=s")).status == 422


async def test_the_most_borrowed_titles_were_lent_three_times(shelf: Shelf) -> None:
    for day in ("02", "03", "04"):
        await shelf.desk.lend("S1", on=f"2021-03-{day}")
        await shelf.desk.take_back("S1", on=f"2021-03-{day}")
    await shelf.desk.lend("B1")
    answer = await shelf.desk.api.get("/v1/titles/most-borrowed")
    assert [one["title"] for one in answer.json()["items"]] == [SEA]


async def test_a_library_of_a_found_title_has_its_call_number(shelf: Shelf) -> None:
    made = await shelf.add({**ORWELL, "copies": []})
    copies = [
        {
            "barcode": barcode,
            "category": "adult",
            "branch": "LFU",
            "record": {"call_number": {"number": number, "scheme": "ddc"}},
        }
        for barcode, number in (("N1", "823.92 ORW"), ("N2", "823.912 ORW"))
    ]
    path = f"/v1/titles/{made['id']}/copies"
    answer = await shelf.desk.api.insist("POST", path, {"copies": copies}, as_=STAFF)
    assert answer.status == 201, answer.json()
    (found,) = (await shelf.page(q="orwell", facets=True))["items"]
    assert [one["call_number"] for one in found["availability"]] == ["823.912 ORW"]
