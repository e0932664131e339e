"""A browser without scripts, for pages that must work with cookies, links, forms and redirects."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from tests.support import until


@dataclass
class Form:
    """A form of a page, with the fields that it sends unchanged."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Select:
    """A list to choose from, with its values and their texts in the order of the page."""

    name: str
    required: bool
    options: dict[str, str] = field(default_factory=dict)
    chosen: str | None = None
    """The selected value; a browser selects the first one if the page selects none."""


@dataclass
class Page:
    """A page as the browser shows it."""

    status: int
    path: str
    """Path with its query."""
    headers: Mapping[str, str]
    html: str
    cookies: list[str]
    """Set-Cookie headers of all answers, including redirects, in their order."""
    forms: list[Form] = field(default_factory=list)
    selects: list[Select] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    language: str = ""
    text: str = ""
    """Visible text, with single spaces."""

    def form(self, action: str) -> Form:
        """Return the form with this action."""
        found = [form for form in self.forms if form.action == action]
        assert found, f"{self.path} has no form for {action}, only {self.forms}"
        return found[0]


class _Reading(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self._page = page
        self._form: Form | None = None
        self._words: list[str] = []
        self._select: Select | None = None
        self._option: str | None = None
        self._in_area = False
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = {name: value or "" for name, value in attrs}
        if tag == "html":
            self._page.language = have.get("lang", "")
        elif tag == "a" and "href" in have:
            self._page.links.append(have["href"])
        elif tag == "form":
            self._form = Form(have.get("action", ""), have.get("method", "get"))
            self._page.forms.append(self._form)
        elif tag in ("script", "style", "title"):
            self._silent += 1
        if self._form is not None and "disabled" not in have:
            self._take(self._form, tag, have)

    def _take(self, form: Form, tag: str, have: dict[str, str]) -> None:
        if tag == "button":
            form.buttons.append((have.get("name", ""), have.get("value", "")))
        elif tag == "textarea":
            form.fields.append((have["name"], ""))
            self._in_area = True
        elif tag == "select":
            self._select = Select(have["name"], "required" in have)
            self._page.selects.append(self._select)
        elif tag == "option" and self._select:
            self._option = have.get("value", "")
            self._select.options[self._option] = ""
            if "selected" in have or self._select.chosen is None:
                self._select.chosen = self._option
        elif tag == "input" and "name" in have:
            if have.get("type") in ("checkbox", "radio") and "checked" not in have:
                return
            form.fields.append((have["name"], have.get("value", "on")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select" and self._form and self._select:
            if self._select.chosen is not None:
                self._form.fields.append((self._select.name, self._select.chosen))
            self._select = None
        elif tag == "textarea":
            self._in_area = False
        elif tag == "option":
            self._option = None
        elif tag in ("script", "style", "title"):
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._words.append(data)
        if self._in_area and self._form:
            name, text = self._form.fields.pop()
            self._form.fields.append((name, text + data))
        if self._select and self._option is not None:
            self._select.options[self._option] += data

    def close(self) -> None:
        super().close()
        self._page.text = " ".join(" ".join(self._words).split())


class Browser:
    """Visits one site; sends requests as a browser does."""

    def __init__(self, site: str, *, language: str = "en", at: str = "") -> None:
        self.site = site
        self.at = at
        """Business time (Carrel-Time), in a simulation."""
        self._language = language

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    def has(self, cookie: str) -> str:
        """Return the value of a cookie, or ""."""
        return next((one.value for one in self._session.cookie_jar if one.key == cookie), "")

    def give(self, cookie: str, value: str) -> None:
        """Put a cookie into the jar."""
        self._session.cookie_jar.update_cookies({cookie: value}, URL(self.site))

    async def get(self, path: str, **headers: str) -> Page:
        """Visit an address, and follow redirects."""
        return await self._follow("GET", path, None, headers)

    async def submit(self, page: Page, action: str, **typed: str | list[str]) -> Page:
        """Fill in a form of a page and send it."""
        form = page.form(action)
        sent = [(name, value) for name, value in form.fields if name not in typed]
        for name, value in typed.items():
            sent += [(name, one) for one in ([value] if isinstance(value, str) else value)]
        return await self.post(form.action or page.path, sent)

    async def post(self, path: str, fields: list[tuple[str, str]], **headers: str) -> Page:
        """Send fields as a form does, and follow redirects."""
        return await self._follow("POST", path, fields, self._own_form() | headers)

    async def send(self, path: str, body: bytes, content_type: str) -> Page:
        """Send a form as it is, and follow redirects."""
        more = self._own_form() | {"Content-Type": content_type}
        return await self._follow("POST", path, body, more)

    async def post_only(self, path: str, fields: list[tuple[str, str]]) -> Page:
        """Send fields as a form does, and return the answer itself, as a redirect."""
        return await self._follow("POST", path, fields, self._own_form(), most=0)

    def _own_form(self) -> dict[str, str]:
        return {"Origin": self.site, "Sec-Fetch-Site": "same-origin"}

    async def _follow(
        self,
        method: str,
        path: str,
        fields: list[tuple[str, str]] | bytes | None,
        more: Mapping[str, str],
        *,
        most: int = 4,
    ) -> Page:
        headers = {"Accept": "text/html", "Accept-Language": self._language, **more}
        if self.at:
            headers["Carrel-Time"] = self.at
        cookies: list[str] = []
        for _ in range(most + 1):
            data = aiohttp.FormData(fields) if isinstance(fields, list) else fields
            async with self._session.request(
                method,
                urljoin(self.site, path),
                data=data,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                cookies += answer.headers.getall("Set-Cookie", [])
                html = await answer.text()
                if answer.status != 303 or most == 0:
                    return _read(answer, path, html, cookies)
                method, path, fields = "GET", answer.headers["Location"], None
                assert not urlsplit(path).netloc, f"led away to {path}"
        raise AssertionError(f"led in circles, to {path} at last")


def _read(answer: aiohttp.ClientResponse, path: str, html: str, cookies: list[str]) -> Page:
    page = Page(answer.status, path, answer.headers, html, cookies)
    reading = _Reading(page)
    reading.feed(html)
    reading.close()
    return page


async def insist(ask: Callable[[], Awaitable[Page]]) -> Page:
    """Request a page until the answer is not a 503, as on a slow machine."""

    async def answered() -> Page | None:
        page = await ask()
        return None if page.status == 503 else page

    page: Page = await until(answered, within=60)
    return page


class Patient(Browser):
    """A browser that asks again on a slow machine; a form has one key for all tries."""

    async def get(self, path: str, **headers: str) -> Page:
        return await insist(partial(super().get, path, **headers))

    async def submit(self, page: Page, action: str, **typed: str | list[str]) -> Page:
        return await insist(partial(super().submit, page, action, **typed))
