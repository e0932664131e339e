"""What holds for every page: escaping, headers, problems as pages, files that are kept."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from services.gateway.web import words
from services.gateway.web.files import FILES, address
from shared.contracts import circulation
from tests.gateway import story
from tests.gateway.web.browser import Browser
from tests.support import Api, token

Hear = Callable[..., Awaitable[None]]


@pytest.fixture
async def patron(lone_site: Api) -> AsyncIterator[Browser]:
    """A patron's browser at a gateway with nobody behind it."""
    async with Browser(lone_site.url, at="2021-02-10T10:00:00+08:00") as browser:
        browser.give("carrel_session", token(name="Chan <b>Mei-ling</b>"))
        yield browser


async def test_what_others_wrote_is_shown_as_text(patron: Browser, hear: Hear) -> None:
    nasty = "<script>alert(1)</script> & \"'{{ 7*7 }}"
    await hear(story.title(1, nasty))
    await hear(story.loan(circulation.LoanCheckedOut, 1))
    page = await patron.get("/?lang=en&x=%22%3E%3Cscript%3E")
    assert nasty in page.text
    assert "Chan <b>Mei-ling</b>" in page.text
    assert "<script>alert" not in page.html
    assert "<b>" not in page.html
    assert '"><script>' not in page.html


async def test_a_page_names_no_script_style_or_image_of_others_and_has_none_inline(
    patron: Browser, hear: Hear
) -> None:
    await hear(story.loan(circulation.LoanCheckedOut, 1))
    page = await patron.get("/")
    assert page.status == 200
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=", page.html) == []
    assert re.findall(r"(?:src|href|action)=\"(?:https?:)?//", page.html) == []


async def test_no_cache_keeps_a_page(patron: Browser) -> None:
    for path in ("/", "/log-in", "/nowhere"):
        assert (await patron.get(path)).headers["Cache-Control"] == "no-store"


async def test_files_are_kept_by_the_hash_in_their_address(lone_site: Api) -> None:
    for name in FILES:
        answer = await lone_site.get(address(name))
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
    other = await lone_site.get("/static/0123456789abcdef/page.css")
    assert (other.status, other.headers["Cache-Control"]) == (200, "no-cache")
    for path in ("/static/x/none.css", "/static/x/..%2Fvisit.py", "/static/x/%2e%2e/visit.py"):
        assert (await lone_site.get(path)).status == 404


async def test_an_address_that_is_none_is_told_to_browsers_as_a_page_to_programs_as_json(
    patron: Browser, lone_site: Api
) -> None:
    page = await patron.get("/nowhere?lang=zh-Hans")
    assert (page.status, page.language) == (404, "zh-Hans")
    assert "找不到此网页" in page.text
    answer = await lone_site.get("/nowhere")
    assert (answer.status, answer.json()["code"]) == (404, "not-found")


def test_a_problem_without_words_of_its_own_is_told_by_its_status() -> None:
    assert words.of_problem("hold-waiting", 409) == "Another reader is waiting for it."
    assert words.of_problem("made-up", 404) == words.PROBLEMS["not-found"]
    assert words.of_problem("made-up", 418) == words.ANY_PROBLEM


async def test_the_api_answers_a_browser_as_it_answers_everyone_and_takes_no_cookie(
    patron: Browser,
) -> None:
    page = await patron.get("/v1/me")
    assert (page.status, page.headers["Content-Type"]) == (401, "application/problem+json")


async def test_a_program_of_the_desk_has_no_account_here(lone_site: Api) -> None:
    async with Browser(lone_site.url) as browser:
        browser.give("carrel_session", token("ops-1", ["ops"]))
        page = await browser.get("/")
    assert (page.status, "not for your kind of account" in page.text) == (403, True)


async def test_views_that_are_not_whole_are_told_as_away(patron: Browser, lone_site: Api) -> None:
    database = lone_site.app.state.database
    await database.account_views.delete_many({})
    page = await patron.get("/")
    assert (page.status, page.headers["Retry-After"]) == (503, "2")
    assert "is away for a moment" in page.text


async def test_a_form_that_is_no_form_is_refused(patron: Browser) -> None:
    page = await patron.post("/log-out", [("form", "x" * 300_000)])
    assert page.status == 413
