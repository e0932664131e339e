"""A patron's day and a librarian's day, from log-in to log-out, in each language.

Each day is spent with scripts, without, and by keyboard alone; at the end the routes of the pages
are compared with the visited ones.
"""

import json
from collections import Counter
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Locator, expect
from pytest_asyncio import fixture

from services.accounts.domain.pin_reset import code_of
from services.accounts.domain.unsubscribing import unsubscribe_token
from services.accounts.settings import Settings as AccountsSettings
from services.gateway.web.languages import LANGUAGES as LANGUAGES_OF_PAGES
from tests.device import subscribed
from tests.library import PIN, unique
from tests.mail_server import MailServer
from tests.security.test_erasure import found
from tests.support import until
from tests.web.browser import Watch, Windows
from tests.web.reader import Reader
from tests.web.routes import ROUTES, Driven, Way
from tests.web.story import (
    BANKED,
    CENTRAL,
    MAJOR,
    NOTICE,
    OPENING,
    RECORDED,
    TALK,
    Story,
    at,
    link_to,
)

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

LANGUAGES = ("en", "zh-Hant", "zh-Hans")
EACH_DAY = pytest.mark.parametrize(
    ("language", "way"),
    [
        *((language, way) for language in LANGUAGES for way in ("scripts", "no scripts")),
        ("en", "keyboard"),
    ],
)
WITH_SCRIPTS_ONLY = {"/me/stream", "/setting/devices"}
"""Routes that no page without scripts requests."""

RESTART = {
    "en": "Fines restart on 5 March 2021: $1.50 a day for this item.",
    "zh-Hant": "罰款將由2021年3月5日起恢復計算：此項資料每日 $1.50。",
    "zh-Hans": "罚款自2021年3月5日起恢复计算：该文献每天 $1.50。",
}
BAD_PLACEHOLDER = (
    "A text has a placeholder that does not exist here, or a brace without a partner. Use the "
    "placeholders listed below."
)
OWING = "You can't borrow, renew or reserve until you pay %(amount)s."
INVITED = "Your invitation is sent, if there is such a card."
NEW_PIN = "31-41-59"
BLOCKED = (
    "You can't borrow, renew or reserve until you pay your charges or the staff "
    "unblock your account."
)
RENEWED = "%(title)s: renewed until %(due_on)s. Reference %(reference)s."
WAITLISTED = (
    "All places are taken. You're number %(position)s on the waiting list. We'll "
    "tell you when you get a place."
)
NAMELESS = "[data-live] :is(a, button, input:not([type=hidden])):not([id])"
"""Elements that would lose the focus when the account changes while it is open."""
MAP = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000
"""A file that is larger than other bodies may be."""
SUBSCRIBES = """of => {
  const keys = { p256dh: of.p256dh, auth: of.auth };
  PushManager.prototype.subscribe = async () => ({ toJSON: () => ({ ...of, keys }) });
}"""
"""Gives the browser a subscription, for no push service is within reach."""
WRONG_CODE = "This code is wrong or too old. Check it, or ask for a new one."
NOT_SETTLED = (
    "The account can't be erased yet. Take back the items, settle the charges and give back "
    "refunds first."
)
APPLIED = "Your application is recorded. We'll tell you the result of the draw."
ENQUIRY_CHANGED = (
    "Someone has changed this question since you opened it. Read what is new above, then send "
    "yours again."
)
HONG_KONG = ZoneInfo("Asia/Hong_Kong")
OPENS = datetime(2021, 3, 15, 10, tzinfo=HONG_KONG)
"""The first opening after the closure of the librarian's day."""
CLOSURE_CHANGED = "The closure is changed. Due dates are updated within minutes."


@pytest.fixture(scope="module")
def driven() -> Driven:
    """A record of the routes that the journeys have used."""
    return Driven()


@fixture(loop_scope="session")
async def reader(windows: Windows, driven: Driven, language: str, way: Way) -> Reader:
    """Return a reader with a new window, whose visits are recorded."""
    page = await windows.open(language, scripts=way != "no scripts")
    driven.over(page.context, way, language)
    return Reader(page, language, way)


async def ticked(reader: Reader, box: Locator) -> None:
    """Tick a box of the account; a click is lost if the live account is replaced during it."""

    async def is_ticked() -> bool:
        if not await box.is_checked():
            await reader.work(box)
        return await box.is_checked()

    await until(is_ticked)


async def left(reader: Reader) -> None:
    """Log out; the browser's back button must then show nothing of the account."""
    page = reader.page
    await reader.work(page.locator(".mark"))
    await expect(page.locator(".pages [aria-current=page]")).to_be_visible()
    await reader.press("Log out", within=".masthead")
    await reader.told("You have logged out.")
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text(reader.say("Log in"))


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
    key = library.system.settings(AccountsSettings).card_key
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


async def with_linked_card(reader: Reader, story: Story, card: str) -> None:
    """Invite and withdraw; accept, renew, reserve and cancel for another, and end it again."""
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    member = await library.patron(CENTRAL)
    [lent] = await library.copies(CENTRAL, 1)
    [late] = await library.copies(CENTRAL, 1)
    with at(library, "2021-02-20T10:00:00+08:00"):
        await library.lend(member, [lent], CENTRAL)
    with at(library, OPENING):
        await library.lend(member, [late], CENTRAL)
    await follow("Linked cards", within=".masthead")
    await reader.fill("#card_number", card)
    await reader.press("Send the invitation")
    await told("This is your own card number.")
    await reader.fill("#card_number", member)
    await reader.press("Send the invitation")
    await told(INVITED)
    await reader.press("Withdraw the invitation")
    await told("The invitation has ended.")

    body = {"card_number": card}
    await library.post("/v1/me/family/invitations", body, by=member)
    await library.delivered(card)
    await follow("Linked cards", within=".masthead")
    await reader.press("Link the cards")
    await told("The two cards are linked.")
    await library.flow.settle()
    name = f"Patron {member}"
    await follow(name)
    await expect(page.get_by_role("rowheader", name=f"Title {lent}")).to_be_visible()
    of_lent = page.locator("tr", has_text=f"Title {lent}")
    await reader.work(of_lent.get_by_role("button", name=say("Renew"), exact=True))
    renewed = "Renewed until %(due_on)s. Reference %(reference)s."
    await told(say(renewed, due_on="2021-03-12", reference="").rstrip(" .。"))
    # An overdue item costs the other a fine: the page asks first.
    of_late = page.locator("tr", has_text=f"Title {late}")
    await reader.work(of_late.get_by_role("button", name=say("Renew"), exact=True))
    await expect(page.get_by_text(say("New due date"))).to_be_visible()
    await follow("Back, without renewing")
    await follow("Search the catalogue")
    await reader.fill("#q", "everybody wants")
    await page.keyboard.press("Enter")
    await follow("A book that everybody wants")
    await reader.choose("#patron_id", (await library.get("/v1/me", by=member))["patron"]["id"])
    await reader.choose("#pickup_branch", CENTRAL)
    await reader.press("Reserve")
    await told("Reserved for the other card.")
    await follow("Linked cards", within=".masthead")
    await follow(name)
    await reader.press("Cancel this reservation")
    await told("The reservation was cancelled.")
    await follow("All linked cards")
    await reader.press("End the link of the cards")
    await told("The two cards are no longer linked.")


