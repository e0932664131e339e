"""Access to the desk, and its forms while an owner is away."""

import re
from collections.abc import AsyncIterator

import pytest
from fastapi.routing import APIRoute

from services.gateway.web import site
from services.gateway.web.session import PLACE
from tests.gateway.web.browser import Browser, insist
from tests.support import Api, token

ROUTES = [
    (method, re.sub(r"\{\w+\}", "any", route.path))
    for router in site.ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and route.path.startswith("/desk")
    for method in sorted(route.methods or ())
]
OPEN = {"/desk/offline/page", "/desk/offline/manifest"}
"""Pages without anybody's data, which browsers keep for the time without a network."""
PAGES = [path for method, path in ROUTES if method == "GET" and path not in OPEN]
COMMANDS = [path for method, path in ROUTES if method == "POST"]


@pytest.fixture
async def librarian(lone_site: Api) -> AsyncIterator[Browser]:
    """A librarian's browser at a gateway without owners, at a desk that was used before."""
    async with Browser(lone_site.url) as browser:
        browser.give("carrel_session", token("staff-1", ["staff"]))
        browser.give(PLACE, "HKCL")
        yield browser


@pytest.mark.parametrize("path", PAGES)
async def test_only_staff_can_open_the_desk(lone_site: Api, path: str) -> None:
    async with Browser(lone_site.url) as browser:
        entrance = await browser.get(path)
        assert entrance.path.startswith("/log-in")
        browser.give("carrel_session", token())
        assert (await browser.get(path)).status == 403


@pytest.mark.parametrize("path", COMMANDS)
async def test_another_site_cannot_send_a_desk_form(librarian: Browser, path: str) -> None:
    page = await librarian.post(path, [("reason", "made up"), ("key", "k")])
    assert (page.status, "too old" in page.text) == (403, True)


async def test_desk_input_is_kept_during_an_outage_and_can_be_sent_again(
    librarian: Browser,
) -> None:
    form = await librarian.get("/desk/returns")
    key = dict(form.form("/desk/returns").fields)["key"]
    page = await librarian.submit(form, "/desk/returns", branch="HKCL", barcodes="A1 A2 A1")
    assert (page.status, page.headers["Retry-After"]) == (503, "2")
    assert 'value="A1 A2 A1"' in page.html
    assert dict(page.form("/desk/returns").fields)["key"] == key


async def test_desk_input_is_escaped(librarian: Browser) -> None:
    nasty = '"><script>alert(1)</script></textarea>'
    form = await librarian.get("/desk/lend")
    typed = {"card_number": nasty, "barcodes": nasty, "branch": nasty}
    page = await librarian.submit(form, "/desk/lend", **typed)
    assert page.status == 503
    assert "<script>alert" not in page.html


@pytest.mark.parametrize("path", ["/desk/lend", "/desk/returns", "/desk/patrons", "/desk/notices"])
async def test_unusual_characters_in_desk_fields_cause_no_error(
    librarian: Browser, path: str
) -> None:
    form = (await insist(lambda: librarian.get(path))).form(path)
    odd = "館\x00\n\ud7ff"
    fields = [(name, value) for name, value in form.fields if name == "form"]
    names = ("key", "branch", "barcodes", "card_number", "at", "name", "kinds", "branches")
    page = await librarian.post(path, [*fields, *((name, odd) for name in names)])
    assert page.status == 503  # no owner is there to refuse it
