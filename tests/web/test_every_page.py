"""Rules for every page that links lead to, in each language."""

import gzip
import re
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pyotp
import pytest
from playwright.async_api import Page

from services.gateway.edge.middleware import COMPRESSION_LEVEL
from services.gateway.web.files import FILES
from services.gateway.web.session import PLACE
from tests.device import subscribed
from tests.library import PIN
from tests.mail_server import MailServer
from tests.web.axe import looked_at
from tests.web.browser import Watch, Windows
from tests.web.story import CENTRAL, MAJOR, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

LANGUAGES = ("en", "zh-Hant", "zh-Hans")
MOST_BYTES = 60_000
"""Limit of a page of the desk with its scripts and styles, compressed."""
STATIC = "() => performance.getEntriesByType('resource').map((entry) => entry.name)"
AN_ID = re.compile(r"(?<=/desk/lists)/[^/]+|/[^/]*[A-Z0-9][^/]*")


def kind_of(path: str) -> str:
    """Return the path without ids: one page of each kind is visited."""
    return AN_ID.sub("/one", path.partition("?")[0].partition("#")[0])


@cache
def compressed(name: str) -> int:
    """Return the length of a script or style as it is sent."""
    return len(gzip.compress(FILES[name].content, COMPRESSION_LEVEL))


async def bytes_of(page: Page) -> int:
    """Return the length of a page with its scripts and styles, as a new browser gets them."""
    html = gzip.compress((await page.content()).encode(), COMPRESSION_LEVEL)
    addresses = {address for address in await page.evaluate(STATIC) if "/static/" in address}
    return len(html) + sum(compressed(address.rpartition("/")[2]) for address in addresses)


async def walked(page: Page, starts: list[str], within: str = "/") -> AsyncIterator[str]:
    """Visit a page of each kind that links from `starts` lead to; yield each kind."""
    seen: set[str] = set()
    paths = list(starts)
    while paths:
        path = paths.pop(0)
        kind = kind_of(path)
        if kind in seen:
            continue
        seen.add(kind)
        answer = await page.goto(path)
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"
        yield kind
        found = await page.eval_on_selector_all(
            "a[href]:not([download], [type], [rel=external])",
            "links => links.map(link => link.getAttribute('href'))",
        )
        paths += [link for link in found if link.startswith(within)]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_patron_page_passes_the_checks(
    windows: Windows, story: Story, language: str, pictures: Path | None
) -> None:
    card = await story.reader(language)
    await story.library.post("/v1/me/push-subscriptions", subscribed(card), by=card)
    member, other = [await story.library.patron(CENTRAL) for _ in range(2)]
    await story.library.linked(card, member)
    await story.library.post("/v1/me/family-invitations", {"card_number": card}, by=other)
    await story.library.delivered(card)
    page = await windows.open(language, card=card)
    starts = ["/", f"/catalogue/{story.titles['factory']}", "/catalogue?q=factory"]
    starts.append(f"/study-rooms/{story.drawn_id}/ballot")
    kinds = []
    async for kind in walked(page, starts):
        kinds.append(kind)
        assert await page.locator("html").get_attribute("lang") == language
        assert await page.locator("h1").count() == 1
        await looked_at(page, pictures, f"{language}{kind.replace('/', '-')}")
    assert {
        "/enquiries/one",
        "/family",
        "/family/one",
        "/study-rooms/one",
        "/study-rooms/one/ballot",
        "/questions/one",
        "/catalogue/one",
        "/activities/one",
        "/libraries/one",
        "/study-sessions/one",
        "/notices",
        "/notices/one",
    } <= set(kinds)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_desk_page_passes_the_checks(
    windows: Windows, story: Story, language: str, pictures: Path | None
) -> None:
    await story.ask(await story.library.patron(CENTRAL))
    webhook = {"url": "http://127.0.0.1:9/hook", "topics": ["hold.ready", "loan.overdue"]}
    added = await story.library.post("/v1/webhooks", webhook, by="staff")
    path = f"/v1/webhooks/{added['id']}"
    await story.library.call("PATCH", path, {"enabled": False}, by="staff")
    page = await windows.open(language, card=story.librarian)
    owing = await story.library.get(f"/v1/patrons?card={await story.debtor()}", by="staff")
    account = await story.library.get("/v1/me", by=await story.reader())
    kinds, sizes = [], {}
    await page.goto("/desk/lend")
    await looked_at(page, pictures, f"{language}-desk-without-library")
    url = story.library.system.gateway_url
    await page.context.add_cookies([{"name": PLACE, "value": CENTRAL, "url": url}])
    starts = [
        "/desk/lend",
        f"/desk/accounts/{owing['items'][0]['id']}",
        f"/desk/loans/{account['loans'][0]['id']}",
        "/desk/activities/new",
        f"/desk/activities/{story.activities['talk']}",
        f"/desk/study-rooms/{story.drawn_id}/door",
        "/desk/wording?kind=hold.ready&of=en",
        f"/desk/libraries/{CENTRAL}",
        f"/desk/study-sessions/{MAJOR}/door",
        "/desk/lists/overdue",
    ]
    async for kind in walked(page, starts, within="/desk"):
        kinds.append(kind)
        sizes[kind] = await bytes_of(page)
        assert await page.locator("html").get_attribute("lang") == language
        assert await page.locator("h1").count() == 1
        await looked_at(page, pictures, f"{language}{kind.replace('/', '-')}")
    assert {kind: size for kind, size in sizes.items() if size > MOST_BYTES} == {}
    assert {
        "/desk/accounts",
        "/desk/accounts/one",
        "/desk/charges/one",
        "/desk/loans/one",
        "/desk/lists/one",
        "/desk/activities/new",
        "/desk/activities/one",
        "/desk/closures/one",
        "/desk/suspensions/one",
        "/desk/enquiries/one",
        "/desk/study-rooms/one",
        "/desk/study-rooms/one/door",
        "/desk/libraries/one",
        "/desk/study-sessions",
        "/desk/family",
        "/desk/study-sessions/one/door",
    } <= set(kinds)


