"""The page on which the catalogue is searched: words, filters with counts, order, new arrivals."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Response

from services.gateway.web import words
from services.gateway.web.branches import branches_by_code, home_branch
from services.gateway.web.languages import Language, worded
from services.gateway.web.libraries.nearest import distance, point
from services.gateway.web.page_request import Anyone, PageRequest, Today
from services.gateway.web.pages import Pages
from shared.clock import library_day, wall_clock
from shared.translations import marked

router = Pages(menus={"anyone": [("/catalogue", marked("Catalogue"))]})

ON_PAGE = 20
ON_FRONT = 6
SOON = 3
"""New titles, and next activities, of a page without a search."""
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
    today: Today,
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
    """Show the search form, and the titles found with links to narrow the search.

    Without a search: what is new, what takes place next, and how many libraries are open.
    """
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
    since = (library_day(wall_clock(), request.zone) - timedelta(days=NEW_DAYS)).isoformat()
    shown: dict[str, Any] = {
        "titles": [],
        "next": None,
        "total": 0,
        "facets": [],
        "chosen": [],
        "home": "",
        "meant": None,
        "saved": (),
    }
    if search.is_made:
        place = {"after": after} if after.isascii() and after.isdecimal() else {}
        query = {**search.query(since), **place, "facets": "true"}
        found, branches, home, lists = await asyncio.gather(
            request.api.get("/v1/titles", limit=str(ON_PAGE), **query),
            branches_by_code(request.api),
            home_branch(request),
            lists_of(request),
        )
        page = found.json()
        names = {code: branch["name"] for code, branch in branches.items()}
        shown = {
            **await placed(request, page["items"], branches, home),
            "saved": {one["title_id"] for kept in lists[:1] for one in kept["titles"]},
            "next": search_after(search, page["next"]),
            "total": page["total"],
            "meant": page["did_you_mean"],
            "facets": _facets(search, page["facets"], names, request.language),
            "chosen": _chosen(search, names, request.language),
        }
    else:
        shown |= await _front(request, since, today.isoformat())
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


async def lists_of(request: PageRequest) -> list[dict[str, Any]]:
    """Return a patron's lists, the one for later first; none if they can't be read."""
    return (await request.api.get("/v1/me/lists")).items if request.is_patron else []


async def holds_of(request: PageRequest) -> list[dict[str, Any]]:
    """Return a patron's open holds; none if they can't be read."""
    return (await request.api.get("/v1/me/holds")).items if request.is_patron else []


async def _front(request: PageRequest, since: str, today: str) -> dict[str, Any]:
    """Return what the page shows without a search; parts that can't be read are left out."""
    new, borrowed, activities, branches, home = await asyncio.gather(
        request.api.get("/v1/titles", limit=str(ON_FRONT), sort="newest", since=since),
        request.api.get("/v1/titles/most-borrowed", limit=str(ON_FRONT)),
        request.api.get("/v1/activities", **{"from": today}),
        branches_by_code(request.api),
        home_branch(request),
    )
    events = activities.json()["items"][:SOON] if activities.done else []
    return {
        "new": new.json()["items"] if new.done else [],
        "borrowed": borrowed.json()["items"] if borrowed.done else [],
        "activities": [worded(one, request.language.code) for one in events],
        "open_now": sum(branch["open_until"] is not None for branch in branches.values()),
        "own": branches.get(home),
        "branches": {code: branch["name"] for code, branch in branches.items()},
    }


def search_after(search: Search, following: str | None) -> str | None:
    """Return the address of the next page, if there is one."""
    if following is None:
        return None
    address = search.address()
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'after': following})}"


async def placed(
    request: PageRequest,
    titles: Sequence[Mapping[str, Any]],
    branches: Mapping[str, Mapping[str, Any]],
    home: str,
) -> dict[str, Any]:
    """Return what a list of titles shows: their places, likely dates, and what is reserved."""
    home = home if home in branches else ""
    out = [one["id"] for one in titles if not any(at["available"] for at in one["availability"])]
    likely, reserved = await asyncio.gather(_likely(request, out, home), holds_of(request))
    holds = {one["title_id"]: one["id"] for one in reserved}
    return {
        "titles": [
            _placed(one, branches, home)
            | {"likely": likely.get(one["id"]), "hold": holds.get(one["id"])}
            for one in titles
        ],
        "home": home,
        "branches": {code: branch["name"] for code, branch in branches.items()},
    }


async def _likely(request: PageRequest, title_ids: Sequence[str], home: str) -> dict[str, str]:
    """Return the likely day of a hold by title; none for those that can't be told."""
    if not title_ids:
        return {}
    pickup = {"pickup_branch": home} if home else {}
    reply = await request.api.get("/v1/titles/likely-ready", id=title_ids, **pickup)
    return {one["title_id"]: one["likely_ready_by"]["day"] for one in reply.items}


def _placed(
    title: Mapping[str, Any], branches: Mapping[str, Mapping[str, Any]], home: str
) -> dict[str, Any]:
    """Return a title with its copies counted and its libraries, the home one and near ones first.

    A library without a known place comes last, and without a home library they are by name.
    """
    own = point(branches[home]) if home else None

    def order(stock: Mapping[str, Any]) -> tuple[bool, bool, float, str]:
        branch = branches.get(stock["branch"])
        at = point(branch) if branch and own else None
        far = distance(at, own) if at and own else math.inf
        name = branch["name"].casefold() if branch else stock["branch"]
        return not stock["available"], stock["branch"] != home, far, name

    stocks = sorted(title["availability"], key=order)
    names = {one["branch"]: one["branch"] for one in stocks}
    names |= {code: branches[code]["name"] for code in names if code in branches}
    return {
        **title,
        "free": [names[one["branch"]] for one in stocks if one["available"]],
        "call_number": next(filter(None, (one["call_number"] for one in stocks)), None),
        "others": [names[one["branch"]] for one in stocks if not one["available"]],
        "copies": sum(one["copies"] for one in stocks),
        "available": sum(one["available"] for one in stocks),
    }


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
