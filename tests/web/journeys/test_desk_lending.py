"""The journey of a librarian at the desk: registering, lending, fetching, returning and erasing."""

import pytest
from playwright.async_api import Page, expect

from services.gateway.web.account import registration as account_registration
from services.gateway.web.family import desk as family_desk
from services.gateway.web.loans import desk as loans_desk
from tests.library import PIN, unique
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, left, scan
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import Story, at

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(loans_desk.router, account_registration.router, family_desk.router)

NOT_SETTLED = (
    "The account can't be erased yet. Take back the items, settle the charges and give back "
    "refunds first."
)


@EACH_WAY
async def test_a_librarian_serves_readers(reader: Reader, story: Story, watch: Watch) -> None:
    watch.expected |= {404, 409, 422}
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    place = await library.branch("district")
    late, card = [await library.patron(place) for _ in range(2)]
    [found] = (await library.get(f"/v1/patrons?card={card}", by="staff"))["items"]
    contact = {"contact": {"email": "reader@example.org"}}
    await library.call("PATCH", f"/v1/patrons/{found['id']}", contact, by="staff")
    [overdue] = await library.copies(place, 1)
    barcodes = await library.copies(place, 7)
    await library.flow.settle()
    with at(library, "2021-02-01T10:00:00+08:00"):
        await library.lend(late, [overdue], place)  # due on 15 February

    await page.goto("/desk")
    await reader.log_in(story.librarian)

    # A patron is registered, and borrows.
    await follow("Register")
    new = unique("NEW")
    for field, text in (("card_number", new), ("name", "Wong Ka-yan"), ("pin", PIN)):
        await reader.fill(f"#{field}", text)
    await reader.choose("#home_branch", place)
    await reader.press("Register")
    await expect(page.locator("section.done")).to_contain_text(new)

    # A reader with an item on loan can't be erased; the new one can.
    for leaving, answer in ((late, NOT_SETTLED), (new, "The account is erased.")):
        await follow("Register")
        await follow("Erase an account")
        await reader.fill("#card_number", leaving)
        await reader.press("Find the account")
        await expect(page.locator("main dl.facts")).to_contain_text(leaving)
        await reader.press("Erase the account")
        await told(answer)
        open_loans = page.get_by_text(say("Items on loan"), exact=True)
        await expect(open_loans).to_have_count(int(leaving == late))

    # A junior's card is linked with that of a guardian, who agrees.
    junior = await library.patron(place, "junior")
    await follow("Register")
    await follow("Link a junior card")
    for guardian, answer in (
        ("C-UNKNOWN", "No library card has the number of the parent or guardian."),
        (card, "The two cards are linked."),
    ):
        await reader.fill("#card_number", junior)
        await reader.fill("#guardian_card_number", guardian)
        await reader.work(page.locator("#agreed"))
        await reader.press("Link the cards")
        await told(answer)
    await follow("Lend")
    await reader.fill("#place", place)
    await reader.press("Work here")
    await scan(reader, "#card_number", card)
    lent, lines = say("Due on %(day)s", day="2021-03-12"), page.locator("#lines tbody tr")
    for count, barcode in enumerate(barcodes, 1):
        await scan(reader, "#barcodes", barcode)
        await expect(lines.filter(has_text=lent)).to_have_count(count)
    await reader.press("Undo")
    await expect(lines.first).to_contain_text(say("Undone"))
    slip = page.locator("article.slip")
    await page.goto(await address(page, "a[href*='/slips/receipts/']"))
    await expect(slip.get_by_role("listitem")).to_have_count(6)
    await reader.work(page.locator("main form button"))
    await told("The receipt is sent by e-mail.")

    # Reserved copies are fetched from their shelves; one is missing.
    there, missing = [(await library.copies(place, 1))[0] for _ in range(2)]
    for barcode in (there, missing):
        await library.reserve(card, barcode, place)
    await follow("Fetch")
    await reader.work(page.locator(f"button[value='missing:{missing}']"))
    recorded = (
        "%(barcode)s is recorded as lost. Its reservation gets the next copy, or waits again."
    )
    await told(recorded, barcode=missing)
    await expect(page.get_by_role("row", name=there)).to_have_count(1)
    await expect(page.get_by_role("row", name=missing)).to_have_count(0)
    await follow("Return")
    await scan(reader, "#barcodes", there)
    kept = say("To the shelf of reserved items, until %(day)s", day="2021-03-05")
    await expect(page.get_by_role("row", name=there)).to_contain_text(kept)
    await page.goto(await address(page, "a[href*='/slips/copies/']"))
    await expect(slip).to_contain_text(there)
    await follow("Return")
    await scan(reader, "#barcodes", overdue)
    await page.goto(await address(page, "a[href*='/slips/charges/']"))
    await expect(slip).to_contain_text(reader.words.money(1650))

    await left(reader)


async def address(page: Page, selector: str) -> str:
    """Return where a link leads that opens a window of its own."""
    link = page.locator(selector).first
    await expect(link).to_be_visible()
    return str(await link.get_attribute("href"))


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
