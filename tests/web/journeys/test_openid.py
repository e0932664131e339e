"""The journey of a patron who logs in to an e-book shop with the library account."""

from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.async_api import expect

from ops.infrastructure.processes import System
from services.gateway.web.openid import patron as openid
from tests.support import until
from tests.web.axe import looked_at
from tests.web.journeys.shop import opened_shop
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(openid.router)


@EACH_WAY
async def test_a_patron_logs_in_to_a_shop_and_out_again(
    running: System, reader: Reader, story: Story, pictures: Path | None
) -> None:
    page = reader.page
    card = await story.library.patron(CENTRAL, language=reader.language)
    greeting = page.locator("p").first
    async with opened_shop(running) as shop:
        # Not logged in: the PIN is asked for, then consent, which is first refused.
        await page.goto(shop.here)
        await page.locator("button").click()
        await reader.log_in(card)
        await reader.press("Don't log in")
        await expect(greeting).to_have_text("Not logged in: access_denied")
        await page.goto(shop.here)
        await page.locator("button").click()
        await expect(page.locator("#learns")).to_contain_text("E-book shop")
        await looked_at_by(reader, pictures, "consent")
        await reader.work(page.locator("#allow"))
        await expect(greeting).to_have_text(f"Welcome, Patron {card}")

        # The shop is in My Setting, and is ended there.
        await page.goto(f"{shop.library}/setting")
        await reader.work(page.locator("#open-services"))
        await looked_at_by(reader, pictures, "services")
        await reader.press("End this")
        await reader.told(
            "Ended. The service learns nothing more about you. Log out there too if you are still "
            "logged in."
        )
        await until(lambda: told(shop.told, 1))

        await page.goto(shop.here)
        await page.locator("button").click()
        await reader.work(page.locator("#allow"))
        await expect(greeting).to_have_text(f"Welcome, Patron {card}")
        await page.goto(f"{shop.here}/leave")
        await page.locator("button").click()
        await page.wait_for_url(f"{shop.library}/**")
        await looked_at_by(reader, pictures, "log-out-too")
        await reader.press("Log out")
        await expect(greeting).to_have_text("Goodbye")
        # The shop is told of the end of the session, with a signed notice.
        await until(lambda: told(shop.told, 2))
        keys = KeySet.import_key_set(await (await page.request.get("/openid/keys")).json())
        notice = jwt.decode(shop.told[-1]["logout_token"], keys, algorithms=["RS256"])
        assert notice.header["typ"] == "logout+jwt"
        assert notice.claims["sid"]
        assert "nonce" not in notice.claims


async def looked_at_by(reader: Reader, pictures: Path | None, name: str) -> None:
    if reader.way != "no scripts":  # axe-core is one
        await looked_at(reader.page, pictures, f"{reader.language}-{name}")


async def told(notices: list[dict[str, str]], count: int) -> bool:
    return len(notices) >= count


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
