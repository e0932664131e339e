"""Each service is killed in turn: the pages still work in part, say so, and recover."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, Response

from ops.infrastructure.processes import System
from tests.support import until
from tests.web.browser import Watch, Windows
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

COMMANDS = {
    "accounts": ("/setting", "main form button", ""),
    "circulation": ("/", "#renew-all", ""),
    "notices": ("/desk/notices", "main form button", "staff"),
}
"""For each service with one: a page with a form, the button that sends it, and the role."""


@asynccontextmanager
async def away(running: System, service: str) -> AsyncIterator[None]:
    """Kill the service while the block runs, and start it again afterwards."""
    process = running.process(service)
    await asyncio.to_thread(process.kill)
    try:
        yield
    finally:
        await asyncio.to_thread(process.start)


async def shown(page: Page, path: str) -> Response:
    """Visit a page, and return the answer."""
    answer = await page.goto(path)
    assert answer is not None
    return answer


async def sent(page: Page, button: str) -> Response:
    """Submit a form, and return the answer."""
    wanted = page.locator(button).first
    await wanted.evaluate("it => it.closest('details')?.setAttribute('open', '')")
    async with page.expect_response(lambda answer: answer.request.method == "POST") as told:
        await wanted.click()
    return await told.value


@pytest.mark.parametrize("service", ["accounts", "circulation", "events", "notices"])
async def test_the_page_answers_while_a_service_is_away_and_recovers(
    running: System, windows: Windows, story: Story, watch: Watch, service: str
) -> None:
    watch.expected.add(503)
    card = await story.reader()
    await story.library.flow.settle()
    page = await windows.open(card=card)
    path, button, by = COMMANDS.get(service, ("/activities", "", ""))
    commanding = await windows.open(card=story.librarian if by else card)
    await shown(commanding, path)
    if by:
        await commanding.locator("#title").fill("While it is away")
        await commanding.locator("#content").fill("Nothing")

    async with away(running, service):

        async def marked() -> bool:
            """The gateway asks each service about once a second whether it is alive."""
            answer = await shown(page, "/")
            assert answer.status == 200
            return await page.locator("main .memory").count() > 0

        if service in ("circulation", "notices"):  # My Account is made of these two
            await until(marked, within=30)
        assert (await shown(page, "/info")).status == 200
        if service == "notices":
            assert await page.locator("main .memory").count() > 0
        answer = await sent(commanding, button) if button else await shown(page, path)
        assert (answer.status, await answer.header_value("Retry-After")) == (503, "2")
        assert answer.request.timing["responseStart"] < 2000  # milliseconds
        if service != "notices":
            assert (await shown(page, "/libraries")).status == 200
        if service != "circulation":
            assert (await shown(page, f"/catalogue/{story.titles['factory']}")).status == 200

    async def healed() -> bool:
        answer = await shown(page, "/")
        return answer.status == 200 and await page.locator("main .memory").count() == 0

    await until(healed, within=60, every=0.5)
    body = {"title": "It is back", "content": "All of it", "branches": [CENTRAL]}
    await story.library.post("/v1/notices", body, by="staff")
    assert (await shown(page, "/notices")).status == 200
    assert (await shown(page, "/activities")).status == 200