@EACH_DAY
async def test_a_patron_uses_every_patron_page(reader: Reader, story: Story, watch: Watch) -> None:
    watch.expected |= {401, 409, 422}
    library, page = story.library, reader.page
    busy = await story.busy_reader(reader.language)
    say, told, follow = reader.say, reader.told, reader.follow

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
    await reader.work(pay)
    await told("Paid: %(paid_cents)s. Thank you.", paid_cents=600)

    # One loan is renewed, then all.
    await reader.press("Renew selected")
    await told("Select at least one item first.")
    await ticked(reader, page.locator("input[name=loan]").first)
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
    await reader.press("Pay selected")
    await told("Paid: %(paid_cents)s. Thank you.", paid_cents=15360)

    # A title is found and reserved; the reservation is changed, paused and cancelled.
    await follow("Catalogue", within=".masthead")
    await reader.fill("#q", "everybody wants")
    await page.keyboard.press("Enter")
    await follow("A book that everybody wants")
    await reader.choose("#pickup_branch", CENTRAL)
    await reader.press("Reserve")
    await expect(page.locator("#said .done")).to_be_visible()
    await reader.press("Reserve")
    await told("You have reserved this title already.")
    await follow("My Account")
    hold = page.locator("a[id^=hold-]")
    await reader.work(hold)
    await reader.fill("#expires_on", "2021-01-02")
    await reader.press("Save")
    await told("This day has passed already.")
    await reader.work(page.locator("#said a"))
    await expect(page.locator("#expires_on")).to_be_focused()
    await reader.fill("#expires_on", "2021-06-01")
    await reader.choose("#pickup_branch", MAJOR)
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

    # My Info shows the followed branches and types, and the reading history is kept.
    await follow("My Info")
    await expect(page.get_by_role("cell", name=NOTICE["content"])).to_have_count(0)
    await follow("Choose what to follow")
    for which in (f"[value={CENTRAL}]", "[value=talk]", "[name=keep_history]", "[name=digest]"):
        await reader.work(page.locator(f"main input[type=checkbox]{which}"))
    await reader.press("Save")
    await told("Saved.")
    await expect(page.locator("main [name=digest]")).to_be_checked()
    await library.flow.settle()
    await library.take_back([busy.returned], CENTRAL)
    await library.job("circulation/purge-loans")
    await follow("My Info")
    await expect(page.get_by_role("rowheader", name=TALK["title"])).to_be_visible()
    await expect(page.get_by_role("cell", name=NOTICE["content"])).to_be_visible()
    await follow("My Setting")
    if reader.way == "no scripts":  # another browser of the patron has been added
        await library.post("/v1/me/push-subscriptions", subscribed(busy.card), by=busy.card)
        await page.reload()
    else:
        await page.context.grant_permissions(["notifications"])
        await expect(page.locator("#this-device")).to_be_attached()  # the page is there
        await page.evaluate(SUBSCRIBES, subscribed(busy.card))
        await reader.press("Notify this device")
        await told("This device shows your messages from now on.")
    await reader.press("Stop messages")
    await told("Stopped. The device shows no more messages.")
    for field, typed in {"#email": "busy@example.org", "#contact-pin": PIN}.items():
        await reader.fill(field, typed)
    await reader.press("Save addresses")
    await told("Your e-mail address and telephone number are saved.")
    for field, typed in {"#pin-until-now": PIN, "#new_pin": NEW_PIN, "#repeated_pin": PIN}.items():
        await reader.fill(field, typed)
    await reader.press("Change PIN")
    await told("The two new PINs are different. Nothing was changed.")
    for field, typed in {
        "#pin-until-now": PIN,
        "#new_pin": NEW_PIN,
        "#repeated_pin": NEW_PIN,
    }.items():
        await reader.fill(field, typed)
    await reader.press("Change PIN")
    await told("Your PIN is changed. Use the new one from now on.")
    # The calendar feed has a link until it is ended.
    await reader.press("Make a link")
    await told("Your calendar has a new link. Copy it into your calendar program.")
    feed = await page.locator("#calendar-address").input_value()
    assert "BEGIN:VEVENT" in await (await page.request.get(feed)).text()
    await reader.press("End the link")
    await told("The link to your calendar has ended.")
    assert (await page.request.get(feed)).status == 404
    async with page.expect_download() as download:
        await follow("Download your data")
    file = json.loads((await (await download.value).path()).read_text())
    [holder] = file["services"]["accounts"]["cardholders"]
    assert holder["email"] == "busy@example.org"
    await follow("See the list")
    await expect(page.get_by_role("rowheader", name=busy.returned)).to_be_visible()

    # Notifications are read.
    await library.flow.settle()
    await follow("Messages")
    await expect(page.locator("li.new")).not_to_have_count(0)
    await reader.work(page.locator("#read-all"))
    await expect(page.locator("li.new")).to_have_count(0)
    await expect(page.locator("#read-all")).to_have_count(0)

    # A place in an activity is taken and given up; a full activity has a waiting list.
    free, full = [await library.activity(1, "2021-03-10T19:00:00+08:00") for _ in range(2)]
    other = await library.patron(CENTRAL)
    await library.post(f"/v1/activities/{full}/registration", by=other)
    await follow("Activities", within=".masthead")
    await reader.work(page.locator(f"a[href='/activities/{free}']"))
    await reader.press("Register for this activity")
    await told("You have a place.")
    await library.flow.settle()
    await follow("My Account")
    await expect(page.locator(NAMELESS)).to_have_count(0)
    await reader.work(page.locator(f"a[href='/activities/{free}']"))
    await reader.press("Withdraw")
    await told("You're no longer registered.")
    await follow("All activities")
    await reader.work(page.locator(f"a[href='/activities/{full}']"))
    await reader.press("Join the waiting list")
    await told(WAITLISTED, position=1)

    # A question is asked about a title, with a file; one of another kind is refused.
    await follow("Catalogue", within=".masthead")
    await reader.fill("#q", "everybody wants")
    await page.keyboard.press("Enter")
    await follow("A book that everybody wants")
    await follow("Ask about this title")
    await reader.fill("#subject", "Old maps")
    await reader.fill("#text", "Where are the maps of 1900?")
    await reader.attach("#files", "maps.png", b"MZ\x90\x00")
    await reader.press("Send your question")
    await told("A file is a PDF, a picture (PNG or JPEG) or plain text in UTF-8.")
    await expect(page.locator("#text")).to_have_value("Where are the maps of 1900?")
    await reader.attach("#files", "地圖.png", MAP)
    await reader.press("Send your question")
    await told("Your question is sent. We'll tell you when a librarian has answered it.")
    await expect(page.locator("dl.facts")).to_contain_text("A book that everybody wants")
    assert await reader.download("地圖.png") == ("地圖.png", MAP)
    asked = page.url.rpartition("/")[2]
    answer = {"text": "They are on the sixth floor.", "seen": 1}
    await library.post(f"/v1/enquiries/{asked}/answers", answer, by="staff")
    await follow("All your questions")
    await follow("Old maps")
    await expect(page.get_by_text("They are on the sixth floor.")).to_be_visible()
    await reader.fill("#text", "Thank you.")
    await reader.press("Send")
    await told("Your message is sent.")
    await reader.press("Close this question")
    await told("The question is closed.")

    # A question to a library is a repeat: the library answers it together with the other.
    await follow("Libraries", within=".masthead")
    await follow("Hong Kong Central Library")
    await follow("Ask the librarians here")
    await expect(page.locator("#branch")).to_have_value(CENTRAL)
    first = await story.ask(busy.card, "Maps of 1900")
    await reader.fill("#subject", "Maps again")
    await reader.fill("#text", "Where are they?")
    await reader.press("Send your question")
    await told("Your question is sent. We'll tell you when a librarian has answered it.")
    repeat = page.url.rpartition("/")[2]
    merger = {"into": first, "seen": 1, "seen_into": 1}
    await library.post(f"/v1/enquiries/{repeat}/merger", merger, by="staff")
    await follow("All your questions")
    await follow("Maps again")
    await expect(page.locator("#reply")).to_have_count(0)
    await follow("Go to that question")
    await expect(page.get_by_role("heading", name="Maps of 1900")).to_be_visible()
    await follow("Maps again")
    # A study room is applied for, withdrawn, and applied for again; the list has only numbers.
    season = await library.season(CENTRAL)
    its_page = page.locator(f"a[href='/study-rooms/{season}']")
    await follow("Study rooms", within=".masthead")
    await reader.work(its_page)
    await reader.choose("#branch", CENTRAL)
    await reader.press("Apply")
    await told(APPLIED)
    await reader.press("Withdraw")
    await told("Your application has ended.")
    await reader.press("Apply")
    await told(APPLIED)
    with at(library, "2021-02-27T10:00:00+08:00"):
        await library.post(f"/v1/study-seasons/{season}/closing", by="staff")
    await follow("All seasons of the study rooms")
    await reader.work(its_page)
    await follow("See the list of applications")
    await expect(page.get_by_text(say("Yours"), exact=True)).to_be_visible()
    with at(library, "2021-02-27T10:00:00+08:00"):
        await library.post(f"/v1/study-seasons/{season}/draw", by="staff")
    await reader.work(page.locator(".back a"))
    await follow("Show the card")
    await expect(page.locator(".admission-card svg")).to_be_visible()

    # A session of a study room is booked and cancelled; one that is full can't be booked.
    place = await library.branch()
    room = {
        "places": 1,
        "sessions": [{"opens": "10:00", "closes": "13:00"}, {"opens": "14:00", "closes": "18:00"}],
        "days_ahead": 7,
        "most_bookings": 1,
    }
    await library.call("PUT", f"/v1/study-rooms/{place}", room, by="staff")
    await follow("Study rooms", within=".masthead")
    await follow(f"Library {place}")
    await reader.fill("#on", "2021-03-01")
    await reader.press("Show")
    await reader.press(say("Book %(times)s", times="14:00–18:00"))
    await told("Your place is booked.")
    await expect(page.locator(".admission-card svg")).to_be_visible()
    await library.flow.settle()
    await follow("My Account")
    await reader.work(page.locator("a[id^=booking-]"))
    await reader.work(page.locator(".back a"))
    await reader.press(say("Book %(times)s", times="10:00–13:00"))
    await told("You've as many bookings here as you can have at a time.")
    await follow("My Account")
    await reader.work(page.locator("a[id^=booking-]"))
    await reader.press("Cancel the booking")
    await told("Your booking is cancelled.")

    await with_linked_card(reader, story, busy.card)

    # The answer for everyone is found, and helps.
    await follow("Questions and answers", within=".masthead")
    await reader.fill("#q", BANKED)
    await page.keyboard.press("Enter")
    await follow(BANKED)
    await reader.press("Yes")
    await told("Thank you for telling us.")

    # A link in an e-mail leads to a page that turns e-mail off.
    patron = (await library.get("/v1/me", by=busy.card))["patron"]["id"]
    key = library.system.settings(AccountsSettings).card_key
    await page.goto(f"/unsubscribe/{unsubscribe_token(patron, key)}")
    await reader.press("Stop the e-mails")
    ended = say("You get no more e-mails about your account. Your messages are in My Account.")
    await expect(page.get_by_text(ended)).to_be_visible()
    await follow("Change this in My Setting")
    # A full library: the reader waits, is called, checks in and leaves.
    code, venue = await story.full_library()
    await page.goto(f"/check-in/{venue}")
    await expect(page.locator("h1")).to_have_text(f"Library {code}")
    await reader.press("Join the queue")
    await told("You're in the queue with number %(number)s.", number=1)
    waiting = say("You're number %(position)s in the queue.", position=1)
    await expect(page.get_by_text(waiting)).to_be_visible()
    await story.count(code, left=1)
    await follow("Look again")
    await expect(
        page.get_by_text(say("It's your turn. Check in within 10 minutes."))
    ).to_be_visible()
    await expect(page.locator("#name")).to_have_value(f"Patron {busy.card}")
    await reader.fill("#phone", "6123 4567")
    await reader.press("Check in")
    await told("Welcome. You're checked in.")
    await follow("Libraries", within=".masthead")
    await follow(f"Library {code}")
    inside = say("%(inside)s of %(capacity)s people inside", inside=1, capacity=1)
    await expect(page.get_by_text(inside)).to_be_visible()
    await expect(page.locator("svg rect")).to_have_count(1)
    await page.goto(f"/check-in/{venue}")
    await reader.press("I'm leaving")
    await told("You're checked out. Goodbye.")

    # Recordings, opening hours and notices.
    await follow("Activities", within=".masthead")
    await reader.work(page.locator("input[name=past]"))
    await reader.press("Show")
    await follow(RECORDED["title"])
    link = page.get_by_role("link", name=say("Watch the recording"))
    await expect(link).to_have_attribute("href", RECORDED["recording"]["url"])
    await follow("Libraries", within=".masthead")
    await follow("Hong Kong Central Library")
    await expect(page.get_by_text(say("Open now")).first).to_be_visible()
    await expect(page.get_by_text(say("until %(moment)s", moment="19:00"))).to_be_visible()
    await reader.fill("#on", "2021-02-18")
    await reader.press("Show")
    await expect(page.get_by_text(say("It reopens on %(day)s.", day="2021-02-19"))).to_be_visible()
    await follow("Notices", within=".masthead")
    await reader.choose("#branch", CENTRAL)
    await reader.press("Show")
    await follow(NOTICE["title"])
    await expect(page.get_by_role("heading", level=1)).to_have_text(NOTICE["title"])
    await follow("All notices")

    await left(reader)


