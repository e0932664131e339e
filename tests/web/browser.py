"""Debian's Chromium under the tests' control, and a watch for errors on the pages."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    async_playwright,
    expect,
)

from ops.infrastructure.ports import LOOPBACK
from services.gateway.web.session import SESSION
from tests.library import Library

Scheme = Literal["light", "dark"]

LIMIT_MS = 60_000
"""Longest time in milliseconds for a step, on a slow machine."""

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
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {LOOPBACK}",
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
        if parts.scheme not in ("data", "blob", "about") and parts.hostname != LOOPBACK:
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
    ) -> Page:
        """Open a window with `language` as its preference, at the story's business time.

        With a `card`, its patron or member of staff is logged in.
        """
        context = await self._browser.new_context(
            base_url=self._url,
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


async def scrolls_sideways(page: Page) -> bool:
    """Return whether the page is wider than the window."""
    wider: bool = await page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wider
