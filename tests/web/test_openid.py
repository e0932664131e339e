"""A service of others with npm's openid-client logs a patron in, refreshes, and logs them out."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, expect
from pytest_asyncio import fixture

from ops.infrastructure import ports
from ops.infrastructure.processes import System
from tests import patience
from tests.library import PIN
from tests.shops import registered_shop
from tests.web.browser import Watch, Windows
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

PROGRAM = Path(__file__).parent / "openid-client.mjs"


@fixture(loop_scope="session")
async def shop(running: System) -> AsyncIterator[str]:
    """The address of an e-book shop that uses openid-client."""
    node = shutil.which("node") or pytest.skip("no node; on Debian: apt-get install npm")
    port = ports.reserve()
    here = f"http://127.0.0.1:{port}"
    client_id, secret = await registered_shop(running, here)
    command = [node, str(PROGRAM), running.gateway_url, client_id, secret, str(port)]
    ports.release(port)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with patience.within(60):
            assert await process.stdout.readline() == b"ready\n"
        yield here
    finally:
        process.kill()
        await process.wait()


async def shown(page: Page) -> dict[str, Any]:
    """Return what a page of the shop says."""
    found: dict[str, Any] = json.loads(await page.locator("body").inner_text())
    return found


async def test_openid_client_logs_in_refreshes_and_logs_out(
    running: System, shop: str, windows: Windows, story: Story, watch: Watch
) -> None:
    card = await story.library.patron(CENTRAL)
    page = await windows.open("en", width=360, scheme="dark")
    await page.goto(shop)
    # An answer of another provider is not taken for ours (RFC 9207), nor one of another request.
    [state] = parse_qs(urlsplit(page.url).query)["state"]
    for answer in (f"state={state}&iss=https://evil.example", f"state=x&iss={running.gateway_url}"):
        await page.goto(f"{shop}/callback?code=c-1&{answer}")
        assert "unexpected" in (await shown(page))["error"]
    await page.goto(shop)
    await page.locator("#card_number").fill(card)
    await page.locator("#pin").fill("000000")
    watch.expected |= {401}
    await page.get_by_role("button", name="Log in", exact=True).click()
    await page.locator("#pin").fill(PIN)
    await page.get_by_role("button", name="Log in", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("E-book shop")
    await page.locator("#allow").click()
    await page.wait_for_url(f"{shop}/callback*")
    found = await shown(page)
    assert found["user"] == {
        "sub": found["claims"]["sub"],
        "name": f"Patron {card}",
        "locale": "en",
        "library": CENTRAL,
    }
    await page.goto(f"{shop}/refresh")
    assert await shown(page) == {"user": found["user"], "active": True}

    # The patron is asked no second time, neither for the PIN nor for consent.
    await page.goto(shop)
    await page.wait_for_url(f"{shop}/callback*")
    assert (await shown(page))["claims"]["sub"] == found["claims"]["sub"]

    await page.goto(f"{shop}/log-out")
    await page.locator("#log-out-too").click()
    await page.wait_for_url(f"{shop}/bye*")
    assert await shown(page) == {"state": "on the way out"}
    await page.goto(f"{shop}/revoke")
    assert await shown(page) == {"active": False}
    await page.goto(shop)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
