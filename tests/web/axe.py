"""Checks of a page by axe-core, for the part of WCAG 2.2 that a program can check."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from playwright.async_api import Page

from tests.web.browser import scrolls_sideways

SCRIPT = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = ("serious", "critical")
RULES: Mapping[str, Any] = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations", "incomplete"],
}
TEXT_RULES = {
    "runOnly": {
        "type": "rule",
        "values": [
            *("document-title", "html-has-lang", "html-lang-valid", "valid-lang"),
            *("button-name", "image-alt", "label", "link-name", "target-size"),
        ],
    },
    "resultTypes": RULES["resultTypes"],
}
"""The rules that depend on the texts of a page; its structure and colours do not."""
DECIDED = ("<caption", '<span class="day ')
"""Beginnings of elements of the desk whose contrast axe-core can't compute.

It takes captions for covered, and the days of the calendar's picture have a pattern behind them.
The contrast of their colours is that of `docs/design.md` (tests/gateway/web/test_design.py).
"""


async def looked_at(page: Page, folder: Path | None, name: str) -> None:
    """Fail if the page is wider than 320 px, or has serious axe-core findings.

    Its structure and its colours, light and dark, are looked at in English: they are the same in
    each language. Screenshots of it are put into `folder`, if there is one.
    """
    await page.set_viewport_size({"width": 320, "height": 800})
    assert not await scrolls_sideways(page), f"{page.url} is wider than 320 px"
    for width in (390, 1280):
        await page.set_viewport_size({"width": width, "height": 800})
        await pictured(page, folder, f"{name}-{width}")
    english = await page.locator("html").get_attribute("lang") == "en"
    await no_serious_findings(page, RULES if english else TEXT_RULES)
    if english:
        await page.emulate_media(color_scheme="dark")
        await pictured(page, folder, f"{name}-dark")
        await no_serious_findings(page)
        await page.emulate_media(color_scheme="light")


async def pictured(page: Page, folder: Path | None, name: str) -> None:
    """Take a picture of the whole page; a PNG would take up to twice the processor time."""
    if folder:
        await page.screenshot(path=folder / f"{name}.jpg", full_page=True, quality=80)


async def no_serious_findings(page: Page, rules: Mapping[str, Any] = RULES) -> None:
    """Fail if axe-core has serious findings, or at the desk if it could not decide on an element.

    The message lists each with its elements.

    The script is injected by the debugger, past the page's Content-Security-Policy, which stays
    in force for the page itself.
    """
    client = await page.context.new_cdp_session(page)
    try:
        known = await client.send("Runtime.evaluate", {"expression": "typeof axe"})
        if known["result"]["value"] == "undefined":  # half a megabyte, once for each page
            await client.send("Runtime.evaluate", {"expression": _script()})
        both = "found => [found.violations, found.incomplete]"
        run = f"axe.run(document, {orjson.dumps(rules).decode()}).then({both})"
        answer = await client.send(
            "Runtime.evaluate", {"expression": run, "awaitPromise": True, "returnByValue": True}
        )
    finally:
        await client.detach()
    assert "exceptionDetails" not in answer, answer
    found, undecided = answer["result"]["value"]
    serious = [_told(one) for one in found if one["impact"] in SERIOUS]
    if "/desk" in page.url:
        serious += [_told(one) for one in undecided if not _is_decided(one)]
    assert not serious, f"{page.url}\n" + "\n".join(serious)


@functools.cache
def _script() -> str:
    return SCRIPT.read_text()


def _is_decided(finding: dict[str, Any]) -> bool:
    elements = [node["html"] for node in finding["nodes"]]
    return finding["id"] == "color-contrast" and all(one.startswith(DECIDED) for one in elements)


def _told(finding: dict[str, Any]) -> str:
    nodes = "\n".join(
        f"    {node['html']}\n      {node['failureSummary']}" for node in finding["nodes"]
    )
    return f"  {finding['impact']} {finding['id']}: {finding['help']}\n{nodes}"
