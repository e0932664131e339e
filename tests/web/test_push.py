"""Messages on a device: the browser's permission, and what its worker shows.

A browser subscribes at its maker's push service, which no test can reach; everything before and
after that is the browser's own.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, expect
from pytest_asyncio import fixture

from ops.infrastructure.processes import System
from tests.support import until
from tests.web.browser import Watch, Windows, chromium, launched
from tests.web.story import Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

REGISTER = """async () => {
  const worker = document.getElementById("this-device").dataset.worker;
  await navigator.serviceWorker.register(worker, { scope: "/" });
  await navigator.serviceWorker.ready;
}"""
SHOWN = """async () => {
  const shown = await (await navigator.serviceWorker.ready).getNotifications();
  return shown.map(one => [one.title, one.body, one.lang, one.tag, one.data.url]);
}"""
TEXT = "“紅樓夢”可於沙田公共圖書館領取。"


async def test_a_refused_permission_is_explained(windows: Windows, story: Story) -> None:
    page = await windows.open("en", card=await story.reader("en"))
    await page.goto("/setting?section=devices")
    await page.get_by_role("button", name="Notify this device").click()
    await expect(page.get_by_role("alert")).to_contain_text("Your browser doesn't allow")


@fixture(loop_scope="session")
async def notified(running: System, story: Story, watch: Watch) -> AsyncIterator[Windows]:
    """Windows of a browser that has notifications."""
    async with (
        launched(chromium()) as browser,
        Windows(browser, running.gateway_url, story.library, watch) as opened,
    ):
        yield opened


async def test_the_worker_shows_a_message_and_a_repeated_one_once(
    notified: Windows, story: Story
) -> None:
    page = await notified.open("zh-Hant", card=await story.reader("zh-Hant"))
    await page.context.grant_permissions(["notifications"])
    await page.goto("/setting")
    await page.evaluate(REGISTER)
    message = {
        "title": "您的圖書館帳戶有新訊息",
        "text": TEXT,
        "language": "zh-Hant",
        "tag": "1",
        "url": "/inbox",
    }
    expected = [message["title"], TEXT, "zh-Hant", "1", "/inbox"]

    async def shown() -> bool:
        # Again and again: a message for which the worker starts too late is lost in the browser.
        await delivered(page, message)
        return bool(await page.evaluate(SHOWN))

    for _ in range(2):
        await until(shown)
        assert await page.evaluate(SHOWN) == [expected]


async def delivered(page: Page, message: dict[str, Any]) -> None:
    """Hand a message to the page's worker, as a push service does."""
    tools = await page.context.new_cdp_session(page)
    found: list[Any] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated", lambda it: found.extend(it["registrations"])
    )
    await tools.send("ServiceWorker.enable")

    async def known() -> bool:
        return bool(found)

    await until(known)
    origin = await page.evaluate("location.origin")
    told = {"origin": origin, "registrationId": found[-1]["registrationId"]}
    await tools.send("ServiceWorker.deliverPushMessage", {**told, "data": json.dumps(message)})
