"""Pages of Ask a Librarian without scripts: files, repeats, search, and what they refuse."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from services.gateway.app import create_app
from services.notices.app import create_app as create_notices
from services.notices.settings import Settings as NoticesSettings
from services.settings import Settings
from tests.gateway.web.browser import Browser, Page
from tests.gateway.web.conftest import SECRETS
from tests.notices.library import hear as heard
from tests.notices.library import patron, register, title
from tests.support import Api, reaching, served, token

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 2000
STAFF = token("staff-1", ["staff"], name="Chan Tai Man")
ASKED = "Your question is sent."


@pytest.fixture
async def notices(settings: Settings) -> AsyncIterator[Api]:
    """Notices with its libraries and one title."""
    told = {**settings.model_dump(), **SECRETS, "simulation": True, "roles": ("api",)}
    async with served(create_notices, NoticesSettings(**told)) as api:
        await register(api)
        await heard(api, title(), "e1", "2021-03-08T10:00:00+08:00")
        yield api


@pytest.fixture
async def desk(whole: None, settings: Settings, notices: Api) -> AsyncIterator[Api]:
    """The gateway with its pages in front of notices; the other owners are away."""
    told = reaching(settings.model_copy(update=SECRETS), notices=notices.url)
    async with served(create_app, told) as api:
        yield api


@pytest.fixture
async def reader(desk: Api) -> AsyncIterator[Browser]:
    async with Browser(desk.url) as browser:
        browser.give("carrel_session", patron("a"))
        yield browser


@pytest.fixture
async def librarian(desk: Api) -> AsyncIterator[Browser]:
    async with Browser(desk.url) as browser:
        browser.give("carrel_session", STAFF)
        yield browser


async def sent(
    browser: Browser, page: Page, action: str, *files: tuple[str, bytes], **typed: str
) -> tuple[int, str, str]:
    """Send a form with files; return the status, the address that it leads to, and the page."""
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in page.form(action).fields:
        if name not in typed and name != "files":
            form.add_field(name, value)
    for name, value in typed.items():
        form.add_field(name, value)
    for name, content in files or (("", b""),):
        form.add_field("files", content, filename=name, content_type="application/octet-stream")
    headers = {"Accept": "text/html", "Origin": browser.site, "Sec-Fetch-Site": "same-origin"}
    async with browser._session.post(
        browser.site + action, data=form, headers=headers, allow_redirects=False
    ) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()


async def ask(browser: Browser, subject: str = "Old maps") -> str:
    """Ask a question, and return its address."""
    page = await browser.get("/enquiries")
    asked = await browser.submit(page, "/enquiries", subject=subject, text="Where are they?")
    assert ASKED in asked.text
    return asked.path


async def test_a_file_is_sent_with_a_question_and_downloaded_by_both(
    reader: Browser, librarian: Browser
) -> None:
    page = await reader.get("/enquiries")
    question = {"subject": "Old maps", "text": "Where are they?"}
    files = (("plan.pdf", PDF), ("地圖.txt", "香港".encode()))
    status, address, _ = await sent(reader, page, "/enquiries", *files, **question)
    assert status == 303
    again = await sent(reader, page, "/enquiries", *files, **question)
    assert again[:2] == (303, address)
    thread = await reader.get(address)
    assert "plan.pdf" in thread.text
    assert len((await reader.get("/enquiries")).text.split("Old maps")) == 2
    [link, text] = [one for one in thread.links if one.startswith("/attachments/")]
    async with reader._session.get(reader.site + text) as answer:
        assert answer.headers["Content-Disposition"].endswith(quote("地圖.txt"))
    for browser in (reader, librarian):
        async with browser._session.get(browser.site + link) as answer:
            assert (answer.status, await answer.read()) == (200, PDF)
            assert answer.headers["Content-Disposition"].startswith("attachment;")
            assert answer.headers["Content-Type"] == "application/pdf"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
    async with Browser(reader.site) as other:
        assert (await other.get(link)).path.startswith("/log-in")
        other.give("carrel_session", patron("b"))
        assert (await other.get(link)).status == 404

    reply = await sent(reader, thread, f"{address}/replies", ("a.txt", b"More"), text="See this.")
    assert reply[0] == 303
    at_desk = await librarian.get(f"/desk{address}")
    action = f"/desk{address}/answers"
    told = await sent(librarian, at_desk, action, ("list.txt", b"Maps"), text="Here.", asks="no")
    assert told[0] == 303
    assert {"a.txt", "list.txt"} <= set((await reader.get(address)).text.split())


@pytest.mark.parametrize(
    ("files", "status", "says"),
    [
        ([("maps.pdf", b"MZ\x90\x00")], 422, "A file is a PDF"),
        ([("maps.pdf", b"")], 422, "A file is a PDF"),
        ([("maps.pdf", b"%PDF-" + bytes(5 * 1024**2))], 413, "One of the files is too large."),
        ([("maps.txt", b"Maps")] * 6, 409, "There are too many files."),
    ],
    ids=["another kind", "empty", "too large", "too many"],
)
async def test_a_refused_file_keeps_what_was_typed(
    reader: Browser, files: list[tuple[str, bytes]], status: int, says: str
) -> None:
    page = await reader.get("/enquiries")
    typed = {"subject": "Old maps", "text": "Where are they?"}
    answered, _, html = await sent(reader, page, "/enquiries", *files, **typed)
    assert answered == status
    assert says in html
    assert 'aria-invalid="true"' in html
    assert ">Where are they?</textarea>" in html
    assert "You haven't asked anything yet." in (await reader.get("/enquiries")).text


async def test_a_text_that_is_too_long_is_kept_and_said_to_be_too_long(reader: Browser) -> None:
    page = await reader.get("/enquiries")
    refused = await reader.submit(page, "/enquiries", subject="Old maps", text="x" * 20_001)
    assert refused.status == 422
    assert "This is too long. Please shorten it." in refused.text
    assert "Please check this field." not in refused.text
    assert "x" * 20_001 in refused.html


async def test_a_question_about_a_title_or_a_library_shows_it(
    reader: Browser, librarian: Browser, notices: Api
) -> None:
    page = await reader.get("/enquiries?branch=HKCL")
    assert dict(page.form("/enquiries").fields)["branch"] == "HKCL"
    question = {"subject": "Maps", "text": "Where?", "title_id": "title-1", "branch": "HKCL"}
    answer = await notices.post("/v1/enquiries", question, as_=patron("a"))
    path = f"/enquiries/{answer.json()['id']}"
    for browser, address in ((reader, path), (librarian, f"/desk{path}")):
        thread = await browser.get(address)
        assert "Jane Eyre" in thread.text
        assert "Hong Kong Central Library" in thread.text


async def test_staff_search_the_queue_and_merge_a_repeat(
    reader: Browser, librarian: Browser
) -> None:
    first, repeat = await ask(reader), await ask(reader, "Maps again")
    queue = await librarian.get("/desk/enquiries")
    found = await librarian.get("/desk/enquiries?queue=open&branch=&q=again&librarian=")
    assert f"/desk{first}" in queue.links
    assert f"/desk{first}" not in found.links
    assert f"/desk{repeat}" in found.links
    whole = await librarian.get("/desk/enquiries?queue=all&patron=a")
    assert {f"/desk{first}", f"/desk{repeat}"} <= set(whole.links)
    assert "Only the questions of one reader are shown." in whole.text

    page = await librarian.get(f"/desk{repeat}")
    action = f"/desk{repeat}/merger"
    await reader.submit(await reader.get(first), f"{first}/replies", text="More")
    refused = await librarian.submit(page, action)
    assert (refused.status, "Someone has changed this question" in refused.text) == (409, True)
    merged = await librarian.submit(refused, action)
    assert merged.path == f"/desk{first}"
    assert "Both questions are answered here." in merged.text
    assert f"/desk{repeat}" in merged.links
    mine = await librarian.get("/desk/enquiries?queue=mine&librarian=chan")
    assert f"/desk{first}" in mine.links

    gone = await reader.get(repeat)
    assert "Write there." in gone.text
    assert first in gone.links
    assert [form for form in gone.forms if form.action.endswith("/replies")] == []
    late = await reader.post(f"{repeat}/replies", [*_fields(gone), ("text", "And?")])
    assert (late.status, "Write there." in late.text) == (409, True)


async def test_the_queue_is_paged_with_its_search(librarian: Browser, notices: Api) -> None:
    for number in range(60):
        question: dict[str, Any] = {"subject": f"Maps {number}", "text": "Where are they?"}
        await notices.insist("POST", "/v1/enquiries", question, as_=patron(f"p{number // 40}"))
    first = await librarian.get("/desk/enquiries?queue=open&q=maps")
    [more] = [link for link in first.links if "after=" in link and "lang=" not in link]
    second = await librarian.get(more)
    listed = [
        link
        for page in (first, second)
        for link in page.links
        if link.startswith("/desk/enquiries/")
    ]
    assert len(listed) == len(set(listed)) == 60
    assert dict(second.form("/desk/enquiries").fields)["q"] == "maps"


def _fields(page: Page) -> list[tuple[str, str]]:
    """Return the hidden fields of a form of the page."""
    return [one for one in page.forms[-1].fields if one[0] in ("form", "key")]
