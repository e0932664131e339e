"""The desk without a network: what is scanned is kept, unreadable, and recorded once later."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from services.circulation.settings import Settings
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import PLACE
from tests.support import patient_client, until
from tests.web.axe import looked_at
from tests.web.browser import Windows, cut_network, type_as_a_scanner
from tests.web.story import CENTRAL, MAJOR, TODAY, Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

PREPARED = """async () => {
  const worker = await navigator.serviceWorker.getRegistration("/desk");
  return Boolean(worker && worker.active && (await window.deskQueue.facts()));
}"""
STORED = """async () => {
  const kept = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie];
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      kept.push(request.url, await (await cache.match(request)).text());
    }
  }
  for (const { name, version } of await indexedDB.databases()) {
    const database = await new Promise((done) => {
      const asked = indexedDB.open(name, version);
      asked.onsuccess = () => done(asked.result);
    });
    for (const store of database.objectStoreNames) {
      const all = await new Promise((done) => {
        const asked = database.transaction(store).objectStore(store).getAll();
        asked.onsuccess = () => done(asked.result);
      });
      kept.push(JSON.stringify(all));
    }
    database.close();
  }
  return kept.join("\\n");
}"""
"""Return everything that scripts of the site can store in a browser, as text."""
SLOW = """() => {
  const own = crypto.subtle.generateKey.bind(crypto.subtle);
  crypto.subtle.generateKey = (...all) =>
    new Promise((done) => setTimeout(() => done(own(...all)), 50));
}"""
"""Encrypt more slowly than a scanner scans, so that scans wait for each other."""
QUEUED = "async () => (await window.deskQueue.all()).map(({ id, sealed }) => ({ id, sealed }))"
PUT_BACK = "async entries => { for (const one of entries) await window.deskQueue.add(one); }"


async def prepared(windows: Windows, story: Story, place: str = CENTRAL, **more: Any) -> Page:
    """Open a page of a desk at a library, and wait until it could go on without a network."""
    page = await windows.open(**{"card": story.librarian, **more})
    url = story.library.system.gateway_url
    await page.context.add_cookies([{"name": PLACE, "value": place, "url": url}])
    await page.goto("/desk/offline")

    async def ready() -> bool:
        return bool(await page.evaluate(PREPARED))

    await until(ready)
    return page


async def cut(page: Page, path: str = "/desk/lend") -> None:
    """Cut the network, and go to a page of the desk."""
    await cut_network(page)
    await page.goto(path)
    await page.evaluate(SLOW)
    await expect(page.locator("#ready")).to_be_visible()
    await expect(page.locator("#cut")).to_be_visible()


async def scanned(page: Page, *codes: str, end: str = "Enter") -> None:
    """Scan codes into what has the focus; with Enter the speed of keys does not matter."""
    for code in codes:
        if end == "Enter":
            await expect(page.locator("form input:focus")).to_have_count(1)
            await page.keyboard.insert_text(code)
            await page.keyboard.press(end)
        else:
            await type_as_a_scanner(page, code, end)


async def kept(page: Page, count: int) -> None:
    """Wait until a number of scans is kept."""
    await expect(page.locator("main [data-kept]")).to_have_text(str(count))


async def settled(page: Page, **states: int) -> None:
    """Connect the network again, send the scans, and wait for what became of them."""
    await page.context.set_offline(False)
    await page.goto("/desk/offline#send")
    rows = page.locator("[data-entry]")
    await expect(rows).to_have_count(sum(states.values()))
    for state, count in states.items():
        await expect(page.locator(f"[data-state={state}]")).to_have_count(count)


async def loans_of(story: Story, card: str) -> dict[str, str]:
    """Return the barcodes on loan of a reader with the days on which they were lent."""
    found = (await story.library.get("/v1/me", by=card))["loans"]
    return {loan["barcode"]: loan["borrowed_on"] for loan in found}


async def test_scans_kept_without_a_network_are_recorded_once(
    windows: Windows, story: Story
) -> None:
    library = story.library
    first, second, earlier = [await library.patron(CENTRAL) for _ in range(3)]
    lent, back = await library.copies(CENTRAL, 5), await library.copies(CENTRAL, 5)
    with at(library, "2021-02-20T10:00:00+08:00"):
        await library.lend(earlier, back, CENTRAL)
    page = await prepared(windows, story)
    await cut(page)

    # Two readers, with a scanner that ends codes with Enter, and one that ends them with Tab.
    await scanned(page, first, *lent[:3], "")
    await scanned(page, second, *lent[3:], end="Tab")
    await kept(page, 5)
    await expect(page.locator("#scans li").first).to_contain_text("The receipt with the due date")
    await page.get_by_role("button", name="Return", exact=True).click()
    await scanned(page, *back, back[0])
    await kept(page, 10)
    await expect(page.locator("#scans li").first).to_contain_text("Scanned already")

    # Nothing can be read in the browser, and nothing has reached the library.
    stored = await page.evaluate(STORED)
    assert [one for one in (first, second, *lent, *back) if one in stored] == []
    assert await loans_of(story, first) == {}
    entries = await page.evaluate(QUEUED)
    assert len({entry["id"] for entry in entries}) == 10

    await settled(page, done=10)
    assert await page.evaluate(QUEUED) == []
    await expect(page.locator("#nothing-kept")).to_be_visible()
    day = TODAY[:10]
    assert await loans_of(story, first) == dict.fromkeys(lent[:3], day)
    assert await loans_of(story, second) == dict.fromkeys(lent[3:], day)
    assert await loans_of(story, earlier) == {}
    loans = await loans_in(story, lent + back)

    # Sent again, and in two windows at once, the same scans change nothing.
    await page.evaluate(PUT_BACK, entries)
    other = await page.context.new_page()
    for window in (page, other):
        await window.goto("/desk/offline")
        await expect(window.locator("#settling")).to_be_visible()
    for window in (page, other):
        await window.get_by_role("button", name="Send the kept scans").click()
    for window in (page, other):
        await expect(window.locator("#nothing-kept")).to_be_visible()
        await expect(window.locator("#settling button")).to_be_enabled()
        rows = window.locator("[data-entry]")
        await expect(window.locator("[data-state=done]")).to_have_count(await rows.count())
    assert await loans_in(story, lent + back) == loans
    assert await page.evaluate(QUEUED) == []


async def test_a_conflict_is_listed_and_what_is_not_recorded_stays(
    windows: Windows, story: Story
) -> None:
    library = story.library
    holder, other = [await library.patron(CENTRAL) for _ in range(2)]
    taken, free = await library.copies(CENTRAL, 2)
    await library.lend(other, [taken], CENTRAL)
    page = await prepared(windows, story)
    await cut(page)
    await scanned(page, holder, taken, free, "")
    await scanned(page, "C-UNKNOWN", free)
    await kept(page, 3)

    # One is on loan to another reader, one is lent, and one card does not exist.
    await settled(page, conflict=1, done=1, refused=1)
    await expect(page.locator("[data-state=conflict]")).to_contain_text(taken)
    listed = (await library.get("/v1/offline-conflicts?limit=200", by="staff"))["items"]
    assert [one["code"] for one in listed if one["barcode"] == taken] == ["copy-on-loan"]
    assert list(await loans_of(story, holder)) == [free]

    # The page shows a refused scan each time, until a librarian removes it.
    refused = page.locator("[data-state=refused]")
    for _ in range(2):
        await expect(refused).to_contain_text("No library card has this number.")
        await expect(page.locator("main [data-kept]")).to_have_text("1")
        await page.goto("/desk/offline")
        await page.get_by_role("button", name="Send the kept scans").click()
    await page.get_by_role("button", name="Remove this scan from the browser").click()
    await expect(page.locator("#nothing-kept")).to_be_visible()
    assert await page.evaluate(QUEUED) == []


async def test_an_item_that_a_reader_waits_for_is_put_aside(windows: Windows, story: Story) -> None:
    library = story.library
    holder, waiting = [await library.patron(CENTRAL) for _ in range(2)]
    [barcode] = await library.copies(CENTRAL, 1)
    with at(library, "2021-02-20T10:00:00+08:00"):
        await library.lend(holder, [barcode], CENTRAL)
    await library.reserve(waiting, barcode, CENTRAL)
    page = await prepared(windows, story)
    await cut(page, "/desk/returns")
    answer = page.locator("#scans li").first
    await scanned(page, barcode)
    await expect(answer).to_contain_text("A reader waits for this item.")
    await kept(page, 1)

    # It is not lent by mistake, and a scan is taken back.
    await page.get_by_role("button", name="Lend", exact=True).click()
    await scanned(page, holder, barcode)
    await expect(answer).to_contain_text("Scan it again to lend it all the same.")
    await scanned(page, holder, "no barcode")
    await expect(answer).to_contain_text("This is no barcode")
    await kept(page, 1)
    await scanned(page, barcode, barcode)
    await kept(page, 2)
    await page.get_by_role("button", name="Take back this scan").first.click()
    await kept(page, 1)
    await settled(page, done=1)
    await expect(page.locator("[data-entry]")).to_contain_text("To the shelf of reserved items")


async def test_a_log_out_leaves_the_scans_and_nothing_that_can_be_read(
    windows: Windows, story: Story
) -> None:
    library = story.library
    card = await library.patron(CENTRAL)
    [barcode] = await library.copies(CENTRAL, 1)
    leaving = await story.caller("staff")  # a log-out ends the session for all tests
    page = await prepared(windows, story, card=leaving)
    [patron] = (await library.get(f"/v1/patrons?card={card}", by="staff"))["items"]
    await page.goto(f"/desk/accounts/{patron['id']}")  # a page with personal data
    await cut(page)
    await scanned(page, card, barcode)
    await kept(page, 1)
    await page.context.set_offline(False)
    await page.goto("/desk/returns")
    await expect(page.locator("#kept-scans")).to_contain_text("1")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.locator("#said")).to_contain_text("Scans that wait in this browser")
    stored = await page.evaluate(STORED)
    for personal in (card, barcode, leaving, f"Patron {card}", "A. staff"):
        assert personal not in stored

    # The desk goes on also now, and the next librarian sends the scans.
    await cut(page)
    await kept(page, 1)
    await page.context.set_offline(False)
    await page.goto("/desk/offline")
    assert page.url.partition("?")[0].endswith("/log-in")
    await windows.log_in(page, await story.caller("staff"))
    await page.goto("/desk/offline")
    await page.get_by_role("button", name="Send the kept scans").click()
    await expect(page.locator("[data-state=done]")).to_have_count(1)
    assert list(await loans_of(story, card)) == [barcode]


@pytest.mark.parametrize("language", ["en", "zh-Hant", "zh-Hans"])
async def test_the_page_without_a_network_is_in_the_language_of_the_desk(
    windows: Windows, story: Story, language: str, pictures: Path | None
) -> None:
    library = story.library
    place = await library.branch("district")
    await library.flow.settle()
    page = await prepared(windows, story, place, language=language)
    words = LANGUAGES[language]
    await cut(page, "/desk/accounts")
    assert await page.locator("html").get_attribute("lang") == language
    await expect(page.locator("h1")).to_have_text(words.say("Without a network"))
    await scanned(page, await library.patron(MAJOR), *await library.copies(MAJOR, 2))
    await kept(page, 2)
    await page.context.set_offline(False)
    await expect(page.locator("#back")).to_be_visible()
    await looked_at(page, pictures, f"{language}-desk-offline-page")
    await page.locator("#back a").click()
    await expect(page.locator("[data-state=done]")).to_have_count(2)
    await looked_at(page, pictures, f"{language}-desk-offline-settled")


async def loans_in(story: Story, barcodes: list[str]) -> list[dict[str, Any]]:
    """Return circulation's loans of some copies, as stored."""
    settings = story.library.system.settings(Settings)
    with closing(patient_client(settings.mongo_url)) as client:
        loans = client[f"{settings.database_prefix}_circulation"].loans
        return [one async for one in loans.find({"barcode": {"$in": barcodes}}).sort("_id")]
