"""Choices of a library: nobody's library is guessed, and the lists are sorted as displayed."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial

import pytest
from fastapi.routing import APIRoute

from services.gateway.web import site
from services.gateway.web.session import PLACE, SESSION
from tests.gateway.web.browser import Browser, Page, Select, insist
from tests.library import Library, unique

ACCOUNT = "/desk/accounts/one"
AN_ID = re.compile(r"/[^/]*[A-Z0-9][^/]*")
WITHOUT_IDS = [
    route.path
    for router in site.ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and "{" not in route.path
]
TEXTS = {
    "en": ("Choose a library", "Harbour Library"),
    "zh-Hant": ("請選擇圖書館", "海港圖書館"),
    "zh-Hans": ("请选择图书馆", "海港图书馆"),
}
"""The text of an empty choice, and the name of one library, by language."""


@dataclass
class Place:
    """A library with things in it, and who uses it."""

    library: Library
    code: str
    name: str
    card: str
    title_id: str
    season_id: str
    closure_id: str

    def browser(self, by: str, language: str = "en") -> Browser:
        """Return a fresh browser of somebody."""
        return Browser(self.library.system.gateway_url, language=language, at=self.library.now)

    async def open(self, path: str, by: str = "staff", language: str = "en") -> Page:
        """Open a page in a fresh browser of somebody who has logged in."""
        async with self.browser(by, language) as browser:
            browser.give(SESSION, self.library.tokens[by])
            return await insist(partial(browser.get, path))


@pytest.fixture
async def place(library: Library) -> Place:
    """A library that is neither the first by its code nor by its name."""
    await library.post(
        "/v1/branches",
        {"code": unique("A")[:8], "name": f"a {unique('Library')}", "kind": "small", "hours": []},
        by="staff",
    )
    code, name = unique("M")[:8], f"Harbour Library {unique('')}"
    names = {"zh-Hant": f"海港圖書館{code}", "zh-Hans": f"海港图书馆{code}"}
    body = {"code": code, "name": name, "names": names, "kind": "small", "hours": []}
    await library.post("/v1/branches", body, by="staff")
    card = await library.patron(code)
    [barcode], [other] = [await library.copies(code, 1) for _ in range(2)]
    await library.flow.settle(within=60)
    await library.lend(await library.patron(code), [barcode], code)
    await library.reserve(card, barcode, code)
    title_id = (await library.get(f"/v1/copies/{other}", by="staff"))["title_id"]
    await library.activity(places=2)
    closure = {"branches": [code], "from": "2021-03-01", "reason": "Works"}
    closed = await library.post("/v1/closures", closure, by="staff")
    return Place(library, code, name, card, title_id, await library.season(code), closed["id"])


async def walked(place: Place, by: str, starts: list[str]) -> AsyncIterator[tuple[str, Page]]:
    """Open a page of each kind that links lead to; yield each kind with its page."""
    async with place.browser(by) as browser:
        browser.give(SESSION, place.library.tokens[by])
        seen: set[str] = set()
        paths = [*starts, *WITHOUT_IDS]
        while paths:
            path = paths.pop(0)
            kind = AN_ID.sub("/one", path.partition("?")[0].partition("#")[0])
            if kind in seen or kind.startswith(("/v1", "/static", "/me/", "/docs")):
                continue
            seen.add(kind)
            page = await insist(partial(browser.get, path))
            paths += [link for link in page.links if link.startswith("/")]
            if page.status == 200:
                yield kind, page


def of_libraries(page: Page, codes: set[str]) -> Iterator[Select]:
    """Yield the choices of a page that have libraries to choose from."""
    for select in page.selects:
        if codes & select.options.keys():
            yield select


async def test_no_form_of_any_page_guesses_a_library(place: Place) -> None:
    library = place.library
    codes = {one["code"] for one in (await library.get("/v1/branches?limit=200"))["items"]}
    starts = [
        f"/catalogue/{place.title_id}",
        f"/study-rooms/{place.season_id}",
        f"/desk/study-rooms/{place.season_id}",
        f"/desk/closures/{place.closure_id}",
    ]
    found: set[tuple[str, str]] = set()
    await library.engage("tracer")
    for by in (place.card, "staff", "tracer", "ops"):
        async for kind, page in walked(place, by, starts):
            for select in of_libraries(page, codes):
                found.add((kind, select.name))
                # The patron's home library, which is that of the reservation too, is no guess.
                known = {"", place.code} if by == place.card or kind == ACCOUNT else {""}
                if kind == "/desk/activities/one":  # the activity's own library
                    known = {"", *codes}
                assert select.chosen in known, (kind, by, select.name)
                texts = [text for code, text in select.options.items() if code]
                assert texts == sorted(texts, key=str.casefold), (kind, select.name)
    assert {
        ("/catalogue/one", "pickup_branch"),
        ("/holds/one", "pickup_branch"),
        ("/study-rooms/one", "branch"),
        ("/enquiries", "branch"),
        ("/notices", "branch"),
        ("/tracing", "branch"),
        ("/desk/visitors", "branch"),
        ("/desk/patrons", "home_branch"),
        ("/desk/study-sessions", "branch"),
        ("/desk/study-rooms/one", "branch"),
        ("/desk/activities/new", "branch"),
        ("/desk/policies", "library"),
        ("/desk/calendar", "library"),
    } <= found


async def test_a_patrons_home_library_is_chosen_for_them(place: Place) -> None:
    for path in (f"/catalogue/{place.title_id}", f"/study-rooms/{place.season_id}"):
        page = await place.open(path, by=place.card)
        [select] = of_libraries(page, {place.code})
        assert (select.chosen, select.required) == (place.code, True)


@pytest.mark.parametrize("language", TEXTS)
async def test_an_empty_choice_and_the_libraries_are_in_the_language_of_the_page(
    place: Place, language: str
) -> None:
    page = await place.open("/desk/visitors", language=language)
    [select] = page.selects
    empty, name = TEXTS[language]
    assert (select.chosen, select.options[""]) == ("", empty)
    assert select.options[place.code].startswith(name)
    texts = [text for code, text in select.options.items() if code]
    assert texts == sorted(texts, key=str.casefold)


async def test_the_forms_of_a_desk_begin_with_its_library(place: Place) -> None:
    async with place.browser("staff") as browser:
        browser.give(SESSION, place.library.tokens["staff"])
        browser.give(PLACE, place.code)
        for path, name in {
            "/desk/visitors": "branch",
            "/desk/patrons": "home_branch",
            "/desk/study-sessions": "branch",
            f"/desk/study-rooms/{place.season_id}": "branch",
            "/desk/activities/new": "branch",
            "/desk/policies": "library",
            "/desk/calendar": "library",
        }.items():
            page = await insist(partial(browser.get, path))
            [select] = [one for one in page.selects if one.name == name]
            assert select.chosen == place.code, path


async def test_a_desk_without_a_library_asks_for_it_first_and_remembers_it(place: Place) -> None:
    library = place.library
    async with place.browser("staff") as browser:
        browser.give(SESSION, library.tokens["staff"])
        for path in ("/desk/lend", "/desk/returns"):
            for gone in ("", "GONE"):
                browser.give(PLACE, gone)
                asking = await insist(partial(browser.get, path))
                assert "Where is this desk?" in asking.text
                assert dict(asking.form("/desk/place").fields)["back"] == path
            page = await insist(partial(browser.submit, asking, "/desk/place", place=place.name))
            assert page.path == path
            assert dict(page.form(path).fields)["branch"] == place.code
        page = await insist(partial(browser.get, "/desk/visitors"))
        assert page.selects[0].chosen == place.code
        # A library that is not there any more is no choice.
        browser.give(PLACE, "GONE")
        page = await insist(partial(browser.get, "/desk/visitors"))
        assert page.selects[0].chosen == ""


@pytest.mark.parametrize(
    ("path", "action", "name", "typed"),
    [
        ("/desk/patrons", "/desk/patrons", "home_branch", {"name": "Chan", "card_number": "C1"}),
        ("/desk/study-sessions", "/desk/study-sessions", "branch", {"places": "4"}),
        ("/tracing", "/tracing", "branch", {"day": "2020-10-30", "case_number": "7"}),
        ("/catalogue/{title}", "", "pickup_branch", {"expires_on": "2021-03-01"}),
        ("/study-rooms/{season}", "/study-rooms/{season}/application", "branch", {}),
        (
            "/desk/study-rooms/{season}",
            "/desk/study-rooms/{season}/applications",
            "branch",
            {"paper_number": "P7"},
        ),
    ],
)
async def test_a_missing_library_is_named_beside_its_field_and_the_rest_is_kept(
    place: Place, path: str, action: str, name: str, typed: dict[str, str]
) -> None:
    library = place.library
    ids = {"title": place.title_id, "season": place.season_id}
    path, action = path.format(**ids), action.format(**ids)
    by = "staff" if path.startswith("/desk") else "tracer" if path == "/tracing" else place.card
    if by == "tracer":
        await library.engage("tracer")
    async with place.browser(by) as browser:
        browser.give(SESSION, library.tokens[by])
        form = await insist(partial(browser.get, path))
        page = await insist(partial(browser.submit, form, action, **{name: ""}, **typed))
    assert page.status == 422
    assert f'href="#{name}"' in page.html
    assert f'aria-describedby="{name}-fault"' in page.html
    [select] = [one for one in page.selects if one.name == name]
    assert select.chosen == ""
    for field, value in typed.items():
        assert f'value="{value}"' in page.html or f">{value}</textarea>" in page.html, field