@EACH_DAY
async def test_a_librarian_uses_every_desk_page(
    reader: Reader, story: Story, watch: Watch, mail: MailServer
) -> None:
    watch.expected |= {404, 409, 422}
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    place = await library.branch("district")
    late, card = [await library.patron(place) for _ in range(2)]
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
    await reader.choose("#branch", place)
    await reader.fill("#card_number", card)
    await reader.fill("#barcodes", "\n".join(barcodes))
    await reader.press("Lend")
    lent = say("Due on %(day)s", day="2021-03-12")
    await expect(page.locator("main tbody tr", has_text=lent)).to_have_count(7)

    # The library closes without an announced end; its talk is cancelled.
    talk = {"title": f"Talk {place}", "type": "talk", "organiser": "The library"}
    when = {"venue": "Hall", "branch": place, "starts_at": "2021-03-13T15:00:00+08:00"}
    await library.post("/v1/activities", talk | when, by="staff")
    reason = f"Rain at {place}"
    await follow("Closures")
    await one_library(reader, place)
    await reader.fill("#from", "2021-03-12")
    await reader.fill("#reason", reason)
    await confirmed(
        reader,
        "The closure is recorded. Due dates are updated within minutes.",
        moved=0,
        before=1650,
        after=1650,
    )
    await library.flow.settle()

    await reader.fill("#why", "The library is closed.")
    await reader.press("Cancel the selected activities")
    await told("Activities that are changed: %(count)s. Registered readers are told.", count=1)
    await expect(page.locator("#cancel-activities")).to_have_count(0)

    # A notice is drafted in three languages, put off, and published; a second draft is deleted.
    headings = {"en": "Closed", "zh-Hant": "閉館", "zh-Hans": "闭馆"}
    await reader.press("Draft a notice")
    await told("A notice is drafted. Check it before you publish it.")
    title = f"Closed: Library {place}"
    await expect(page.locator("#title")).to_have_value(title)
    await reader.fill("#content", "We hope to see you soon.")
    await reader.fill("#publish_on", "2021-05-01")
    await reader.fill("#publish_time", "10:00")
    await reader.press("Save")
    await told("The draft is saved. Only staff see it.")
    await expect(page.locator("#publish_time")).to_have_value("10:00")
    await follow("All drafts")
    await follow(title)
    await reader.press("Publish now")
    await told("The notice is published.")
    await expect(page.locator("h1")).to_contain_text(headings[reader.language])

    # The notice is amended; the earlier texts can be read until it is withdrawn.
    await follow("Change this notice")
    for field in ("#content", "#content-zh-Hant", "#content-zh-Hans"):
        await reader.fill(field, "Closed after all.")
    await reader.press("Publish the amendment")
    await told("The notice is amended.")
    await expect(page.locator("article")).to_contain_text("Closed after all.")
    await follow("Read the earlier texts")
    await expect(page.locator("article")).to_have_count(1)
    await expect(page.locator("article")).not_to_contain_text("Closed after all.")
    await reader.work(page.locator(".back a"))
    await follow("Change this notice")
    await reader.press("Withdraw this notice")
    await told("The notice is withdrawn.")
    await follow("Closures")
    await follow(reason)
    await reader.press("Draft a notice")
    await told("A notice is drafted. Check it before you publish it.")
    await reader.press("Delete this draft")
    await told("The draft is deleted.")
    await follow("Closures")
    await follow(reason)

    # It reopens in part; due dates are spread over five days, as in the preview.
    await reader.fill("#reopened_on", "2021-03-15")
    await reader.fill("#services", "Lending and returning")
    await reader.fill("#measures", "Hand hygiene")
    await reader.fill("#capacity", "20")
    await reader.fill("#opens", "10:00")
    await reader.fill("#closes", "17:00")
    await reader.fill("#stagger_days", "5")
    spread = await confirmed(reader, CLOSURE_CHANGED, moved=7, before=1650, after=1650)
    assert {*spread} <= {reader.words.day(f"2021-03-{day}") for day in range(15, 20)}
    assert len(spread) > 1
    row = page.get_by_role("row", name=f"Library {place}")
    await expect(row).to_contain_text(reader.words.day("2021-03-15"))

    async def due() -> Counter[str]:
        loans = (await library.get("/v1/me", by=card))["loans"]
        return Counter(reader.words.day(loan["due_on"]) for loan in loans)

    async def spread_as_shown() -> bool:
        return await due() == spread

    await until(spread_as_shown, within=60)

    # The closure began earlier than recorded: some overdue days become free.
    await reader.fill("#from", "2021-02-20")
    await confirmed(reader, CLOSURE_CHANGED, moved=0, before=1650, after=600, nth=1)
    await library.flow.settle()
    await follow("Libraries", within=".masthead")
    await follow(f"Library {place}")
    await expect(page.get_by_text(say("Closed now"))).to_be_visible()
    opens = say("Opens again: %(moment)s", moment=reader.words.moment(OPENS, HONG_KONG))
    await expect(page.get_by_text(opens)).to_be_visible()
    await reader.fill("#on", "2021-03-15")
    await reader.press("Show")
    for told_of in ("10:00–17:00", "Lending and returning", "Hand hygiene"):
        await expect(page.locator("#day ~ *", has_text=told_of)).to_be_visible()

    # The closure is withdrawn as an error: due dates are what they were.
    await follow("Closures")
    await follow(reason)
    await reader.work(page.locator("[name=in_error]"))
    await reader.fill("#withdrawal-reason", "It stayed dry")
    moves = await confirmed(reader, CLOSURE_CHANGED, moved=7, before=600, after=1650, nth=2)
    assert moves == {reader.words.day("2021-03-12"): 7}

    async def back() -> bool:
        return await due() == {reader.words.day("2021-03-12"): 7}

    await until(back, within=60)
    await library.flow.settle()

    # Fines are suspended for a time, then for a shorter time, then not at all.
    trial = f"A trial at {place}"
    await follow("Suspensions of fines")
    await one_library(reader, place)
    await reader.fill("#starts_on", "2021-02-20")
    await reader.fill("#reason", trial)
    await confirmed(reader, "The suspension of fines is recorded.", moved=0, before=1650, after=600)
    await follow(trial)
    await reader.fill("#resumes_on", "2021-02-23")
    await confirmed(reader, "The suspension of fines is changed.", moved=0, before=600, after=1200)
    await reader.work(page.locator("[name=in_error]"))
    await reader.fill("#withdrawal-reason", "Too dear")
    await confirmed(
        reader, "The suspension of fines is changed.", moved=0, before=1200, after=1650, nth=1
    )

    # Reserved copies are fetched from their shelves; one is missing.
    there, missing = [(await library.copies(place, 1))[0] for _ in range(2)]
    for barcode in (there, missing):
        await library.reserve(card, barcode, place)
    await follow("Fetch")
    await expect(page.locator("#branch")).to_have_value(place)
    await reader.work(page.get_by_role("row", name=missing).get_by_role("button"))
    recorded = (
        "%(barcode)s is recorded as lost. Its reservation gets the next copy, or waits again."
    )
    await told(recorded, barcode=missing)
    await expect(page.get_by_role("row", name=there)).to_have_count(1)
    await expect(page.get_by_role("row", name=missing)).to_have_count(0)
    await reader.fill("#minutes", "30")
    await reader.press("Save")
    await told("The time until readers are told is saved.")
    await expect(page.locator("#minutes")).to_have_value("30")
    await follow("Return")
    await reader.fill("#barcodes", there)
    await reader.press("Return")
    kept = say("To the shelf of reserved items, until %(day)s", day="2021-03-05")
    await expect(page.get_by_role("row", name=there)).to_contain_text(kept)

    # Overdue copies are returned, with the fines that the previews named.
    await follow("Return")
    await expect(page.locator("#branch")).to_have_value(place)
    await reader.fill("#barcodes", overdue)
    await reader.press("Return")
    back_again = page.get_by_role("row", name=overdue)
    await expect(back_again).to_contain_text(reader.words.money(1650))
    await expect(back_again).to_contain_text(say("Back to its shelf"))

    # A question is taken and noted on. The reader writes before the answer is sent: so the
    # librarian is told first, and then sends it. It is passed on and closed.
    subject = f"Maps of {place}"
    asked = await story.ask(card, subject, branch=place)
    await story.ask(card, f"Again: {subject}", branch=place)
    await follow("Questions", within=".masthead")
    await reader.fill("#card_number", "NONE")
    await reader.press("Show the reader's questions")
    await told("No library card has this number.")
    await reader.fill("#card_number", card)
    await reader.press("Show the reader's questions")
    await expect(page.get_by_role("rowheader", name=subject)).to_have_count(2)
    await follow("Show those of all readers")
    await reader.choose("#queue", "open")
    await reader.choose("#branch", place)
    await reader.fill("#q", "again")
    await reader.press("Show")
    await expect(page.get_by_role("rowheader", name=subject)).to_have_count(1)
    await follow(f"Again: {subject}")
    await reader.press(say("Answer it together with “%(subject)s”", subject=subject))
    await told("Both questions are answered here. The reader is told.")
    await expect(page.get_by_role("heading", name=subject, exact=True)).to_be_visible()
    await follow(f"Again: {subject}")
    await follow("Show that question")
    await follow("All questions")
    await reader.choose("#queue", "mine")
    await reader.choose("#branch", place)
    await reader.press("Show")
    await follow(subject)
    await reader.press("Take this question")
    await told("You answer this question.")
    await reader.fill("#note", "Ask the map room.")
    await reader.press("Save the note")
    await told("Your note is saved.")
    await expect(page.get_by_text("Ask the map room.")).to_be_visible()
    reply = {"text": "I mean those of 1901."}
    await library.post(f"/v1/enquiries/{asked}/replies", reply, by=card)
    await reader.fill("#text", "They are on the sixth floor.")
    await reader.press("Send the answer")
    await told(ENQUIRY_CHANGED)
    await expect(page.get_by_text(reply["text"])).to_be_visible()
    await reader.attach("#files", "list.txt", "六樓：地圖\n".encode())
    await reader.press("Send the answer")
    await told("Your answer is sent.")
    assert await reader.download("list.txt") == ("list.txt", "六樓：地圖\n".encode())
    await follow("Add it to the questions and answers for everyone")
    await expect(page.locator("#answer-en")).to_have_value("They are on the sixth floor.")
    await reader.fill("#question-en", "")
    await reader.fill("#answer-en", "")
    await reader.press("Publish")
    await expect(page.locator("#said")).to_contain_text(
        say("Some information is missing or wrong. Please check it.")
    )
    await reader.fill("#question-zh-Hant", f"{place} 的地圖")
    await reader.fill("#answer-zh-Hant", "在六樓。")
    await reader.press("Publish")
    await told("The question is published.")
    await follow("Change this question")
    await reader.fill("#answer-zh-Hant", "在六樓地圖室。")
    await reader.press("Publish")
    await told("The question is published.")
    await expect(page.get_by_text("在六樓地圖室。")).to_be_visible()
    await follow("Change this question")
    await reader.press("Withdraw this question")
    await told("The question is withdrawn.")
    await follow("Add a question")
    await follow("Questions", within=".masthead")
    await reader.choose("#queue", "answered")
    await reader.press("Show")
    await follow(subject)
    await reader.press("Pass on")
    await told("The question is passed on.")
    await reader.press("Close this question")
    await told("The question is closed.")

    # No e-mail came back.
    await follow("E-mails")
    await reader.fill("#card_number", "NONE")
    await reader.press("Show the reader's messages")
    await told("No library card has this number.")
    await reader.fill("#card_number", card)
    await reader.press("Show the reader's messages")
    await follow("Show all readers")
    await reader.choose("#state", "bounced")
    await reader.press("Show")
    await expect(page.get_by_text(say("There are no messages here."))).to_be_visible()

    # A message gets other words, which are tried out and taken back.
    await follow("Wordings", within=".masthead")
    await follow(
        say(
            "%(message)s, %(language)s: %(state)s",
            message=say("Activity cancelled"),
            language=reader.words.name,
            state=say("As built in"),
        )
    )
    await reader.fill("#text", "{activity} ({patron})")
    await reader.press("Show a preview")
    await expect(page.locator("#said")).to_contain_text(say(BAD_PLACEHOLDER))
    await reader.fill("#text", "<b>{activity}</b>")
    await reader.fill("#card_number", "NONE")
    await reader.press("Show a preview")
    await told("No library card has this number.")
    await reader.fill("#card_number", card)
    await reader.press("Show a preview")
    await expect(page.locator("blockquote")).to_contain_text("A Walk in Old Maps")
    await expect(page.locator("blockquote")).to_contain_text("<b>")
    await reader.fill("#address", "librarian@example.org")
    await reader.press("Send a trial")
    await told("The trial is sent.")
    await expect(page.locator("#text")).to_have_value("<b>{activity}</b>")
    await reader.press("Save")
    await told("The wording is saved. Messages and e-mails have it from now on.")
    await reader.press("Use the built-in wording again")
    await told("The wording is saved. Messages and e-mails have it from now on.")
    await expect(page.locator("#text")).to_have_value("")
    await expect(page.locator(".versions button").last).to_be_visible()

    # Visitors are counted and registered, and the library gets a code for its doors.
    await follow("Visitors", within=".masthead")
    await reader.choose("#branch", place)
    await reader.press("Show")
    await reader.fill("#count-door", "Main")
    await reader.press("They enter")
    await told("Counted.")
    await expect(page.locator("#register-door")).to_have_value("Main")
    await reader.fill("#name", "Chan Tai-man")
    await reader.fill("#phone", "not a number")
    await reader.press("Register and let in")
    await expect(page.locator("#said")).to_contain_text(say("Telephone"))
    await reader.fill("#phone", "6123 4567")
    await reader.press("Register and let in")
    await told("The visitor is registered and counted.")
    await expect(page.get_by_role("row", name="Main").locator("td").first).to_have_text("2")
    await reader.press("Make a code")
    await told("The library has a new code. Put it at the doors.")
    await follow("Print the poster for the doors")
    await expect(page.locator(".poster svg")).to_be_visible()
    for language in LANGUAGES:
        asks = LANGUAGES_OF_PAGES[language].say("Check in here")
        await expect(page.locator(f".poster p[lang={language}]")).to_contain_text(asks)
    printed = await page.locator(".poster code").inner_text()
    await follow("Visitors", within=".back")
    await reader.press("Make a new code")
    await told("The library has a new code. Put it at the doors.")
    await follow("Print the poster for the doors")
    await expect(page.locator(".poster code")).not_to_have_text(printed)
    # A season of the study rooms is announced, papers are keyed in, and the places are drawn.
    await follow("Seasons", within=".masthead")
    for field, text in (
        ("name", f"Examinations at {place}"),
        ("rooms", f"{place} 1 adult"),
        ("sessions", "10:00-13:00\n14:00-18:00"),
        ("applications_from", "2021-02-10"),
        ("applications_until", "2021-02-25"),
        ("draw_on", "2021-02-26"),
        ("valid_from", "2021-02-26"),
        ("valid_until", "2021-05-20"),
    ):
        await reader.fill(f"#{field}", text)
    await reader.press("Announce")
    await expect(page.locator("#rooms-fault")).to_be_visible()
    await reader.fill("#rooms", f"{place} 1 adult 1")
    await reader.press("Announce")
    await told("The season is announced.")
    for number, of in enumerate((card, late)):
        await reader.fill("#card_number", of)
        await reader.fill("#paper_number", f"A-{number}")
        await reader.fill("#received_on", "2021-02-27")
        await reader.press("Record the application")
        await told("This day is in the future. Enter today or an earlier day.")
        await reader.fill("#received_on", "2021-02-24")
        await reader.press("Record the application")
        await told("The application is recorded.")
    await reader.press("Close and publish the list")
    await told("The list is closed and published.")
    await reader.press("Draw the places")
    await told("The places are drawn. Every applicant is told the result.")
    standby = say("Standby: number %(number)s", number=1)
    await expect(page.get_by_role("cell", name=standby)).to_be_visible()
    season = f"/v1/study-seasons/{page.url.rpartition('/')[2]}"
    cards = [await library.get(f"{season}/application", by=of) for of in (card, late)]
    await follow("Let readers in")
    await reader.fill("#code", "0" * 16)
    await reader.press("Let in")
    await told("No admission card of this season has this code.")
    await reader.fill("#code", next(one["code"] for one in cards if one["state"] == "granted"))
    await reader.press("Let in")
    await told("The reader may come in.")

    # A client app is told of notifications, with a new secret, until it is deleted.
    await follow("Webhooks")
    await reader.fill("#url", "https://user@app.example.org")
    await reader.work(page.locator("[name=topics][value='hold.ready']"))
    await reader.press("Add")
    await told("The address begins with https:// and names a host on the public internet.")
    app = f"https://{unique('app').lower()}.example.org/hook"
    await reader.fill("#url", app)
    await reader.press("Add")
    await told("Copy this secret into the app now. It isn't shown again.")
    secret = await page.locator("#secret").text_content()
    hook = "section:has(h2:text-is('" + app + "'))"
    await reader.press("Replace the secret", within=hook)
    await told("Copy this secret into the app now. It isn't shown again.")
    assert await page.locator("#secret").text_content() != secret
    await reader.press("Send a test message", within=hook)
    await told("A test message is sent. Load this page again to see if it arrived.")
    await reader.press("Turn off", within=hook)
    await told("The webhook is turned off.")
    await expect(page.locator(hook)).to_contain_text(say("Turned off"))
    await reader.press("Delete", within=hook)
    await told("The webhook is deleted.")
    await expect(page.locator(hook)).to_have_count(0)
    # Sessions of the study room can be booked; a reader who booked one comes in.
    await follow("Seasons", within=".masthead")
    await follow("Sessions to book")
    await reader.choose("#branch", place)
    await reader.fill("#places", "2")
    await reader.fill("#sessions", "09:00-13:00\n12:00-18:00")
    await reader.press("Save")
    await told("Sessions are in order and don't overlap.")
    await reader.fill("#sessions", "10:00-13:00\n14:00-18:00")
    await reader.press("Save")
    await told("The rules of the study room are saved.")
    elsewhere = await library.branch()
    rules = {"places": 1, "days_ahead": 1, "most_bookings": 1}
    sessions = [{"opens": "10:00", "closes": "13:00"}]
    await library.call(
        "PUT", f"/v1/study-rooms/{elsewhere}", {**rules, "sessions": sessions}, by="staff"
    )
    session = {"day": "2021-02-26", "session": 1}
    booked = await library.post(f"/v1/study-rooms/{elsewhere}/bookings", session, by=card)
    await follow("Seasons", within=".masthead")
    await follow("Sessions to book")
    let_in = say("Let readers in: %(library)s", library=f"Library {elsewhere}")
    await follow(let_in)
    await reader.fill("#code", "0" * 16)
    await reader.press("Let in")
    await told("There is no such booking. It may have ended.")
    await reader.fill("#code", booked["code"])
    await reader.press("Let in")
    await told("The reader may come in.")

    # A notice is published.
    await follow("Publish a notice")
    await one_library(reader, place)
    await reader.fill("#title", f"News of {place}")
    await reader.fill("#content", "It stayed dry.\n<b>Not</b> wet.")
    await reader.press("Publish")
    await told("The notice is published.")
    article = page.locator("article", has_text=f"News of {place}")
    await expect(article).to_contain_text("<b>Not</b> wet.")

    # An activity is published with its abstract, and its description is changed.
    await follow("Activities", within=".masthead")
    await follow("Publish an activity")
    await reader.fill("#title", f"Maps of {place}")
    await reader.fill("#venue", "Map room")
    await reader.fill("#starts_on", "2021-03-10")
    await reader.fill("#starts_time", "19:00")
    await reader.fill("#organiser", "The library")
    await reader.fill("#places", "20")
    await reader.work(page.locator("[name=languages][value=yue]"))
    await reader.choose("#audience", "adults")
    await reader.fill("#minimum_age", "70")
    await reader.fill("#maximum_age", "12")
    await reader.fill("#abstract", "Three maps.\nOne <b>walk</b>.")
    await reader.press("Publish")
    await expect(page.locator("#said")).to_contain_text(
        say("The lowest age can't be above the highest.")
    )
    await reader.fill("#minimum_age", "12")
    await reader.fill("#maximum_age", "70")
    await reader.press("Publish")
    await told("The activity is published.")
    await expect(page.get_by_text("One <b>walk</b>.")).to_be_visible()
    ages = say("%(lowest)s to %(highest)s", lowest=12, highest=70)
    await expect(page.get_by_text(ages)).to_be_visible()
    await follow("Change this activity")
    await expect(page.locator("#starts_time")).to_have_value("19:00")
    await reader.fill(f"#title-{reader.language}", f"Title in {reader.language}")
    await reader.fill("#remarks", "Bring a pencil.")
    await reader.press("Save")
    await told("The activity is changed.")
    await expect(page.locator("h1")).to_have_text(f"Title in {reader.language}")
    await expect(page.get_by_text("Bring a pencil.")).to_be_visible()

    # The library gets a name in the reader's language, and its study room hours of its own.
    await follow("Libraries", within=".masthead")
    await follow(f"Library {place}")
    await follow("Change names and hours of services")
    await reader.fill(f"#name-{reader.language}", f"Name {place} in {reader.language}")
    await reader.press("Save the names")
    await told("The names are saved.")
    await expect(page.locator("h1")).to_have_text(f"Name {place} in {reader.language}")
    await reader.choose("#service", "study-room")
    await reader.fill("#hours-5", "09:00-13:00, 14:00-25:00")
    await reader.press("Save the hours")
    await expect(page.locator("#said")).to_contain_text(
        say("Some information is missing or wrong. Please check it.")
    )
    await reader.fill("#hours-5", "09:00-13:00, 14:00-20:00")
    await reader.press("Save the hours")
    await told("The hours are saved.")
    await reader.choose("#service", "study-room")
    await reader.fill("#hours-5", "08:00-22:00")
    await reader.fill("#first_day", "2021-03-01")
    await reader.fill("#until", "2021-05-31")
    await reader.press("Save the hours")
    await told("The hours are saved.")
    await follow("Page of this library")
    study_room = page.locator("section", has=page.locator("#service-study-room")).last
    await expect(study_room).to_contain_text("14:00–20:00")
    await reader.fill("#on", "2021-03-05")
    await reader.press("Show")
    await expect(study_room).to_contain_text(say("before and during examinations"))
    await follow("Change names and hours of services")
    await reader.press(say("Remove the period from %(day)s", day="2021-03-01"))
    await told("The hours are removed.")

    await left(reader)


