"""Somebody at a page, who reads it in their language and works it by mouse or by keyboard alone."""

from dataclasses import dataclass
from typing import Any

from playwright.async_api import Locator, Page, expect

from services.gateway.web.languages import LANGUAGES, Language
from tests.library import PIN
from tests.web.routes import Way

MOST_STEPS = 150
"""So often the Tab key is pressed at most to reach something."""
FOCUSED = "it === document.activeElement"
SEEN = (  # behind the last thing the page has the focus, and where what had it is gone
    "(document.activeElement.matches('body, main')"
    " || getComputedStyle(document.activeElement).outlineStyle !== 'none')"
)


@dataclass(frozen=True)
class Reader:
    """Who works the page. All that is pressed or filled in is named as it is read there."""

    page: Page
    language: str
    way: Way

    @property
    def words(self) -> Language:
        """How the page speaks to the reader."""
        return LANGUAGES[self.language]

    def say(self, text: str, **facts: Any) -> str:
        """A text of the page in the reader's language; days are ISO dates, money is cents."""
        told = {
            name: self.words.day(fact)
            if name.endswith(("day", "_on"))
            else self.words.money(fact)
            if name.endswith(("rate", "_cents"))
            else fact
            for name, fact in facts.items()
        }
        return self.words.say(text) % told if told else self.words.say(text)

    async def press(self, button: str, within: str = "main", nth: int = 0) -> None:
        """Press a button."""
        name = self.say(button)
        await self.work(
            self.page.locator(within).get_by_role("button", name=name, exact=True).nth(nth)
        )

    async def follow(self, link: str, within: str = "body") -> None:
        """Follow a link, by its text in the reader's language, or by what somebody wrote."""
        name = self.say(link)
        await self.work(self.page.locator(within).get_by_role("link", name=name, exact=True).first)

    async def work(self, thing: Locator) -> None:
        """Press, follow, tick or open something."""
        if self.way != "keyboard":
            await thing.click()
            return
        await self._go_to(thing)
        kind = await thing.evaluate("it => it.type || it.tagName")
        await self.page.keyboard.press("Space" if kind == "checkbox" else "Enter")

    async def fill(self, selector: str, text: str) -> None:
        """Fill a field in; of a day in ISO 8601."""
        field = self.page.locator(selector)
        if self.way != "keyboard":
            await field.fill(text)
            return
        await self._go_to(field)
        kind = await field.get_attribute("type")
        if kind in ("date", "time"):
            await self._type_in_parts(text)
        else:
            await self.page.keyboard.press("Control+A")
            await self.page.keyboard.type(text)
        await expect(field).to_have_value(text)

    async def choose(self, selector: str, value: str) -> None:
        """Choose from a list."""
        field = self.page.locator(selector)
        if self.way != "keyboard":
            await field.select_option(value)
            return
        await self._go_to(field)
        await self.page.keyboard.press("Home")
        for _ in range(await field.locator("option").count()):
            if await field.input_value() == value:
                return
            await self.page.keyboard.press("ArrowDown")
        await expect(field).to_have_value(value)

    async def log_in(self, card: str, pin: str = PIN) -> None:
        """Fill in the form to log in, and send it."""
        await self.fill("#card_number", card)
        await self.fill("#pin", pin)
        await self.press("Log in")

    async def told(self, text: str, **facts: Any) -> None:
        """Waits until the page says what came of a command; it has the focus."""
        said = self.page.locator("#said")
        await expect(said).to_contain_text(self.say(text, **facts))
        await expect(said).to_be_focused()

    async def _go_to(self, thing: Locator) -> None:
        """Goes on with the Tab key until the thing has the focus; each step of it can be seen."""
        there = await thing.evaluate(f"it => {FOCUSED}")
        for _ in range(MOST_STEPS):
            if there:
                return
            await self.page.keyboard.press("Tab")
            there, seen = await thing.evaluate(f"it => [{FOCUSED}, {SEEN}]")
            assert seen, await self.page.evaluate("document.activeElement.outerHTML")
        raise AssertionError(f"{thing} is not reached by keyboard on {self.page.url}")

    async def _type_in_parts(self, text: str) -> None:
        # As the field has its parts in English: month, day, year; hour, minute, am or pm.
        if ":" in text:
            hour, minute = text.split(":")
            parts = f"{int(hour) % 12 or 12:02}{minute}{'p' if int(hour) >= 12 else 'a'}"
        else:
            year, month, day = text.split("-")
            parts = f"{month}{day}{year}"
        await self.page.keyboard.type(parts)
