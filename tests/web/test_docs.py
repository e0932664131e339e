"""The page of the API's operations."""

import pytest

from tests.support import until
from tests.web.axe import no_serious_findings
from tests.web.browser import Scheme, Watch, Windows, scrolls_sideways

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_api_documentation_is_readable_on_a_phone(
    windows: Windows, watch: Watch, scheme: Scheme
) -> None:
    page = await windows.open(width=320, scheme=scheme)
    watch.expected.add(503)

    async def listed() -> bool:
        """Return whether all services are listed; a slow one is listed later."""
        await page.goto("/docs")
        return await page.get_by_text("/v1/titles/{title_id}").first.is_visible()

    await until(listed, within=60, every=0.5)
    assert not await scrolls_sideways(page)
    await no_serious_findings(page)

    await page.get_by_text("/v1/holds").first.click()
    line = page.locator("#post_holds pre.curl")
    await line.scroll_into_view_if_needed()
    assert 'curl -X POST "$CARREL/v1/holds"' in await line.inner_text()
    await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert not await scrolls_sideways(page)
    await no_serious_findings(page)
