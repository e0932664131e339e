"""Journeys of a librarian in a reader's account: items, charges, notes, details, card, block."""

import pytest
from playwright.async_api import expect

from services.gateway.web.account import desk as account_desk
from services.gateway.web.account import desk_activities, desk_items
from services.gateway.web.barcodes import spaced
from services.gateway.web.charges import desk as charges_desk
from services.gateway.web.loans import claims as loans_claims
from services.gateway.web.site import TEXTS
from tests.library import unique
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, left
from tests.web.journeys.test_cards import AT_DESK
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

_ALL = routes_of(
    *(account_desk.router, desk_items.router, desk_activities.router),
    *(charges_desk.router, loans_claims.router),
)
_OF_TILL = ("POST", "/desk/payments/{payment_id}/cancellation")
ROUTES = [route for route in _ALL if route not in AT_DESK and route != _OF_TILL]
NEW_PIN = "748193"


@EACH_WAY
async def test_a_librarian_looks_after_an_account(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {404, 409, 422}
    page, told, library = reader.page, reader.told, story.library
    card, other = [await story.debtor(reader.language) for _ in range(2)]
    new = unique("NEW")
    contact = {"contact": {"email": "reader@example.org"}}
    [found] = (await library.get(f"/v1/patrons?card={card}", by="staff"))["items"]
    await library.call("PATCH", f"/v1/patrons/{found['id']}", contact, by="staff")
    await library.flow.settle()

    # The account is found by its card.
    await page.goto("/desk")
    await reader.log_in(story.librarian)
    await reader.follow("Accounts")
    for number in ("HK-NOBODY", card):
        await reader.fill("#card_number", number)
        await reader.press("Find the account")
        if number != card:
            await told("No library card has this number.")
    facts = page.locator("main dl.facts")
    await expect(facts).to_contain_text(card)
    await expect(facts).to_contain_text(reader.say("Blocked until charges are paid"))

    # A part of its fine is waived, and the rest is paid in cash, a part of it first.
    await reader.follow("Overdue fine")
    await reader.fill("#amount", "9.50")
    await reader.fill("#reason", "Flood")
    await reader.press("Waive")
    await told("This is more than is left to pay of this charge.")
    await reader.fill("#amount", "2.50")
    await reader.press("Waive")
    await told("%(waived_cents)s is waived.", waived_cents=250)
    pay = reader.say("Record the selected as paid in cash")
    ticked = page.locator("input[name=charge]")
    await reader.work(ticked)
    await reader.work(page.get_by_role("button", name=pay))
    await told("Select at least one item first.")
    await expect(ticked).to_be_checked()
    await reader.fill("#taken", "a dollar")
    await reader.work(page.get_by_role("button", name=pay))
    await told("Enter an amount in dollars, such as 6.00.")
    await reader.fill("#taken", "10.00")
    await reader.fill("#part", "1.00")
    await reader.work(page.get_by_role("button", name=pay))
    await told(TEXTS.messages["cash-with-change"], paid_cents=100, change_cents=900)
    await expect(facts).to_contain_text(reader.say("Blocked until charges are paid"))
    await reader.work(page.get_by_role("button", name=pay))
    await told(TEXTS.messages["cash-recorded"], paid_cents=250)
    await expect(facts).to_contain_text(reader.say("Can borrow"))
    charges = page.locator("section[aria-labelledby=charges]")
    await expect(charges).to_contain_text(reader.say("There is nothing to pay or to give back."))
    await reader.follow("Print the receipt")
    await expect(page.locator(".slip")).to_contain_text(reader.words.money(250))
    await reader.work(page.locator("#send"))
    await told("The receipt of this payment is sent by e-mail.")
    await reader.follow("Back to the account")
    await library.flow.settle()

    # The staff keep a note, and reserve a title, which is collected elsewhere and then cancelled.
    await reader.fill("#text", "Glasses found")
    await reader.press("Add the note")
    await told("The note is added.")
    await expect(page.locator(".note-of-staff")).to_contain_text("Glasses found")
    await reader.work(page.locator("form[action$='/note-removal'] button"))
    await told("The note is deleted.")
    [barcode] = await library.copies(CENTRAL, 1)
    await reader.fill("#q", barcode)
    await reader.choose("#pickup", CENTRAL)
    await reader.press("Reserve")
    reserved = reader.say(TEXTS.messages["reserved-copy"], title=f"Title {barcode}")
    await told(reserved)
    await reader.work(page.locator("input[name=hold]"))
    await reader.press("Cancel the chosen")
    await told("Cancelled: %(count)s.", count=1)

    # The reader is registered for an activity and gets a session of a study room.
    activity, place = await library.activity(1, "2021-03-10T19:00:00+08:00"), await library.branch()
    room = {
        "places": 1,
        "sessions": [{"opens": "10:00", "closes": "13:00"}],
        "days_ahead": 7,
        "most_bookings": 1,
    }
    await library.call("PUT", f"/v1/study-rooms/{place}", room, by="staff")
    await reader.follow("Activities and study rooms")
    await reader.choose("#activity", activity)
    await reader.press("Register this reader")
    await told("The reader has a place.")
    await reader.work(page.locator(f"button[name=activity][value='{activity}']"))
    await told("The reader is no longer registered.")
    for day in ("2021-03-02", "2021-03-03"):
        await reader.choose("#branch", place)
        await reader.fill("#on", day)
        await reader.press("Show the free places")
        await reader.press(reader.say("Book %(times)s", times="10:00–13:00"))
        if day == "2021-03-02":
            await expect(page.locator("button[name=booking]")).to_be_visible()
            [booked] = (await library.get("/v1/me/bookings", by=card))["items"]
            await told(TEXTS.messages["reader-booked"], door_code=spaced(booked["code"]))
    await told(TEXTS.problems["reader-booking-limit"])
    await reader.work(page.locator("button[name=booking]"))
    await told("The booking of the reader is cancelled.")
    await reader.follow("Back to the account")

    # The reader has moved, has lost the card and forgotten the PIN.
    await reader.fill("#phone", "2921 0388")
    await reader.press("Save")
    await told("The account is changed.")
    await expect(page.locator("#phone")).to_have_value("2921 0388")
    await reader.fill("#phone", "2921 0388")
    await reader.press("Save")
    await told("Nothing was changed.")
    replaced = TEXTS.messages["card-replaced"]
    taken = "This card number belongs to another account."
    for number, answer in ((other, taken), (new, replaced)):
        await reader.fill("#card_number", number)
        await reader.press("Replace the card")
        await told(answer)
    await expect(facts).to_contain_text(new)
    for pin, answer in (
        ("123456", "A PIN such as 123456 or 111111 is easy to guess. Please choose another."),
        (NEW_PIN, "The PIN is changed. The reader is logged out everywhere."),
    ):
        await reader.fill("#pin", pin)
        await reader.press("Change the PIN")
        await told(answer)

    # The account is blocked for a while.
    await reader.fill("#reason", "Found in the street")
    await reader.press("Block the account")
    await told("The account is blocked. The reader is logged out everywhere.")
    said = reader.say("Blocked by the staff: %(reason)s", reason="Found in the street")
    await expect(facts).to_contain_text(said)
    await reader.fill("#reason", "It was a mistake")
    await reader.press("Unblock the account")
    await told("The account is no longer blocked by the staff.")
    await expect(facts).to_contain_text(reader.say("Can borrow"))
    await left(reader)

    # The reader logs in with both.
    await page.goto("/")
    await reader.log_in(new, NEW_PIN)
    await expect(page.locator("h1")).to_have_text(reader.say("My Account"))
    await left(reader)


@EACH_WAY
async def test_a_librarian_looks_for_an_item_and_records_it_as_lost(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {422}
    page, told = reader.page, reader.told
    card = await story.reader(reader.language)
    await page.goto("/desk")
    await reader.log_in(story.librarian)
    await reader.follow("Accounts")
    await reader.fill("#card_number", card)
    await reader.press("Find the account")
    listed = page.locator("main a[href^='/desk/loans/']")
    await expect(listed).to_have_count(2)

    # Both are renewed: one has a renewal left, or says why not.
    await reader.work(page.locator("input[name=loan]").first)
    await reader.press("Renew the chosen")
    await expect(page.locator("#said")).to_be_visible()

    # The reader says that it is back, but it is not found.
    await reader.work(listed.first)
    await reader.press("Record that it is said to be back")
    await told(TEXTS.messages["claim-recorded"])
    await reader.press("It was not found")
    await told(TEXTS.messages["claim-rejected"])

    await reader.press("Renew")
    await told(TEXTS.messages["loan-renewed"])

    # It is lost. The price is on the cover of another copy.
    await reader.fill("#price", "twelve")
    await reader.press("Record it as lost")
    await told("Enter an amount in dollars, such as 120.00.")
    await reader.fill("#price", "120.00")
    await reader.press("Record it as lost")
    await told(TEXTS.messages["loss-recorded"])
    charges = page.locator("section[aria-labelledby=charges]")
    await expect(charges).to_contain_text("$120.00")
    rows = page.locator("section[aria-labelledby=loans] tbody tr")
    lost = rows.filter(has_text=reader.say("Lost"))
    await expect(lost).to_have_count(1)
    barcode = await lost.locator("td").nth(1).inner_text()

    # The reader pays, and finds it at home: the price is given back.
    owing = (await story.library.get("/v1/me/charges", by=card))["items"]
    await reader.press("Record the selected as paid in cash")
    paid = sum(charge["outstanding_cents"] for charge in owing)
    await told(TEXTS.messages["cash-recorded"], paid_cents=paid)
    await story.library.take_back([barcode.strip()], CENTRAL)
    await page.reload()
    price = reader.words.money(12000)
    owed = reader.say("%(amount)s is to be given back.", amount=price)
    await expect(charges).to_contain_text(owed)
    await reader.follow("Price of a lost item")
    await reader.press("Record the refund as given")
    await told(TEXTS.messages["refund-given"], refunded_cents=12000)
    await expect(page.locator("#refund")).to_have_count(0)
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
