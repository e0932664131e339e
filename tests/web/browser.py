"""Debian's Chromium under the tests' control, and a watch for errors on the pages."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    Worker,
    async_playwright,
    expect,
)

from ops.infrastructure.ports import LOOPBACK
from services.gateway.web.session import SESSION
from tests import patience
from tests.library import Library
from tests.support import until

Scheme = Literal["light", "dark"]

LIMIT_MS = patience.stretched(60) * 1000
"""Longest time in milliseconds for a step."""
REACHED = "() => fetch('/health/live', { cache: 'no-store' }).then(() => true, () => false)"

WITHOUT = (
    # With it, Chromium can lose the order to close a window that has just begun to show another
    # page, and the test waits for ever: https://github.com/microsoft/playwright/issues/42068.
    "RenderDocument",
    # These are from Playwright's own list, which ours replaces.
    *("DestroyProfileOnBrowserClose", "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades"),
    *("MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding"),
    "PreconnectToSearch",
)
"""Features that Chromium is started without."""

ARGUMENTS = (
    # No host name resolves: any request to another machine fails, and is noticed.
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {LOOPBACK}, EXCLUDE localhost",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--renderer-process-limit=2",
    f"--disable-features={','.join(WITHOUT)}",
)


def chromium() -> str:
    """Return the path of Chromium, with all that its users have; skip the test without it."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium; on Debian: apt-get install chromium fonts-noto-cjk")
    return path


def headless_shell() -> str:
    """Return the path of Chromium's headless shell, else of Chromium.

    The shell shows pages as Chromium does, in half of the processor time. It has no notifications.
    """
    return shutil.which("chromium-headless-shell") or chromium()


@asynccontextmanager
async def launched(path: str) -> AsyncIterator[Browser]:
    """Run a browser without a window."""
    expect.set_options(timeout=LIMIT_MS)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=path,
            args=[*ARGUMENTS],
            chromium_sandbox=os.geteuid() != 0,  # Chromium cannot run as root in its sandbox
        )
        yield started
        await started.close()


_HERE = (LOOPBACK, "localhost")


@dataclass
class Watch:
    """Collects the errors on the pages of one context.

    Errors are: a script's exception, a console error, a request to another machine, and an
    answer with an error status. Only pages may have the statuses in `expected`.
    """

    expected: set[int] = field(default_factory=set)
    """Error statuses that a page may have in this test, such as 404."""
    faults: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Watch all pages of the context from now on."""
        context.on("console", self._said)
        context.on("weberror", lambda error: self.faults.append(f"script: {error.error}"))
        context.on("request", self._asked)
        context.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        # Chromium repeats an answer's status there; `_answered` has recorded it.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text} ({message.location})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.hostname not in _HERE:
            self.faults.append(f"left the machine: {request.url}")

    def _answered(self, response: Response) -> None:
        page = response.request.resource_type in ("document", "xhr", "fetch")
        if response.status >= 400 and not (page and response.status in self.expected):
            self.faults.append(f"{response.status}: {response.request.method} {response.url}")


class Windows:
    """Browser windows on the system, each with its own cookies; watched, and closed at the end."""

    def __init__(self, browser: Browser, url: str, library: Library, watch: Watch) -> None:
        self._browser = browser
        self._url = url
        self._library = library
        self._watch = watch
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def open(
        self,
        language: str = "en",
        *,
        width: int = 1280,
        scheme: Scheme = "light",
        scripts: bool = True,
        card: str = "",
        host: str = LOOPBACK,
    ) -> Page:
        """Open a window with `language` as its preference, at the story's business time.

        With a `card`, its patron or member of staff is logged in.
        """
        context = await self._browser.new_context(
            base_url=self._url.replace(LOOPBACK, host),
            locale=language,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            reduced_motion="reduce",
            java_script_enabled=scripts,
            extra_http_headers={"Carrel-Time": self._library.now},
        )
        self._stack.push_async_callback(context.close)
        context.set_default_timeout(LIMIT_MS)
        self._watch.over(context)
        page = await context.new_page()
        if card:
            await self.log_in(page, card)
        return page

    async def log_in(self, page: Page, card: str) -> None:
        """Log in a patron or member of staff, without the form, in all pages of the window."""
        token = self._library.tokens[card]
        await page.context.add_cookies([{"name": SESSION, "value": token, "url": self._url}])


async def cut_network(page: Page) -> None:
    """Take the network from a window and its workers, and wait until each has lost it.

    A worker can have a request under way to be without the network while its page already is.
    """
    await page.context.set_offline(True)
    for worker in page.context.service_workers:

        async def lost(worker: Worker = worker) -> bool:
            return not await worker.evaluate(REACHED)

        await until(lost)


ENDS = {"Enter": (13, "\r"), "Tab": (9, "")}
"""Number and text of the keys that may end a code."""


async def type_as_a_scanner(page: Page, code: str, end: str = "Enter") -> None:
    """Send keys five milliseconds apart by their timestamps, however busy the machine is.

    The code is followed by the key `end`, which may be "Enter", "Tab" or "" for none.
    """
    client = await page.context.new_cdp_session(page)
    strokes: list[dict[str, Any]] = []
    began = time.time()
    for at, key in enumerate((*code, *([end] if end else []))):
        number, text = ENDS.get(key, (0, key))
        moment = began + at * 0.005
        named = {"key": key, "windowsVirtualKeyCode": number, "timestamp": moment}
        down = {"type": "keyDown" if text else "rawKeyDown", "text": text, **named}
        strokes += [down, {"type": "keyUp", **named}]
    await asyncio.gather(*(client.send("Input.dispatchKeyEvent", stroke) for stroke in strokes))
    await client.detach()


async def scrolls_sideways(page: Page) -> bool:
    """Return whether the page is wider than the window."""
    wider: bool = await page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wider
