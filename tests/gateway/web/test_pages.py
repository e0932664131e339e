"""Rules for every page: escaping, headers, problems as pages, cached files."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urljoin, urlsplit

import pytest

from services.gateway.app import create_app
from services.gateway.settings import LIMITS, Settings
from services.gateway.web import words
from services.gateway.web.files import FILES, address
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.site import TEXTS
from shared.contracts import circulation
from tests import samples
from tests.gateway.web.browser import Browser, Page
from tests.gateway.web.conftest import CARD, PIN, SECRETS
from tests.support import Api, served, token, until

Hear = Callable[..., Awaitable[None]]


@pytest.fixture
async def patron(lone_site: Api) -> AsyncIterator[Browser]:
    """A patron's browser at a gateway without owners."""
    async with Browser(lone_site.url, at="2021-02-10T10:00:00+08:00") as browser:
        browser.give("carrel_session", token(name="Chan <b>Mei-ling</b>"))
        yield browser


async def test_stored_text_is_escaped(patron: Browser, hear: Hear) -> None:
    nasty = "<script>alert(1)</script> & \"'{{ 7*7 }}"
    await hear(samples.title(1, nasty))
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    page = await patron.get("/?lang=en&x=%22%3E%3Cscript%3E")
    assert nasty in page.text
    assert "Chan <b>Mei-ling</b>" in page.text
    assert "<script>alert" not in page.html
    assert "<b>" not in page.html
    assert '"><script>' not in page.html


async def test_a_page_has_no_inline_or_third_party_scripts_styles_or_images(
    patron: Browser, hear: Hear
) -> None:
    await hear(samples.loan(circulation.LoanCheckedOut, 1))
    page = await patron.get("/")
    assert page.status == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=", page.html) == []
    assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//", page.html) == []


@pytest.mark.parametrize("path", ["/", "/log-in", "/catalogue", "/nowhere"])
async def test_pages_are_not_cached_and_cannot_be_framed(patron: Browser, path: str) -> None:
    headers = (await patron.get(path)).headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


async def test_static_files_are_cached_by_the_hash_in_their_address(lone_site: Api) -> None:
    for name in FILES:
        answer = await lone_site.get(address(name))
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
    other = await lone_site.get("/static/0123456789abcdef/page.css")
    assert (other.status, other.headers["Cache-Control"]) == (200, "no-cache")
    for path in (
        "/static/x/none.css",
        "/static/x/..%2Fpage_request.py",
        "/static/x/%2e%2e/page_request.py",
    ):
        assert (await lone_site.get(path)).status == 404


@pytest.mark.parametrize("path", ["//other.example/x", "/%2Fother.example", "/%5Cother.example"])
async def test_no_link_of_an_unknown_address_leads_to_another_site(
    lone_site: Api, path: str
) -> None:
    page = (await lone_site.get(path, headers={"Accept": "text/html"})).body.decode()
    links = re.findall(r'href="([^"]*lang=[^"]*)"', page)
    assert len(links) > len(LANGUAGES)  # there are feeds, too
    hosts = {urlsplit(urljoin("https://here.example/a", link)).netloc for link in links}
    assert hosts == {"here.example"}


async def test_an_unknown_address_is_a_page_for_browsers_and_json_for_programs(
    patron: Browser, lone_site: Api
) -> None:
    page = await patron.get("/nowhere?lang=zh-Hans")
    assert (page.status, page.language) == (404, "zh-Hans")
    assert "找不到此网页" in page.text
    answer = await lone_site.get("/nowhere")
    assert (answer.status, answer.json()["code"]) == (404, "not-found")


def test_a_problem_without_its_own_text_shows_the_text_of_its_status() -> None:
    assert TEXTS.of_problem("hold-waiting", 409) == "Another reader is waiting for it."
    assert TEXTS.of_problem("made-up", 404) == words.PROBLEMS["not-found"]
    assert TEXTS.of_problem("made-up", 418) == words.ANY_PROBLEM


async def test_the_api_answers_browsers_like_other_clients_and_ignores_cookies(
    patron: Browser,
) -> None:
    page = await patron.get("/v1/me")
    assert (page.status, page.headers["Content-Type"]) == (401, "application/problem+json")


async def test_incomplete_views_are_reported_as_unavailable(
    patron: Browser, lone_site: Api
) -> None:
    database = lone_site.app.state.database
    await database.account_views.delete_many({})
    page = await patron.get("/")
    assert (page.status, page.headers["Retry-After"]) == (503, "2")
    assert "not available at the moment" in page.text


