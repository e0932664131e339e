"""A user of the pages, in a language, with a mouse or with the keyboard alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Download, Error, FilePayload, Locator, Page, expect

from services.gateway.web import site
from services.gateway.web.languages import LANGUAGES, Language
from services.gateway.web.pages import grouped
from tests.library import PIN
from tests.support import until
from tests.web.routes import Way

_MENUS = [*site.TEXTS.menus["staff"], *site.TEXTS.menus["anyone"]]
GROUPS = {name: group for group, menu in grouped(_MENUS).items() for _, name in menu}
"""Group of each page in the menu of librarians."""
MOST_STEPS = 150
"""Greatest number of Tab key presses to reach an element."""
WAY_TO = """it => {
  if (!window.unseen) {
    window.unseen = [];
    document.addEventListener("keyup", ({ key }) => {
      const there = document.activeElement;
      // After the last element the page has the focus; the focused element may be gone.
      if (key === "Tab" && !there.matches("body, main")
          && getComputedStyle(there).outlineStyle === "none") {
        window.unseen.push(there.outerHTML);
      }
    });
  }
  const from = document.activeElement;
  const before = (from.compareDocumentPosition(it) & (2 | 8)) === 2;  // and not around it
  const [first, last] = before ? [it, from] : [from, it];
  const stops = document.querySelectorAll(
    "a[href], button, input:not([type=hidden], [type=radio]), select, textarea, summary");
  const between = [...stops].filter(one => !one.disabled && one.checkVisibility()
    && first.compareDocumentPosition(one) === 4 && one.compareDocumentPosition(last) === 4);
  return [it === from, before, between.length + 1, window.unseen];
}"""
"""Return whether `it` has the focus, whether it is before the focus, and how many steps away.

There are never fewer steps: a group of radio buttons and the parts of a date are not counted.
From the first call on, elements to which Tab brings the focus without a sign of it are recorded,
and returned.
"""


OPENS = """it => {
  const link = it.closest("a[href]");
  const button = it.closest("button, input");
  const form = button?.form;
  const [here, there] = [location.href, link?.href].map(one => one?.split("#")[0]);
  const opens = link
    ? link.protocol.startsWith("http") && ["", "_self"].includes(link.target)
      && !link.hasAttribute("download") && !(link.hash && here === there)
    : !!form && ["", "_self"].includes(form.target) && form.method !== "dialog"
      && (button.localName === "input" ? !["checkbox", "radio"].includes(button.type)
          : button.type === "submit")
      && (form.noValidate || button.formNoValidate || !form.matches(":invalid"));
  if (opens) {
    window.staysHere = false;
    for (const kind of ["keydown", "click", "submit"]) {
      addEventListener(kind, event => { window.staysHere ||= event.defaultPrevented; });
    }
  }
  return opens;
}"""
"""Return whether a click on `it`, or Enter in it, opens a page, unless a script prevents that.