@EACH_DAY
async def test_a_guest_asks_a_librarian_by_e_mail(
    reader: Reader, story: Story, mail: MailServer, watch: Watch
) -> None:
    watch.expected |= {404, 422}
    library, page = story.library, reader.page
    say, told = reader.say, reader.told
    subject = unique("Photographs")
    address = f"{subject.lower()}@example.org"

    # The question is confirmed with the link in an e-mail; staff see it only then.
    await page.goto("/log-in")
    await reader.follow("Ask a Librarian by e-mail")
    await reader.fill("#subject", subject)
    await reader.fill("#text", "Do you have photographs of the Peak Tram?")
    await reader.fill("#address", "guest@example")
    await reader.press("Send your question")
    await expect(page.locator("#said")).to_contain_text(say("Your e-mail address"))
    await reader.fill("#address", address)
    await reader.press("Send your question")
    await told(
        "Please look into your e-mails now, and confirm your question with the link in ours."
    )
    link = await link_to(mail, address, 1)
    queue = f"/v1/enquiries?queue=new&q={subject}"
    assert (await library.get(queue, by="staff"))["items"] == []
    await page.goto(link)
    await reader.press("Confirm my question")
    await told("Your question is sent. You get an e-mail when a librarian has answered it.")

    # A librarian answers with a file; the guest gets the same link, and replies.
    [asked] = (await library.get(queue, by="staff"))["items"]
    file = await library.upload(b"A list of photographs", by="staff")
    text = "Yes, see the list."
    answer = {"text": text, "seen": 1, "attachments": [file]}
    await library.post(f"/v1/enquiries/{asked['id']}/answers", answer, by="staff")
    assert await link_to(mail, address, 2) == link
    await page.goto(link)
    await expect(page.get_by_text(text)).to_be_visible()
    name = await page.locator(".files a").inner_text()
    assert (await reader.download(name))[1] == b"A list of photographs"
    await reader.fill("#text", "Thank you.")
    await reader.press("Send")
    await told("Your message is sent.")
    await reader.press("Close this question")
    await told("The question is closed.")

    # The guest deletes everything; the link then leads nowhere.
    await reader.press("Delete this question")
    await told("Your question and your e-mail address are deleted.")
    gone = await page.goto(link)
    assert gone is not None
    assert gone.status == 404
    assert (await library.try_("GET", f"/v1/enquiries/{asked['id']}", by="staff"))[0] == 404
    await library.flow.settle()
    secret = link.rpartition(".")[2]
    assert await found(library.system, {address, subject, secret, text}) == set()


