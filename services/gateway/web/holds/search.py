"""The page on which the catalogue is searched: words, filters with counts, order, new arrivals."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Response

from services.gateway.web import words
from services.gateway.web.branches import branch_names, names_of
from services.gateway.web.languages import Language
from services.gateway.web.page_request import Anyone
from services.gateway.web.pages import Pages
from shared.clock import library_day, wall_clock
from shared.translations import marked

router = Pages(menus={"anyone": [("/catalogue", marked("Catalogue"))]})

ON_PAGE = 20
NEW_DAYS = 30
SHOWN_FIRST = 8
"""Values of a facet that are shown at once; the others can be unfolded."""
ORDERS = {
    "relevance": marked("Best match"),
    "title": marked("Title"),
    "author": marked("Author"),
    "newest": marked("Last added"),
    "year": marked("Last published"),
}
AVAILABLE = marked("Available now")
FACETS = {
    "branch": ("branches", marked("Library")),
    "format": ("formats", marked("Format")),
    "language": ("languages", marked("Language")),
    "decade": ("decades", marked("Year of publication")),
    "audience": ("audiences", marked("Audience")),
}
"""Name in the API's counts, and heading, of each parameter that filters."""

Chosen = Annotated[str, Query(max_length=40, pattern=r"^[A-Za-z0-9-]*$")]


@dataclass(frozen=True)
class Search:
    """The search in the address of the page."""

    q: str = ""
    available: str = ""
    branch: str = ""
    format: str = ""
    language: str = ""
    decade: str = ""
    audience: str = ""
    new: str = ""
    sort: str = ""

    @property
    def is_made(self) -> bool:
        """True if anything is searched for; False: the page shows the form alone."""
        return self != Search()

    def address(self, **changes: str) -> str:
        """Return the address of the page with some parameters changed."""
        given = {**vars(self), **changes}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/catalogue?{query}" if query else "/catalogue"

    def query(self, since: str) -> dict[str, str]:
        """Return the parameters for the API; new arrivals are those from `since` on."""
        given = {name: value for name, value in vars(self).items() if value}
        decade = given.pop("decade", "")
        if decade:
            given |= {"year_from": decade, "year_to": str(int(decade) + 9)}
        if given.pop("new", ""):
            given["since"] = since
        given.setdefault("sort", "newest" if self.new else "relevance")
        return given


@router.get("/catalogue")
async def get_catalogue(
    request: Anyone,
    *,
    q: str = "",
    available: Chosen = "",
    branch: Chosen = "",
    format: Chosen = "",  # noqa: A002 - the field's word
    language: Chosen = "",
    decade: Annotated[str, Query(pattern=r"^([1-9][0-9]{3})?$")] = "",
    audience: Chosen = "",
    new: Chosen = "",
    sort: Chosen = "",
    after: str = "",
) -> Response:
    """Show the search form, and the titles found with links to narrow the search."""
    search = Search(
        q=" ".join(q.split())[:200],
        available="true" if available else "",
        branch=branch,
        format=format,
        language=language,
        decade=decade,
        audience=audience,
        new="true" if new else "",
        sort=sort if sort in ORDERS else "",
    )
    shown: dict[str, Any] = {"titles": [], "next": None, "total": 0, "facets": [], "chosen": []}
    if search.is_made:
        day = library_day(wall_clock(), request.zone) - timedelta(days=NEW_DAYS)
        place = {"after": after} if after.isascii() and after.isdecimal() else {}
        query = {**search.query(day.isoformat()), **place, "facets": "true"}
        found, names = await asyncio.gather(
            request.api.get("/v1/titles", limit=str(ON_PAGE), **query), branch_names(request.api)
        )
        page = found.json()
        shown = {
            "titles": [_title(each, names) for each in page["items"]],
            "next": search_after(search, page["next"]),
            "total": page["total"],
            "facets": _facets(search, page["facets"], names, request.language),
            "chosen": _chosen(search, names, request.language),
        }
    return request.page(
        "holds/catalogue.html",
        search=search,
        q=search.q,
        first=not after,
        days=NEW_DAYS,
        orders=ORDERS,
        order=query["sort"] if search.is_made else "",
        shown_first=SHOWN_FIRST,
        **shown,
    )


def search_after(search: Search, following: str | None) -> str | None:
    """Return the address of the next page, if there is one."""
    if following is None:
        return None
    address = search.address()
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'after': following})}"


def _title(title: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a title with the names of the libraries that have it and where it is available."""
    stocks = title["availability"]
    free = names_of((one["branch"] for one in stocks if one["available"]), names)
    others = names_of((one["branch"] for one in stocks if not one["available"]), names)
    return {**title, "free": list(free.values()), "others": list(others.values())}


@dataclass(frozen=True)
class Facet:
    """A facet with the links that narrow the search."""

    name: str
    heading: str
    values: Sequence[tuple[str, int, str]]
    """Name, number of titles and address of each value."""


def _facets(
    search: Search, counts: Mapping[str, Any], names: Mapping[str, str], language: Language
) -> list[Facet]:
    """Return the facets that the search has not chosen yet and that tell titles apart."""
    found = []
    if counts["available"] and not search.available:
        here = (language.say(AVAILABLE), counts["available"], search.address(available="true"))
        found.append(Facet("available", marked("Availability"), [here]))
    for name, (counted, heading) in FACETS.items():
        values = [
            (label, one["count"], search.address(**{name: one["value"]}))
            for one in counts[counted]
            if (label := _label(name, one["value"], names, language))
        ]
        if values and not getattr(search, name):
            found.append(Facet(name, heading, values))
    return found


def _chosen(search: Search, names: Mapping[str, str], language: Language) -> list[tuple[str, str]]:
    """Return the label of each filter of the search, with the address without it."""
    found = []
    if search.new:
        found.append((language.say(marked("New arrivals")), search.address(new="")))
    if search.available:
        found.append((language.say(AVAILABLE), search.address(available="")))
    for name in FACETS:
        if value := getattr(search, name):
            label = _label(name, value, names, language) or value
            found.append((label, search.address(**{name: ""})))
    return found


def _label(name: str, value: str, names: Mapping[str, str], language: Language) -> str:
    """Return the name of a facet's value in a language; "" if it has none."""
    if name == "branch":
        return names.get(value, value)
    if name == "language":
        return language.language_name(value)
    if name == "decade":
        return f"{value}–{int(value) + 9}"
    known = words.FORMATS if name == "format" else words.AUDIENCES
    return language.say(known[value]) if value in known else ""
