"""The journey of a librarian through e-mails, wordings and webhooks."""

import pytest
from playwright.async_api import expect

from services.gateway.web.messages import desk as messages_desk
from services.notices.language import LANGUAGES as OF_MESSAGES
from tests.library import unique
from tests.mail_server import MailServer
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(messages_desk.router)

BAD_PLACEHOLDER = (
    "A text has a placeholder that does not exist here, or a brace without a partner. Use the "
    "placeholders listed below."
)


@EACH_WAY
async def test_a_librarian_words_messages_and_adds_webhooks(
    reader: Reader, windows: Windows, story: Story, watch: Watch, mail: MailServer
) -> None:
    watch.expected |= {404, 422}
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    place = await library.branch("district")
    card = await library.patron(place)
    await windows.log_in(page, story.librarian)
    await page.goto("/desk")

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
            message=OF_MESSAGES[reader.language].say("Activity cancelled"),
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


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
