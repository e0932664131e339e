"""Pages for visitors, the doors and contact tracing, on a gateway with real notices behind it."""

from collections.abc import AsyncIterator

import pytest
import segno

from services.gateway.app import create_app
from services.notices.app import create_app as create_notices
from services.notices.settings import Settings as NoticesSettings
from services.settings import Settings
from tests.gateway.web.browser import Browser, Patient
from tests.gateway.web.conftest import SECRETS
from tests.notices.library import STAFF, WEEK
from tests.support import OPS, Api, reaching, served, token

MONDAY = "2021-03-08T10:20:00+08:00"
TRACER = token("tracer-1", ["tracer"], name="Lee Ka-ming")
FULL = {
    "en": ("The library is full", "Join the queue", "31 days"),
    "zh-Hant": ("圖書館已滿", "輪候", "31 日"),
    "zh-Hans": ("图书馆已满", "排队", "31 天"),
}


@pytest.fixture
async def notices(settings: Settings) -> AsyncIterator[Api]:
    """Notices, with one library for two people."""
    told = settings.model_copy(update={**SECRETS, "simulation": True}).model_dump()
    own = NoticesSettings(**told | {"visit_keys": "the master key of these tests"})
    async with served(create_notices, own) as api:
        body = {"code": "HKCL", "name": "Central Library", "kind": "central", "hours": WEEK}
        await api.insist("POST", "/v1/branches", body, as_=STAFF, at="2020-11-01T10:00:00+08:00")
        closure = {"branches": ["HKCL"], "from": "2020-12-10", "reason": "Prevention"}
        closed = await api.insist("POST", "/v1/closures", closure, as_=STAFF, at=MONDAY)
        terms = {"branches": ["HKCL"], "reopened_on": "2021-02-19", "capacity": 2}
        path = f"/v1/closures/{closed.json()['id']}/reopening"
        assert (await api.insist("POST", path, terms, as_=STAFF, at=MONDAY)).status == 200
        yield api


@pytest.fixture
async def url(whole: None, settings: Settings, notices: Api) -> AsyncIterator[str]:
    """The address of a gateway with its pages."""
    told = settings.model_copy(update={**SECRETS, "simulation": True})
    async with served(create_app, reaching(told, notices=notices.url)) as site:
        yield site.url


@pytest.fixture
async def browser(url: str) -> AsyncIterator[Browser]:
    async with Patient(url, at=MONDAY) as opened:
        yield opened


@pytest.fixture
async def desk(url: str) -> AsyncIterator[Browser]:
    """The browser of a librarian."""
    async with Patient(url, at=MONDAY) as opened:
        opened.give("carrel_session", STAFF)
        yield opened


async def counted(desk: Browser, way: str, people: int = 1) -> str:
    page = await desk.get("/desk/visitors?branch=HKCL&door=Main")
    typed = {"people": str(people), "way": way}
    return (await desk.submit(page, "/desk/visitors/counts", **typed)).text


async def poster(desk: Browser) -> str:
    """Make a code for the doors, and return the address on the poster."""
    page = await desk.get("/desk/visitors?branch=HKCL")
    assert "This library has no code yet" in page.text
    page = await desk.submit(page, "/desk/visitors/venue")
    return next(link for link in page.links if link.startswith("/check-in/"))


async def test_visitors_are_counted_and_registered_at_the_desk(desk: Browser) -> None:
    assert "1 of 2 people inside" in await counted(desk, "entered")
    refused = await counted(desk, "entered", 2)
    assert "The library is full now" in refused
    page = await desk.get("/desk/visitors?branch=HKCL&door=Main")
    typed = {"name": "Chan Tai-man", "phone": "call me"}
    page = await desk.submit(page, "/desk/visitors/registrations", **typed)
    assert page.status == 422
    assert "Please check this field." in page.text
    page = await desk.submit(page, "/desk/visitors/registrations", name="Chan", phone="61234567")
    assert "The visitor is registered and counted." in page.text
    assert "2 of 2 people inside" in page.text
    assert "1 of 2 people inside" in await counted(desk, "left")


async def test_a_visitor_checks_in_and_out_by_phone(desk: Browser, browser: Browser) -> None:
    here = await poster(desk)
    page = await browser.get(here)
    assert "We keep your name, your telephone number" in page.text
    page = await browser.submit(page, here, name="Ng Ka-yi", phone="")
    assert page.status == 422
    assert "Please fill this in." in page.text
    page = await browser.submit(page, here, name="Ng Ka-yi", phone="+852 6123 4567")
    assert "Welcome. You're checked in." in page.text
    assert "Show this to the staff at the door." in page.text
    assert "Ng Ka-yi" not in str([page.cookies, page.path])
    library = await browser.get("/libraries/HKCL")
    assert "1 of 2 people inside" in library.text
    assert "<rect " in library.html
    assert "10:00 1" in library.text  # the same as a table
    inside = await browser.get(here)
    for _ in range(2):  # a second tap, when the phone does not know its visit any more
        page = await browser.submit(inside, f"{here}/leaving")
        assert (page.status, "You're checked out. Goodbye." in page.text) == (200, True)
    assert "Check in" in page.text
    assert "0 of 2 people inside" in (await browser.get("/libraries/HKCL")).text


