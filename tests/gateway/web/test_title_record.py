"""The page of a title shows its record, in the three languages of the pages."""

from urllib.parse import quote

import pytest

from tests.gateway.web.browser import Browser
from tests.library import Library, unique
from tests.web.story import RECORD


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Printed book", "Chinese", "Adults", "Call number and shelf", "Summary")),
        ("zh-Hant", ("印刷書", "中文", "成人", "索書號及架位", "內容簡介")),
        ("zh-Hans", ("印刷书", "中文", "成人", "索书号及架位", "内容简介")),
    ],
)
async def test_the_page_of_a_title_shows_its_record(
    library: Library, language: str, words: tuple[str, ...]
) -> None:
    branch = await library.branch()
    label = {
        "call_number": {"number": "857.49 8546", "scheme": "ccl"},
        "shelf_location": "3/F",
        "collection": "Classics",
    }
    copy = {"category": "adult", "branch": branch, "record": label}
    copies = [{**copy, "barcode": unique("R")}, {**copy, "barcode": unique("R")}]
    body = {"title": unique("紅樓夢 "), "authors": ["曹雪芹"], "kind": "book", "copies": copies}
    made = await library.post("/v1/titles", {**body, "record": RECORD}, by="staff")
    site = library.system.gateway_url
    async with Browser(site, language=language, at=library.now) as browser:
        page = await browser.get(f"/catalogue/{made['id']}")
    shown = "".join(page.text.split())  # without the edges of runs in another language
    assert shown.count("857.498546·3/F·Classics") == 1
    for text in (
        *words,
        "3rd edition",
        "北京 · 人民文學出版社 · 2008",
        "2冊 ; 21公分",
        "石頭記",
        "Hong lou meng · Dream of the red chamber",
        "4006381333931",
        "And in its last.",
        "1. 前八十回 -- 2. 後四十回",
        "中國古典文學讀本叢書 1",
    ):
        assert "".join(text.split()) in shown, text
    for heading in ("章回小說", "Families -- China -- Fiction"):
        assert f"/catalogue?q={quote(heading)}" in page.links


async def test_a_title_without_a_record_shows_only_its_authors(library: Library) -> None:
    branch = await library.branch()
    copy = {"barcode": unique("R"), "category": "adult", "branch": branch}
    body = {"title": unique("Kite "), "authors": ["Ann"], "kind": "comic", "copies": [copy]}
    made = await library.post("/v1/titles", body, by="staff")
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        page = await browser.get(f"/catalogue/{made['id']}")
    for label in ("Format", "Language", "Series", "Audience"):
        assert f"<dt>{label}</dt>" not in page.html, label
