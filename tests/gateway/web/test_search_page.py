"""The catalogue is searched on the page without scripts: words, filters with counts, order."""

import asyncio
from collections.abc import Callable

import pytest
from sickle import Sickle

from tests import patience
from tests.gateway.web.browser import Browser, Page
from tests.library import Library, unique

WITHIN = 60.0


async def found(browser: Browser, path: str, enough: Callable[[Page], bool]) -> Page:
    """Return the page once it shows enough: the index follows the catalogue within seconds."""
    async with patience.within(WITHIN):
        while True:
            page = await browser.get(path)
            if page.status == 200 and enough(page):
                return page
            await asyncio.sleep(0.2)  # between looks, up to the limit


async def test_a_search_is_narrowed_ordered_and_widened_by_links(library: Library) -> None:
    word = unique("kites")
    central, small = await library.branch(), await library.branch()
    for number, (kind, year, branch) in enumerate(
        [("book", 1999, central), ("video", 2011, central), ("book", 2015, small)]
    ):
        copy = {"barcode": unique("R"), "category": "adult", "branch": branch}
        body = {"title": f"{word} {number}", "authors": ["Ann"], "kind": kind, "copies": [copy]}
        await library.post("/v1/titles", {**body, "record": {"year": year}}, by="staff")
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        page = await found(browser, f"/catalogue?q={word}", lambda page: "3 titles" in page.text)
        for text in ("Narrow the search", "Printed book", "2010–2019", "1 of 1 available"):
            assert text in page.text, text
        video = f"/catalogue?q={word}&format=video"
        assert video in page.links
        narrowed = await browser.get(video)
        assert "1 title" in narrowed.text
        assert f"{word} 1" in narrowed.text
        assert f"/catalogue?q={word}" in narrowed.links
        decade = await browser.get(f"/catalogue?q={word}&decade=2010&sort=year")
        assert decade.text.index(f"{word} 2") < decade.text.index(f"{word} 1")
        new = await browser.get("/catalogue?new=true")
        assert f"{word} 2" in new.text
        none = await browser.get(f"/catalogue?q={word}&language=chi")
        assert "No title has all these words" in none.text


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("zh-Hant", ("縮窄搜尋範圍", "共 1 項，1 項可借")),
        ("zh-Hans", ("缩小搜索范围", "共 1 件，1 件可借")),
    ],
)
async def test_the_search_is_in_the_language_of_the_page(
    library: Library, language: str, texts: tuple[str, ...]
) -> None:
    copy = {"barcode": unique("R"), "category": "adult", "branch": await library.branch()}
    title = unique("風箏 ")  # other tests add kites, too
    body = {"title": title, "authors": [], "kind": "book", "copies": [copy]}
    made = await library.post("/v1/titles", body, by="staff")
    site = library.system.gateway_url
    async with Browser(site, language=language, at=library.now) as browser:
        # A page without counts may show the title, too.
        shown = (made["id"], *texts)
        path = f"/catalogue?q={title.replace('風箏', '风筝')}"
        page = await found(browser, path, lambda page: all(text in page.html for text in shown))
    assert page.status == 200


async def test_the_catalogue_is_harvested_at_the_address_of_the_pages(library: Library) -> None:
    copy = {"barcode": unique("R"), "category": "adult", "branch": await library.branch()}
    body = {"title": unique("Kite "), "authors": [], "kind": "book", "copies": [copy]}
    made = await library.post("/v1/titles", body, by="staff")

    def harvest(method: str) -> list[str]:
        client = Sickle(
            f"{library.system.gateway_url}/oai", http_method=method, timeout=patience.stretched(30)
        )
        wanted = {"metadataPrefix": "oai_dc", "set": copy["branch"]}
        return [one.header.identifier for one in client.ListRecords(**wanted)]

    for method in ("GET", "POST"):
        [identifier] = await asyncio.to_thread(harvest, method)
        assert identifier.endswith(made["id"])