@pytest.mark.parametrize("since", ["99999999999999", "9" * 30, "253402300799", "soon"])
async def test_a_cookie_with_an_impossible_time_is_no_visit(
    desk: Browser, browser: Browser, since: str
) -> None:
    here = await poster(desk)
    browser.give("carrel_visit", f"{here.removeprefix('/check-in/')}.visit-1.{since}")
    page = await browser.get(here)
    assert (page.status, "We keep your name" in page.text) == (200, True)


@pytest.mark.parametrize("language", FULL)
async def test_a_visitor_waits_while_the_library_is_full(
    desk: Browser, browser: Browser, language: str
) -> None:
    full, join, kept = FULL[language]
    here = await poster(desk)
    page = await browser.get(f"{here}?lang={language}")
    assert kept in page.text
    await counted(desk, "entered", 2)
    page = await browser.get(here)
    assert full in page.text
    assert join in page.text
    page = await browser.submit(page, f"{here}/queue")
    assert f"{here}/queue" not in [form.action for form in page.forms]
    await counted(desk, "left")
    page = await browser.get(here)
    assert kept in page.text  # the form is there again: it is this visitor's turn
    async with Patient(desk.site, at=MONDAY) as other:
        assert "The library is full" in (await other.get(here)).text
    page = await browser.submit(page, here, name="Ng", phone="61234567")
    assert f"{here}/leaving" in [form.action for form in page.forms]


async def test_a_replaced_code_says_so(desk: Browser, browser: Browser) -> None:
    here = await poster(desk)
    await desk.submit(await desk.get("/desk/visitors?branch=HKCL"), "/desk/visitors/venue")
    page = await browser.get(here)
    assert page.status == 404
    assert "Please scan the code at the door." in page.text


async def test_the_poster_has_the_address_of_the_newest_code_in_three_languages(
    whole: None, settings: Settings, notices: Api, desk: Browser
) -> None:
    assert (await desk.get("/desk/visitors/poster?branch=HKCL")).status == 404  # no code yet
    here = await poster(desk)
    page = await desk.get("/desk/visitors/poster?branch=HKCL")
    for text in ("Central Library", "Check in here", "請在此登記", "请在此登记"):
        assert text in page.text
    assert f"{desk.site}{here}" in page.text
    assert svg_of(f"{desk.site}{here}") in page.html
    await desk.submit(await desk.get("/desk/visitors?branch=HKCL"), "/desk/visitors/venue")
    renewed = await desk.get("/desk/visitors/poster?branch=HKCL")
    assert here not in renewed.text
    assert svg_of(f"{desk.site}{here}") not in renewed.html

    told = settings.model_copy(
        update={**SECRETS, "simulation": True, "public_url": "https://library.example.org"}
    )
    async with (
        served(create_app, reaching(told, notices=notices.url)) as site,
        Patient(site.url, at=MONDAY) as librarian,
    ):
        librarian.give("carrel_session", STAFF)
        page = await librarian.get("/desk/visitors/poster?branch=HKCL")
        assert "https://library.example.org/check-in/" in page.text


def svg_of(address: str) -> str:
    """Return the picture that stands for an address."""
    return str(segno.make(address, micro=False).svg_inline(scale=8))


async def test_a_closed_library_lets_nobody_in(desk: Browser, browser: Browser) -> None:
    here = await poster(desk)
    browser.at = "2021-03-08T21:00:00+08:00"
    page = await browser.get(here)
    assert "The library is closed now." in page.text
    assert here not in [form.action for form in page.forms]


async def test_a_tracer_sees_visitors_and_an_operator_sees_the_look(
    url: str, desk: Browser
) -> None:
    page = await desk.get("/desk/visitors?branch=HKCL&door=Main")
    await desk.submit(page, "/desk/visitors/registrations", name="Ng Ka-yi", phone="61234567")
    assert (await desk.get("/tracing")).status == 403
    typed = {"branch": "HKCL", "day": "2021-03-08", "start": "09:00", "until": "11:00"}
    case = {"case_number": "CHP-7", "reason": "A visitor has fallen ill"}
    async with Patient(url, at=MONDAY) as tracer:
        tracer.give("carrel_session", TRACER)
        page = await tracer.get("/")
        assert page.path == "/tracing"
        wrong = await tracer.submit(page, "/tracing", **{**typed, **case, "until": "08:00"})
        assert (wrong.status, "The end must be after the start." in wrong.text) == (422, True)
        odd = await tracer.submit(page, "/tracing", **{**typed, **case, "day": "soon"})
        assert odd.status == 422
        found = await tracer.submit(page, "/tracing", **typed, **case)
        assert "Ng Ka-yi" in found.text
        assert "This look is recorded." in found.text
        table = await tracer.submit(page, "/tracing", **typed, **case, format="csv")
        assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert "Ng Ka-yi" in table.html
        assert (await tracer.get("/tracing/looks")).status == 403
    async with Patient(url, at=MONDAY) as overseer:
        overseer.give("carrel_session", OPS)
        page = await overseer.get("/")
        assert page.path == "/ops"
        page = await overseer.get("/tracing/looks")
        assert page.text.count("CHP-7") == 2
        assert "Lee Ka-ming" in page.text
        assert "Ng Ka-yi" not in page.text
        trail = await overseer.get("/audit-trail?service=notices&by=tracer-1")
        assert trail.text.count("POST /v1/tracings") == 2
        assert "tracer-1 (Contact tracer) traced visitors." in trail.text
        assert "127.0.0.0/24" in trail.text
        own = await overseer.get("/audit-trail?service=notices&by=ops-1")
        assert "GET /v1/ops/audit-trail/notices" in own.text
