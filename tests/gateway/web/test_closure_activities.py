"""Activities during a closure on the desk's pages, on the whole system."""

import re
from functools import partial
from typing import Any

from tests.gateway.web.browser import Browser, Page, insist
from tests.library import Library
from tests.support import until

CHANGED = "Activities that are changed: 1. Registered readers are told."
UNAVAILABLE = "This part of the service is not available at the moment. Please try again shortly."
AWAY = "The activities in this closure aren't available at the moment."


async def seen(browser: Browser, path: str) -> Page:
    """Return a page of the desk, requested again until events has answered."""

    async def told() -> Page | None:
        page = await insist(partial(browser.get, path))
        return None if AWAY in page.text else page

    page: Page = await until(told, within=60)
    return page


async def message_after(browser: Browser, page: Page, action: str, **typed: str) -> str:
    """Send a form of a page until every service has answered, and return what the next page says.

    The form has one key, so a command that is sent again is carried out once.
    """

    async def answered() -> str | None:
        shown = await insist(partial(browser.submit, page, action, **typed))
        message = re.search(r'id="said".*?<p[^>]*>(.*?)</p>', shown.html, re.DOTALL)
        return None if message is None or message[1] == UNAVAILABLE else message[1]

    text: str = await until(answered, within=60)
    return text


async def test_staff_see_the_activities_in_a_closure_until_each_is_moved_or_cancelled(
    library: Library,
) -> None:
    library.now = "2020-12-01T10:00:00+08:00"
    branch = await library.branch()
    talk = {
        "title": "Harbour Lights",
        "type": "talk",
        "venue": "Hall",
        "branch": branch,
        "organiser": "The library",
        "starts_at": "2020-12-12T10:00:00+08:00",
        "places": 1,
    }
    held = (await library.post("/v1/activities", talk, by="staff"))["id"]
    for _ in range(2):
        card = await library.patron(branch)
        await library.post(f"/v1/activities/{held}/registration", by=card)
    body = {"branches": [branch], "from": "2020-12-10", "reopened_on": "2020-12-20"}
    closure: dict[str, Any] = {**body, "reason": "Repairs"}

    async def previewed() -> Any:
        said = await library.post("/v1/closures?preview=true", closure, by="staff")
        return said["activities"]

    said = await until(previewed, within=60)
    assert said["total"] == 1
    [one] = said["items"]
    assert (one["id"], one["registered"], one["waiting"]) == (held, 1, 1)

    async with Browser(library.system.gateway_url, at=library.now) as browser:
        browser.give("carrel_session", library.tokens["staff"])

        async def preview() -> Page | None:
            form = await insist(partial(browser.get, "/desk/closures?lang=en"))
            action = "/desk/closures?preview=true"
            page = await insist(partial(browser.submit, form, action, **closure))
            return None if AWAY in page.text else page

        page: Page = await until(preview, within=60)
        assert "1 activity falls into this closure" in page.text
        assert f"/activities/{held}" in page.links
        assert f"Library {branch}" in page.text
        made = await insist(partial(browser.submit, page, "/desk/closures"))
        assert made.path.startswith("/desk/closures/"), made.text
        here = made.path
        page = await seen(browser, here)
        assert "1 activity falls into this closure" in page.text
        assert "Harbour Lights" in page.text

        # The library's page has its notice in the reader's language.
        path = f"/v1/closures/{here.rsplit('/', 1)[1]}/notice-draft"
        draft = await library.post(path, by="staff")
        seen_draft = {"seen": draft["version"]}
        path = f"/v1/notice-drafts/{draft['id']}/publication"
        await library.post(path, seen_draft, by="staff")
        page = await insist(partial(browser.get, f"/libraries/{branch}?lang=zh-Hant"))
        assert "閉館：" in page.text
        assert "Closed:" not in page.text
        page = await insist(partial(browser.get, f"{here}?lang=en"))

        # Without a reason nothing is cancelled. One is moved, and the other is cancelled.
        decide = f"{here}/activities"
        told = await message_after(browser, page, decide, activity=held, decision="cancel")
        assert told == "Some information is missing or wrong. Please check it."
        there = await library.branch()
        await library.flow.settle(within=60)  # events has to know it
        place = {"venue": "Lecture Room", "branch": there, "decision": "move"}
        page = await seen(browser, here)
        told = await message_after(browser, page, decide, activity=held, **place)
        assert told == CHANGED
        moved = await library.get(f"/v1/activities/{held}")
        assert (moved["venue"], moved["branch"]) == ("Lecture Room", there)
        page = await seen(browser, here)
        assert "Harbour Lights" not in page.text

        back = {"branch": branch}
        await library.call("PATCH", f"/v1/activities/{held}", back, by="staff")
        page = await seen(browser, here)
        why = {"why": "The library is closed", "decision": "cancel"}
        told = await message_after(browser, page, decide, activity=held, **why)
        assert told == CHANGED
        cancelled = await library.get(f"/v1/activities/{held}")
        assert cancelled["cancelled_because"] == "The library is closed"
        page = await seen(browser, here)
        assert "falls into this closure" not in page.text
        assert "Harbour Lights" not in page.text
