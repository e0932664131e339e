"""The journey of a librarian who answers questions, and writes answers for everyone."""

import pytest
from playwright.async_api import expect

from services.gateway.web.enquiries import desk as enquiries_desk
from tests.web.browser import Watch, Windows
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(enquiries_desk.router)

ENQUIRY_CHANGED = (
    "Someone has changed this question since you opened it. Read what is new above, then send "
    "yours again."
)


@EACH_WAY
async def test_a_librarian_answers_questions(
    reader: Reader, windows: Windows, story: Story, watch: Watch
) -> None:
    watch.expected |= {404, 409, 422}
    library, page = story.library, reader.page
    say, told, follow = reader.say, reader.told, reader.follow
    place = await library.branch("district")
    card = await library.patron(place)
    await windows.log_in(page, story.librarian)
    await page.goto("/desk")

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


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
