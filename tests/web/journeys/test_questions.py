"""Journeys of patrons and guests who ask a librarian, and of the answers for everyone."""

import pytest
from playwright.async_api import expect

from services.gateway.web.enquiries import patron as enquiries_patron
from tests.library import unique
from tests.mail_server import MailServer
from tests.security.test_erasure import found
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import BANKED, CENTRAL, Story, link_to

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(enquiries_patron.router)

MAP = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000
"""A file that is larger than other bodies may be."""


@EACH_WAY
async def test_a_patron_asks_a_librarian(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {422}
    library, page = story.library, reader.page
    told, follow = reader.told, reader.follow
    card = await library.patron(CENTRAL, language=reader.language)
    await windows.log_in(page, card)
    await page.goto("/")

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

    # What no search finds can be suggested; the answer comes as a message.
    wanted = unique("Tides")
    await page.goto(f"/catalogue?q={wanted}")
    await follow("Suggest that the library buys it")
    await expect(page.locator("#subject")).to_have_value(wanted)
    await reader.fill("#author", "Wong Ka-yan")
    await reader.fill("#text", "It is about this coast.")
    await reader.press("Send the suggestion")
    await told("Your suggestion is sent. We'll tell you whether the library buys it.")
    [suggested] = (await library.get("/v1/enquiries?queue=suggested&q=" + wanted, by="staff"))[
        "items"
    ]
    answer = {"text": "It comes in May.", "seen": 1, "outcome": "bought"}
    await library.post(f"/v1/enquiries/{suggested['id']}/answers", answer, by="staff")
    await page.reload()
    await expect(page.locator("dl.facts")).to_contain_text(reader.say("The library buys it"))
    await expect(page.locator("dl.facts")).to_contain_text("Wong Ka-yan")

    # A question to a library is a repeat: the library answers it together with the other.
    await follow("Libraries", within=".masthead")
    await follow("Hong Kong Central Library")
    await follow("Ask the librarians here")
    await expect(page.locator("#branch")).to_have_value(CENTRAL)
    first = await story.ask(card, "Maps of 1900")
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

    # The answer for everyone is found, and helps.
    await follow("Questions and answers", within=".masthead")
    await reader.fill("#q", BANKED)
    await page.keyboard.press("Enter")
    await follow(BANKED)
    await reader.press("Yes")
    await told("Thank you for telling us.")


@EACH_WAY
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


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
