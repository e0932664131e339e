"""The journey of a patron through My Account: log-in, loans, charges and reservations."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Locator, expect

from services.accounts.pins.rules import code_of
from services.accounts.settings import Settings as AccountsSettings
from services.circulation.settings import Settings as CirculationSettings
from services.gateway.web.account import patron as account_patron
from services.gateway.web.charges import patron as charges_patron
from services.gateway.web.holds import patron as holds_patron
from services.gateway.web.holds import search as holds_search
from services.gateway.web.loans import patron as loans_patron
from services.gateway.web.sign_in import log_in as sign_in_log_in
from shared.mongo import Database, connect
from tests.library import PIN
from tests.support import until
from tests.web.browser import Watch
from tests.web.journeys.steps import EACH_WAY, NAMELESS, left
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import CENTRAL, MAJOR, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(
    sign_in_log_in.router,
    account_patron.router,
    loans_patron.router,
    holds_search.router,
    charges_patron.router,
    holds_patron.router,
)

RESTART = {
    "en": "Fines restart on 5 March 2021: $1.50 a day for this item.",
    "zh-Hant": "罰款將由2021年3月5日起恢復計算：此項資料每日 $1.50。",
    "zh-Hans": "罚款自2021年3月5日起恢复计算：该文献每天 $1.50。",
}
OWING = "You can't borrow, renew or reserve until you pay %(amount)s."
NEW_PIN = "31-41-59"
BLOCKED = (
    "Your account is blocked, so you can't borrow, renew or reserve. My Account says what to do."
)
RENEWED = "%(title)s: renewed until %(due_on)s. Reference %(reference)s."
WRONG_CODE = "This code is wrong or too old. Check it, or ask for a new one."


async def ticked(reader: Reader, box: Locator) -> None:
    """Tick a box of the account; a click is lost if the live account is replaced during it."""

    async def is_ticked() -> bool:
        if not await box.is_checked():
            await reader.work(box)
        return await box.is_checked()

    await until(is_ticked)


@asynccontextmanager
async def books(story: Story) -> AsyncIterator[Database]:
    """Yield circulation's database, where the payment provider's double keeps its records."""
    settings = story.library.system.settings(CirculationSettings)
    client = connect(settings.mongo_url)
    try:
        yield client[f"{settings.database_prefix}_circulation"]
    finally:
        client.close()


async def chosen_anew(reader: Reader, story: Story) -> None:
    """Choose a new PIN for a patron who has forgotten theirs, from the page to log in and back."""
    library, page = story.library, reader.page
    card = await library.patron(CENTRAL)
    patron = (await library.get("/v1/patrons?card=" + card, by="staff"))["items"][0]["id"]
    contact = {"contact": {"email": "reader@example.org"}}
    await library.call("PATCH", f"/v1/patrons/{patron}", contact, by="staff")

    await reader.follow("Forgotten your PIN?")
    await reader.fill("#card_number", card)
    await reader.press("Send a code")
    await expect(page.get_by_role("heading", level=1)).to_have_text(reader.say("Choose a new PIN"))
    reset = page.url.rpartition("/")[2]
    key = library.system.settings(AccountsSettings).reset_keys
    code = code_of(reset, key)
    assert code is not None

    async def requested() -> bool:
        inbox = await library.get("/v1/me/inbox", by=card)
        return any(one["kind"] == "pin.reset-requested" for one in inbox["items"])

    await until(requested)
    for typed, repeated, answer in (
        (code, PIN, "The two new PINs are different. Nothing was changed."),
        (f"{(int(code) + 1) % 10**8:08}", NEW_PIN, WRONG_CODE),
        (code, NEW_PIN, "Your PIN is changed. Use the new one from now on."),
    ):
        await reader.fill("#reset_code", typed)
        await reader.fill("#new_pin", NEW_PIN)
        await reader.fill("#repeated_pin", repeated)
        await reader.press("Save the new PIN")
        await reader.told(answer)


@EACH_WAY
async def test_a_patron_pays_renews_and_reserves(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {401, 409, 422}
    page = reader.page
    busy = await story.busy_reader(reader.language)
    say, told, follow = reader.say, reader.told, reader.follow
    [found] = (await story.library.get(f"/v1/patrons?card={busy.card}", by="staff"))["items"]
    contact = {"contact": {"email": "busy@example.org"}}
    await story.library.call("PATCH", f"/v1/patrons/{found['id']}", contact, by="staff")

    # A guest who requests a page is sent to log in, and then to the page.
    await page.goto("/")
    await reader.log_in(busy.card, pin="000000")
    await told("Your card number or PIN is wrong.")
    await chosen_anew(reader, story)
    await reader.log_in(busy.card)
    await expect(page.locator("html")).to_have_attribute("lang", reader.language)

    # Overdue loans and the days of a fine are shown; renewing is refused while money is owed.
    await expect(page.get_by_text(RESTART[reader.language])).to_be_visible()
    await expect(page.get_by_text(say(OWING, amount="$6.00"))).to_be_visible()
    await expect(page.locator(NAMELESS)).to_have_count(0)
    await follow(f"Title {busy.late}")
    await expect(page.locator(".strip .suspended i")).not_to_have_count(0)
    await expect(page.get_by_text(say("free: fines were suspended"))).to_be_visible()
    await reader.press("Renew this item")
    await told(BLOCKED)
    await follow("Overdue fine")
    await expect(page.locator(".strip .charged i")).to_have_count(4)
    await expect(page.get_by_text(say("%(rate)s a day", rate=150))).to_be_visible()
    await follow("Back to My Account")
    pay = page.get_by_role("button", name=say("Pay %(amount)s", amount="$6.00"), exact=True)
    async with books(story) as provider:  # which has a page of its own this time
        await provider.double_orders.insert_one({"call": "page", "do": "page"})
        await reader.work(pay)
        its_page = page.locator("#payment-page")
        await expect(its_page).to_have_attribute("href", re.compile("pay.example"))
        await reader.press("Don't pay now")
        await told("Nothing was paid.")
    await reader.work(pay)
    await told("Paid: %(paid_cents)s. Thank you.", paid_cents=600)
    await follow("See your receipts")
    await reader.work(page.locator("a[id^=payment-]"))
    await expect(page.locator("article.slip")).to_contain_text(busy.card[-4:])
    await reader.work(page.locator("#send"))
    await told("The receipt of this payment is sent by e-mail.")
    await follow("All payments")
    await follow("Back to My Account")

    # One loan is renewed, then all.
    await reader.press("Renew selected")
    await told("Select at least one item first.")
    await ticked(reader, page.locator("tbody input[name=loan]").first)
    await reader.press("Renew selected")
    of_any = say(RENEWED, title="", due_on="2021-03-12", reference="").rstrip(" .。")
    renewed = page.locator("#said p", has_text=of_any)
    await told(of_any)
    await expect(renewed).to_have_count(1)
    await reader.press("Renew all")
    await told("Renewing it now would not change the due date.")
    await expect(renewed).to_have_count(2)
    await expect(page.get_by_text(RESTART[reader.language])).to_have_count(0)

    # One loan is claimed returned, one is lost and paid for.
    await follow(f"Title {busy.late}")
    await reader.press("I have returned it")
    await told("Thank you. The library is looking for the item. No fine is added in the meantime.")
    await follow(f"Title {busy.lost}")
    await reader.work(page.locator("input[type=checkbox][required]"))
    await reader.press("Report it as lost")
    await told("You've reported this item as lost. See what it costs under Charges.")
    async with books(story) as provider:
        await provider.double_orders.insert_one({"call": "page", "do": "page"})
        await reader.press("Pay selected")
        address = await page.locator("#payment-page").get_attribute("href") or ""
        payment_id = address.rpartition("/")[2]
        paid = {"$set": {"authorise": True}}
        await provider.double_books.update_one({"_id": payment_id}, paid)
    await page.goto(f"/payments/{payment_id}?returned=1")
    await expect(page.locator("article.slip tfoot")).to_contain_text("$153.60")
    await follow("All payments")
    await follow("Back to My Account")

    # A title is found and reserved; the reservation is changed, paused and cancelled.
    await follow("Catalogue", within=".masthead")
    await reader.fill("#q", "everybody wants")
    await page.keyboard.press("Enter")
    await follow("A book that everybody wants")
    await reader.choose("#pickup_branch", CENTRAL)
    await reader.press("Reserve")
    await expect(page.locator("#said .done")).to_be_visible()
    await expect(page.get_by_role("button", name=say("Reserve"), exact=True)).to_have_count(0)
    already = page.locator("section[aria-labelledby=reserve]")
    await expect(already).to_contain_text(say("You have reserved this title already."))
    await follow("See your reservations", within="#said")
    hold = page.locator("a[id^=hold-]")
    await reader.work(page.locator("#holds + table summary"))
    await reader.choose("[id^=pickup-]", MAJOR)
    await reader.press("Save")
    await told("Your reservation was changed.")
    await expect(page.locator("#holds + table")).to_contain_text("Sha Tin")
    await reader.work(hold)
    await reader.fill("#expires_on", "2021-01-02")
    await reader.press("Save")
    await told("This day has passed already.")
    await reader.work(page.locator("#said a"))
    await expect(page.locator("#expires_on")).to_be_focused()
    await reader.fill("#expires_on", "2021-06-01")
    await reader.choose("#pickup_branch", CENTRAL)
    await reader.press("Save")
    await told("Your reservation was changed.")
    last_day = say("Not needed after %(day)s.", day="2021-06-01")
    await expect(page.get_by_text(last_day)).to_be_visible()
    await reader.work(hold)
    await reader.press("Pause this reservation")
    await told("Your reservation is paused. You keep your place in the queue.")
    await reader.work(hold)
    await reader.press("Resume this reservation")
    await told("Your reservation is active again.")
    await reader.work(hold)
    await reader.press("Cancel this reservation")
    await told("Your reservation was cancelled.")
    await left(reader)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
