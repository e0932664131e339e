"""Each page has a description for search engines, in the language of the page."""

import html
import re
from functools import partial

import pytest

from services.gateway.web.rendering import LONGEST_DESCRIPTION
from tests.gateway.web.browser import Browser, Page, insist
from tests.library import Library, unique
from tests.support import Api

HAN = re.compile(r"[\u4e00-\u9fff]")
OPEN = ["/catalogue", "/log-in", "/nowhere", "/forgotten-pin"]


def description(page: Page) -> str:
    """Return the description of a page, which has exactly one."""
    [found] = re.findall(r'<meta name="description" content="([^"]*)">', page.html)
    return html.unescape(found)


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
async def test_each_page_is_described_in_its_language(lone_site: Api, language: str) -> None:
    async with Browser(lone_site.url) as browser:
        found = [description(await browser.get(f"{path}?lang={language}")) for path in OPEN]
    assert all(0 < len(one) <= LONGEST_DESCRIPTION for one in found)
    assert [bool(HAN.search(one)) for one in found] == [language != "en"] * len(OPEN)
    assert len({*found}) == 3  # two pages have none of their own


async def test_a_description_names_what_its_page_is_about_on_one_line(library: Library) -> None:
    [barcode] = await library.copies(await library.branch(), 1)
    title = (await library.get(f"/v1/copies/{barcode}", by="staff"))["title_id"]
    content = 'The library "by the sea"\n closes early & ' + "very " * 60 + "often."
    body = {"title": unique("Notice"), "content": content, "branches": []}
    notice = (await library.post("/v1/notices", body, by="staff"))["id"]
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        of_title, of_notice = [
            description(await insist(partial(browser.get, path)))
            for path in (f"/catalogue/{title}", f"/notices/{notice}")
        ]
    assert of_title.startswith(f"Title {barcode}: which libraries have it")
    assert of_notice.startswith('The library "by the sea" closes early & very')
    assert (len(of_notice), of_notice[-1]) == (LONGEST_DESCRIPTION, "…")
