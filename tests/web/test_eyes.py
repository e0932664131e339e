"""The checks of the page tests find the faults that they look for."""

import pytest
from playwright.async_api import Page

from tests.support import until
from tests.web.axe import no_serious_findings
from tests.web.browser import Watch, Windows, scrolls_sideways

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


async def shown(windows: Windows, body: str) -> Page:
    """Return a page at an address of the system that no service answers."""
    page = await windows.open(width=320)
    document = f'<!doctype html><html lang="en"><title>A page</title><main><h1>A page</h1>{body}'
    await page.route("**/made-up", lambda route: route.fulfill(body=document))
    await page.goto("/made-up")
    return page


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("<script>throw Error('torn')</script>", "script: "),
        ("<script>console.error('odd')</script>", "console: odd"),
        ("<img alt='' src='https://elsewhere.example/a.png'>", "left the machine: "),
        ("<img alt='' src='/none.png'>", "404: GET "),
        ("<script>fetch('/v1/me')</script>", "401: GET "),
        (
            (
                "<meta http-equiv='Content-Security-Policy' content=\"style-src 'none'\">"
                "<p style='color: red'>Red</p>"
            ),
            "console: ",
        ),
    ],
    ids=["script", "console", "elsewhere", "picture", "fetch", "policy"],
)
async def test_an_error_on_a_page_fails_the_test(
    windows: Windows, watch: Watch, body: str, seen: str
) -> None:
    await shown(windows, body)

    async def found() -> bool:
        return any(fault.startswith(seen) for fault in watch.faults)

    await until(found)
    watch.faults.clear()


async def test_an_expected_error_status_does_not_fail_the_test(
    windows: Windows, watch: Watch
) -> None:
    watch.expected.add(404)
    await (await windows.open()).goto("/v1/titles/none")


@pytest.mark.parametrize(
    "body",
    ["<img src='data:,'>", "<p style='color: #bbb; background: #fff'>Pale</p>"],
    ids=["no name", "pale"],
)
async def test_axe_reports_accessibility_faults(windows: Windows, body: str) -> None:
    page = await shown(windows, body)
    with pytest.raises(AssertionError, match=r"serious|critical"):
        await no_serious_findings(page)


async def test_a_page_wider_than_its_window_fails_the_test(windows: Windows) -> None:
    page = await shown(windows, "<p style='width: 400px'>Wide</p>")
    assert await scrolls_sideways(page)