@EACH_DAY
async def test_a_tracer_looks_for_visitors_and_an_operator_sees_it(
    reader: Reader, story: Story, watch: Watch
) -> None:
    watch.expected |= {422}
    library, page = story.library, reader.page
    place = await library.branch()
    body = {"door": "Main", "name": "Ng Ka-yi", "phone": "6123 4567"}
    await library.post(f"/v1/branches/{place}/visits", body, by="staff")
    tracer, operator = [await story.caller(role) for role in ("tracer", "ops")]
    case = f"CASE {place}"

    await page.goto("/")
    await reader.log_in(tracer)
    await expect(page.locator("h1")).to_have_text(reader.say("Contact tracing"))
    await reader.choose("#branch", place)
    await reader.fill("#day", "2021-02-26")
    await reader.fill("#start", "11:00")
    await reader.fill("#until", "09:00")
    await reader.fill("#case_number", case)
    await reader.fill("#reason", "A visitor has fallen ill")
    await reader.press("Show the visitors")
    await expect(page.locator("#said")).to_contain_text(
        reader.say("The end must be after the start.")
    )
    await reader.fill("#start", "08:00")
    await reader.fill("#until", "11:00")
    await reader.press("Show the visitors")
    await expect(page.get_by_role("row", name="Ng Ka-yi")).to_contain_text("6123 4567")
    await left(reader)

    await page.goto("/")
    await reader.log_in(operator)
    await expect(page.locator("h1")).to_have_text(reader.say("Looks at visits"))
    row = page.get_by_role("row", name="A. tracer").filter(has_text=case)
    await expect(row).to_contain_text("A visitor has fallen ill")
    await expect(page.get_by_text("Ng Ka-yi")).to_have_count(0)

    # The audit trail has the librarian's registration of the visitor, and no name.
    await reader.follow("Audit trail")
    await expect(page.locator("h1")).to_have_text(reader.say("Audit trail"))
    await reader.choose("#service", "notices")
    await reader.fill("#about", place)
    await reader.press("Show")
    await expect(page.get_by_text("POST /v1/branches/{code}/visits")).to_have_count(1)
    await expect(page.get_by_text("Ng Ka-yi")).to_have_count(0)
    await left(reader)


