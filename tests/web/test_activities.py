"""An activity with places: registering, the waiting list, and the page in each state."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from services.gateway.web.languages import LANGUAGES as LANGUAGES_OF_PAGE
from tests.library import PIN
from tests.web.axe import looked_at
from tests.web.browser import Watch, Windows
from tests.web.story import CENTRAL, Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

LANGUAGES = ("en", "zh-Hant", "zh-Hans")
SECOND = "You're number 2 on the waiting list"
CANCELLED = {"en": "cancelled", "zh-Hant": "已取消", "zh-Hans": "已取消"}


async def press(page: Page) -> None:
    """Submit the one form of the page."""
    await page.locator("main form[method=post] button").click()


async def test_a_waiting_patron_sees_their_position_and_moves_up(
    windows: Windows, story: Story
) -> None:
    library = story.library
    activity = await library.activity(places=1)
    card, before, waits = [await library.patron(CENTRAL) for _ in range(3)]
    page, later = [await windows.open(card=one) for one in (card, waits)]
    await page.goto(f"/activities/{activity}")
    await expect(page.locator(".facts")).to_contain_text("1 of 1")
    await press(page)
    await expect(page.locator(".facts")).to_contain_text("0 of 1")
    await page.goto("/")
    await page.locator(f"main a[href='/activities/{activity}']").click()

    await library.post(f"/v1/activities/{activity}/registration", by=before)
    await later.goto(f"/activities/{activity}")
    await press(later)
    await expect(later.locator("#said")).to_contain_text(SECOND)
    await later.reload()
    await expect(later.locator("#said")).to_have_count(0)
    await expect(later.locator("section")).to_contain_text(SECOND)

    await press(page)
    await expect(page.locator("#said")).to_contain_text("You're no longer registered.")
    listed = await library.get(f"/v1/activities/{activity}/registrations", by="staff")
    assert [(one["state"], one["position"]) for one in listed["items"]] == [
        ("confirmed", None),
        ("waitlisted", 1),
    ]


async def test_a_guest_is_led_to_log_in_and_back_to_the_activity(
    windows: Windows, story: Story
) -> None:
    activity = await story.library.activity(places=3)
    page = await windows.open()
    await page.goto(f"/activities/{activity}")
    await page.get_by_role("link", name="Log in to register").click()
    await page.locator("#card_number").fill(await story.library.patron(CENTRAL))
    await page.locator("#pin").fill(PIN)
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Register for this activity").click()
    await expect(page.locator("#said")).to_contain_text("You have a place.")


async def test_an_outdated_page_shows_the_current_state_after_a_command(
    windows: Windows, story: Story
) -> None:
    activity = await story.library.activity(places=3)
    card = await story.library.patron(CENTRAL)
    old, new = [await windows.open(card=card) for _ in range(2)]
    for page in (old, new):
        await page.goto(f"/activities/{activity}")
    await press(new)
    await press(old)
    await expect(old.locator("#said")).to_contain_text(
        "You've already registered for this activity."
    )
    await expect(old.get_by_role("button", name="Withdraw")).to_be_visible()
    await press(new)
    await press(old)
    await expect(old.locator("#said")).to_contain_text("You're no longer registered.")


async def test_an_activity_that_has_begun_or_needs_no_registration_has_no_form(
    windows: Windows, story: Story
) -> None:
    begun = await story.library.activity(places=3, starts_at="2021-02-26T09:00:00+08:00")
    page = await windows.open(card=await story.library.patron(CENTRAL))
    await page.goto(f"/activities/{begun}")
    await expect(page.get_by_text("This activity has begun.")).to_be_visible()
    await expect(page.locator("main form")).to_have_count(0)
    await page.goto(f"/activities/{story.activities['talk']}")
    await expect(page.locator(".facts")).to_contain_text("Not needed")
    await expect(page.locator("main form")).to_have_count(0)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_cancelled_activity_shows_its_cancellation_and_the_reason_on_every_page(
    windows: Windows, story: Story, language: str, pictures: Path | None
) -> None:
    library = story.library
    activity = await library.activity(places=3, starts_at="2021-02-27T09:00:00+08:00")
    card = await library.patron(CENTRAL, language=language)
    await library.post(f"/v1/activities/{activity}/registration", by=card)
    why = {"reason": "The hall is closed."}
    await library.post(f"/v1/activities/{activity}/cancellation", why, by="staff")
    page = await windows.open(language, card=card, width=390)
    await page.goto(f"/activities/{activity}")
    await expect(page.locator("main .refused")).to_contain_text(CANCELLED[language])
    await expect(page.locator("main .refused")).to_contain_text("The hall is closed.")
    await expect(page.locator("main form")).to_have_count(0)
    await looked_at(page, pictures, f"{language}-activity-cancelled")
    await page.goto("/activities")
    await looked_at(page, pictures, f"{language}-activities-cancelled")
    row = page.get_by_role("row").filter(has=page.locator(f"a[href='/activities/{activity}']"))
    await expect(row.locator(".flag")).to_have_count(1)
    await library.flow.settle()
    await page.goto("/inbox")
    told = page.locator(".messages", has_text="A talk")
    await expect(told).to_contain_text(CANCELLED[language], ignore_case=True)


async def test_the_programme_can_be_taken_into_a_calendar(windows: Windows) -> None:
    page = await windows.open()
    await page.goto("/activities?type=exhibition")
    link = page.get_by_role("link", name="iCalendar")
    # Requested with the window's time, which a download by the browser would not have.
    answer = await page.request.get(str(await link.get_attribute("href")))
    text = await answer.text()
    assert "SUMMARY:Paper and Ink" in text
    assert "Factory" not in text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_of_an_activity_has_its_description_and_data_for_search_engines(
    windows: Windows, story: Story, watch: Watch, language: str, pictures: Path | None
) -> None:
    body: dict[str, Any] = {
        "title": "Maps </script><script>alert(1)</script>",
        "type": "talk",
        "venue": "Map room",
        "branch": CENTRAL,
        "starts_at": "2021-03-20T19:00:00+08:00",
        "ends_at": "2021-03-20T20:30:00+08:00",
        "speaker": "Ms Yip",
        "organiser": "The library",
        "abstract": "Three maps.\n\n<b>One</b> walk & more.",
        "remarks": "Bring a pencil.",
        "languages": ["yue", "en"],
        "audience": "seniors",
        "minimum_age": 60,
        "wordings": {"zh-Hant": {"title": "地圖", "abstract": "三幅地圖。"}},
    }
    activity = await story.library.post("/v1/activities", body, by="staff")
    page = await windows.open(language, width=390)
    await page.goto(f"/activities/{activity['id']}")
    title, abstract = body["title"], body["abstract"]
    if language == "zh-Hant":
        title, abstract = "地圖", "三幅地圖。"
    await expect(page.locator("h1")).to_have_text(title)
    await expect(page.locator("#abstract ~ p")).to_contain_text(abstract.splitlines()[-1])
    await expect(page.locator("#remarks ~ p")).to_have_text("Bring a pencil.")
    data = await page.evaluate(
        "JSON.parse(document.querySelector('script[type=\"application/ld+json\"]').textContent)"
    )
    audience = data.pop("audience")
    assert audience["suggestedMinAge"] == 60
    assert audience["audienceType"] == LANGUAGES_OF_PAGE[language].say("Seniors")
    assert data == {
        "@context": "https://schema.org",
        "@type": "EducationEvent",
        "name": title,
        "description": abstract,
        "startDate": "2021-03-20T19:00:00+08:00",
        "endDate": "2021-03-20T20:30:00+08:00",
        "eventStatus": "https://schema.org/EventScheduled",
        "location": {
            "@type": "Place",
            "name": "Map room",
            "address": "Hong Kong Central Library",
        },
        "inLanguage": ["yue", "en"],
        "organizer": {"@type": "Organization", "name": "The library"},
        "performer": {"@type": "Person", "name": "Ms Yip"},
    }
    assert watch.faults == []  # the Content-Security-Policy allows a script that is only data
    await looked_at(page, pictures, f"{language}-activity-described")


async def test_a_librarian_sees_the_places_and_registers_a_patron(
    windows: Windows, story: Story
) -> None:
    activity = await story.library.activity(places=3)
    page = await windows.open(card=story.librarian)
    await page.goto(f"/activities/{activity}")
    await expect(page.locator(".facts")).to_contain_text("3 of 3")
    await expect(page.get_by_role("button", name="Register this reader")).to_be_visible()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_state_of_a_registration_passes_the_page_checks(
    windows: Windows, story: Story, language: str, pictures: Path | None
) -> None:
    library = story.library
    activity = await library.activity(places=1)
    card, other = [await library.patron(CENTRAL, language=language) for _ in range(2)]
    path = f"/v1/activities/{activity}/registration"

    async def seen(state: str, card: str = "") -> None:
        page = await windows.open(language, card=card)
        await page.goto(f"/activities/{activity}")
        await looked_at(page, pictures, f"{language}-activity-{state}")

    await seen("guest")
    await seen("free", card)
    await library.post(path, by=other)
    await seen("full", card)
    await library.post(path, by=card)
    await seen("waiting", card)
    await library.call("DELETE", path, by=other)
    await seen("placed", card)
