"""Pages without log-in: opening hours, and safe handling of input."""

from datetime import UTC, datetime
from functools import partial

import pytest

from services.settings import Settings
from tests.gateway.web.browser import Browser, insist
from tests.library import Library
from tests.support import Api, patient_client


@pytest.mark.parametrize(
    "path",
    [
        "/catalogue?q=%22%3E%3Cscript%3Ealert(1)",
        "/catalogue/%22%3E%3Cscript%3E",
        "/activities?type=%22%3E%3Cscript%3E&past=1",
        "/activities/none",
        "/libraries",
        "/libraries/NONE?on=tomorrow",
        "/notices?branch=%22%3E%3Cscript%3E&after=x",
    ],
)
async def test_a_page_whose_owner_is_away_says_so_and_escapes_the_input(
    lone_site: Api, path: str
) -> None:
    async with Browser(lone_site.url) as browser:
        page = await browser.get(path)
    assert (page.status, page.headers.get("Retry-After")) == (503, "2")
    assert "<script>" not in page.html


async def test_the_search_can_be_seen_while_the_catalogue_is_away(lone_site: Api) -> None:
    async with Browser(lone_site.url) as browser:
        assert (await browser.get("/catalogue")).status == 200


async def test_an_activity_at_the_end_of_the_calendar_that_is_stored_breaks_no_page(
    library: Library,
) -> None:
    activity = await library.activity(places=1)
    settings = library.system.settings(Settings)
    client = patient_client(settings.mongo_url)
    far = {"starts_at": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)}
    activities = client[f"{settings.database_prefix}_events"].activities
    await activities.update_one({"_id": activity}, {"$set": far})
    client.close()
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        for path in ("/activities", f"/activities/{activity}"):
            page = await insist(partial(browser.get, path))
            assert (page.status, "A talk" in page.text) == (200, True), page.text