async def one_library(reader: Reader, place: str) -> None:
    """Choose one of the libraries."""
    await reader.work(reader.page.locator("summary"))
    await reader.work(reader.page.locator(f"[name=branches][value={place}]"))


async def confirmed(
    reader: Reader, said: str, *, moved: int, before: int, after: int, nth: int = 0
) -> Counter[str]:
    """Preview a change, check its effect on the library's eight loans, and confirm it.

    Fines are in cents. Returns the number of moved due dates by their new day.
    """
    await reader.press("Preview the effect", nth=nth)
    await expect(reader.page.locator("h1")).to_have_text(reader.say("Preview of the effect"))
    for name, number in {
        "Open loans of these libraries": 8,
        "Loans whose due date moves": moved,
        "Fines that accrue now": reader.words.money(before),
        "Fines that would accrue then": reader.words.money(after),
        "Amount that will not be charged": reader.words.money(before - after),
    }.items():
        row = reader.page.locator(".effects tr", has=reader.page.get_by_text(reader.say(name)))
        await expect(row.locator("td")).to_have_text(str(number))
    moves: Counter[str] = Counter()
    for row in await reader.page.locator("#moves ~ table tbody tr").all():
        to, loans = await row.locator("td").all_inner_texts()
        moves[to] += int(loans)
    assert moves.total() == moved
    await reader.press("Make this change")
    await reader.told(said)
    return moves


@pytest.mark.parametrize(("method", "path"), [(method, route.path) for method, route in ROUTES])
async def test_each_page_route_is_visited_by_a_journey(
    request: pytest.FixtureRequest, driven: Driven, method: str, path: str
) -> None:
    if request.session.testsfailed:
        pytest.skip("a test failed before, so not all of the pages were visited")
    ways = {"scripts"} if path in WITH_SCRIPTS_ONLY else {"scripts", "no scripts", "keyboard"}
    assert ways - driven.ways(method, path) == set(), "by no journey"
    assert {*LANGUAGES} - driven.languages(method, path) == set(), "by no journey"