# ---- problems -----------------------------------------------------------------------------------


@pytest.fixture
def torn(lone_site: Api) -> None:
    """Add a route that fails and a route that never answers."""

    async def fail() -> None:
        raise RuntimeError("torn")

    lone_site.app.add_api_route("/torn", fail)
    lone_site.app.add_api_route("/late", asyncio.Event().wait)


@pytest.mark.deadlines
@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nowhere", 404, "Page not found"),
        ("/log-out", 405, "Page not found"),
        ("/desk", 403, "Your account can't use this page"),
        ("/loans/loan-1", 503, "not available at the moment"),
        ("/late", 503, "not available at the moment"),
        ("/torn", 500, "Something went wrong"),
    ],
)
async def test_a_problem_page_keeps_the_visitors_session(
    patron: Browser, torn: None, path: str, status: int, said: str
) -> None:
    page = await patron.get(path)
    assert (page.status, said in page.text) == (status, True)
    assert "/inbox" in page.links
    assert "/log-in" not in page.links
    assert page.form("/log-out").method == "post"
    if status == 503:
        assert page.headers["Retry-After"] == "2"


async def test_a_form_that_is_too_long_is_answered_with_a_page(patron: Browser) -> None:
    page = await patron.post("/log-out", [("form", "x" * 300_000)])
    assert (page.status, "is too large" in page.text, "/inbox" in page.links) == (413, True, True)


@pytest.mark.parametrize(
    "charset",
    ["undefined", "punycode", "idna", "unicode_escape", "utf-16", "utf-8; charset=undefined"],
)
async def test_a_form_in_another_charset_than_utf_8_is_refused(
    browser: Browser, charset: str
) -> None:
    await browser.get("/log-in")
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    body = form_of_parts({"form": "x", "card_number": "\\ud800", "pin": PIN})
    page = await browser.send("/log-in", body, kind)
    assert (page.status, "Sorry, this did not work" in page.text) == (400, True)


async def test_a_command_names_a_thing_with_letters_that_no_header_can_hold(
    lone_site: Api,
) -> None:
    async with Browser(lone_site.url) as browser:
        browser.give("carrel_session", token("staff-1", ["staff"]))
        own = (await browser.get("/nowhere")).form("/log-out").fields
        typed = [*own, ("key", "key-1"), ("activity", "活動"), ("why", "Repairs")]
        page = await browser.post("/desk/closures/closure-1/activities", typed)
    assert page.status == 503  # events is away, which would carry it out


async def test_a_form_of_parts_in_utf_8_is_read(browser: Browser) -> None:
    fields = dict((await browser.get("/log-in")).form("/log-in").fields)
    body = form_of_parts({**fields, "card_number": CARD, "pin": PIN})
    page = await browser.send("/log-in", body, 'multipart/form-data; boundary=x; charset="UTF-8"')
    assert (page.path, bool(browser.has("carrel_session"))) == ("/", True)


def form_of_parts(fields: dict[str, str]) -> bytes:
    """Return a form as multipart/form-data with the boundary `x`."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return "".join([*parts, "--x--\r\n"]).encode()


async def test_a_caller_over_the_limit_gets_a_page_that_says_when_to_retry(
    whole: None, settings: Settings
) -> None:
    few = settings.model_copy(update={**SECRETS, "limits": {**LIMITS, "caller": 20}})
    async with served(create_app, few) as api, Browser(api.url) as browser:
        browser.give("carrel_session", token())
        await browser.get("/nowhere")  # from then on the caller is known

        async def refused() -> Page | None:
            page = await browser.get("/nowhere")
            return page if page.status == 429 else None

        page = await until(refused)
    assert "too many requests" in page.text
    assert (page.headers["Retry-After"], "/inbox" in page.links) == ("3", True)


async def test_a_visitor_whose_session_cannot_be_verified_can_log_out(
    whole: None, settings: Settings
) -> None:
    told = settings.model_copy(update=SECRETS)
    async with (
        served(create_app, told, trust_test_keys=False) as api,
        Browser(api.url) as browser,
    ):
        browser.give("carrel_session", token())
        page = await browser.get("/")
        assert (page.status, "/log-in" in page.links) == (503, False)
        assert "/" in page.links
        assert (await browser.get("/log-in")).status == 200
        left = await browser.submit(page, "/log-out")
        assert (left.status, left.path, browser.has("carrel_session")) == (200, "/log-in", "")