async def test_every_guest_page_passes_the_checks(
    windows: Windows, story: Story, mail: MailServer, pictures: Path | None
) -> None:
    code, venue = await story.full_library()
    links = [await story.guest(mail, language) for language in LANGUAGES]
    page = await windows.open()
    starts = [
        "/catalogue?q=factory",
        f"/check-in/{venue}",
        f"/libraries/{code}",
        "/forgotten-pin/any",
        links[0],
    ]
    kinds = []
    async for kind in walked(page, starts):
        kinds.append(kind)
        await looked_at(page, pictures, f"guest{kind.replace('/', '-')}")
    assert {"/ask", "/ask/one"} <= set(kinds)
    for language, link in zip(LANGUAGES, links, strict=True):
        page = await windows.open(language)
        for path in ("/ask", link):
            await page.goto(path)
            assert await page.locator("h1").count() == 1
            await looked_at(page, pictures, f"{language}{kind_of(path).replace('/', '-')}-guest")
        await page.locator("main form[action$=confirmation] button").click()
        await page.locator("#said").wait_for()
        await looked_at(page, pictures, f"{language}-ask-one-confirmed")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_pages_of_tracers_and_operators_pass_the_checks(
    windows: Windows, story: Story, language: str, pictures: Path | None
) -> None:
    for role, path in (
        ("tracer", "/tracing"),
        ("ops", "/tracing/looks"),
        ("ops", "/audit-trail"),
        ("ops", "/ops"),
        ("ops", "/desk/staff"),
        ("staff", "/second-factor"),
        ("staff", "/second-factor/removal"),
        ("staff", "/pin-and-codes"),
        ("admin", f"/desk/staff/{await story.account('staff')}"),
    ):
        page = await windows.open(language, card=await story.caller(role))
        await page.goto(path)
        assert await page.locator("h1").count() == 1
        await looked_at(page, pictures, f"{language}{kind_of(path).replace('/', '-')}")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_pages_that_show_codes_once_pass_the_checks(
    windows: Windows, story: Story, language: str, pictures: Path | None, watch: Watch
) -> None:
    watch.expected |= {401}
    card = await story.caller("staff")
    page = await windows.open(language)
    await page.goto("/second-factor")
    await page.fill("#card_number", card)
    await page.fill("#pin", PIN)
    await page.locator("main form button").click()
    key = (await page.locator("#key").inner_text()).replace(" ", "")
    picture = page.locator(".qr-code svg")
    assert await picture.get_attribute("viewBox")  # scaled as a whole, not cut off
    await looked_at(page, pictures, f"{language}-second-factor-key")
    await page.fill("#pin", PIN)
    await page.fill("#factor_code", pyotp.TOTP(key).now())
    await page.locator("main form button").click()
    await page.locator("#said li").first.wait_for()
    await looked_at(page, pictures, f"{language}-second-factor-recovery")
    await page.goto("/log-in")
    await page.fill("#card_number", card)
    await page.fill("#pin", PIN)
    await page.locator("main form button").first.click()
    await page.locator("#factor_code").wait_for()
    await looked_at(page, pictures, f"{language}-log-in-code")