From then on the page has a mark, `window.staysHere`, which becomes true if a script did.
"""
OPENED = """() => window.staysHere === false ? false
  : document.readyState !== "loading" && !document.querySelector(".htmx-request")"""
"""Return whether another page is there, or a script has kept this one and has its answer."""


@dataclass(frozen=True)
class Reader:
    """A user of a page; buttons, links and texts are given in English and translated."""

    page: Page
    language: str
    way: Way

    @property
    def words(self) -> Language:
        """The texts of the page in the reader's language."""
        return LANGUAGES[self.language]

    def say(self, text: str, **facts: Any) -> str:
        """Return a page text in the reader's language; facts are ISO dates and cents."""
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
        """Follow a link by its text: a page text, or text from stored data.

        A page in another group of a librarian's menu is reached by way of its group.
        """
        name = self.say(link)
        there = self.page.locator(within).get_by_role("link", name=name, exact=True)
        if link in GROUPS:
            group = self.page.locator(".groups").get_by_role("link", name=self.say(GROUPS[link]))
            await there.or_(group).first.wait_for()
            if not await there.count():
                await self.work(group)
                await expect(group).to_have_attribute("aria-current", "true")
        await self.work(there.first)

    async def work(self, thing: Locator) -> None:
        """Click an element, or activate it by the keyboard."""
        await self._unfold(thing)
        await self._activate(thing)

    async def _activate(self, thing: Locator) -> None:
        if self.way == "keyboard":
            await self._go_to(thing)
        async with self._opening(thing):
            if self.way != "keyboard":
                await thing.click()
                return
            kind = await thing.evaluate("it => it.type || it.tagName")
            await self.page.keyboard.press("Space" if kind == "checkbox" else "Enter")

    @asynccontextmanager
    async def _opening(self, thing: Locator) -> AsyncIterator[None]:
        """Wait at the end of the block until the page that it opens by an element is there.

        Without that a step that loads another page at once would race with this one.
        """
        if not await thing.evaluate(OPENS):
            yield
            return
        files: list[Download] = []

        def note(file: Download) -> None:
            files.append(file)

        self.page.on("download", note)

        async def opened() -> bool:
            if files or self.page.is_closed():
                return True
            try:
                return bool(await self.page.evaluate(OPENED))
            except Error:  # the page is just being replaced
                return False

        yield
        await until(opened)
        self.page.remove_listener("download", note)

    async def attach(self, selector: str, name: str, content: bytes) -> None:
        """Choose a file; the system's own dialogue is left out."""
        field = self.page.locator(selector)
        if self.way == "keyboard":
            await self._go_to(field)
        file: FilePayload = {"name": name, "mimeType": "", "buffer": content}
        await field.set_input_files(file)

    async def download(self, link: str) -> tuple[str, bytes]:
        """Follow a link to a file; return its name and its content.

        A link with the attribute `download` would show the answer to no test.
        """
        async with self.page.expect_download() as begun:
            await self.follow(link)
        file = await begun.value
        path = await file.path()
        return file.suggested_filename, await asyncio.to_thread(path.read_bytes)

    async def fill(self, selector: str, text: str) -> None:
        """Fill in a field; a date is given in ISO 8601."""
        field = self.page.locator(selector)
        await self._unfold(field)
        if self.way != "keyboard":
            await field.fill(text)
            return
        await self._go_to(field)
        kind = await field.get_attribute("type")
        if kind in ("date", "time"):
            await self._type_in_parts(text)
        else:
            await self.page.keyboard.press("Control+A")
            await self.page.keyboard.press("Delete")
            await self.page.keyboard.type(text)
        await expect(field).to_have_value(text)

    async def scan(self, selector: str, code: str) -> None:
        """Type a code as a scanner does that ends it with Enter."""
        field = self.page.locator(selector)
        await self._go_to(field)
        await self.page.keyboard.type(code)
        async with self._opening(field):
            await self.page.keyboard.press("Enter")

    async def choose(self, selector: str, value: str) -> None:
        """Choose a value from a list."""
        field = self.page.locator(selector)
        await self._unfold(field)
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
        """Wait until the page shows a command's result, which must have the focus."""
        said = self.page.locator("#said")
        await expect(said).to_contain_text(self.say(text, **facts))
        await expect(said).to_be_focused()

    async def told_at(self, field: str, text: str) -> None:
        """Wait until the page shows what a scan led to, and its field is ready for the next one."""
        await expect(self.page.locator("#said")).to_contain_text(self.say(text))
        await expect(self.page.locator(field)).to_be_focused()
        await expect(self.page.locator(field)).to_have_value("")

    async def _unfold(self, thing: Locator) -> None:
        """Open the closed part of a page that holds an element."""
        await thing.wait_for(state="attached")
        closed = thing.locator(
            "xpath=self::*[not(self::summary)]/ancestor::details[not(@open)]/summary"
        )
        if await closed.count():
            await self._activate(closed)

    async def _go_to(self, thing: Locator) -> None:
        """Press Tab, or Shift+Tab if the element is before the focus, until it has the focus.

        The focus must be visible at each step.
        """
        there, before, away, _ = await thing.evaluate(WAY_TO)
        key = "Shift+Tab" if before else "Tab"
        steps = 0
        while not there:
            assert steps < MOST_STEPS, f"{thing} is not reached by keyboard on {self.page.url}"
            for _ in range(away):
                await self.page.keyboard.press(key)
            steps += away
            there, *_, away, unseen = await thing.evaluate(WAY_TO)
            assert unseen == []

    async def _type_in_parts(self, text: str) -> None:
        # An English date or time field has the parts month, day, year; hour, minute, am or pm.
        if ":" in text:
            hour, minute = text.split(":")
            parts = f"{int(hour) % 12 or 12:02}{minute}{'p' if int(hour) >= 12 else 'a'}"
        else:
            year, month, day = text.split("-")
            parts = f"{month}{day}{year}"
        await self.page.keyboard.type(parts)
