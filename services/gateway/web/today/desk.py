"""The first page of the desk, with the lengths of all lists, and the page and file of each list."""

import asyncio
from collections.abc import Mapping
from datetime import date
from operator import itemgetter
from typing import Any
from urllib.parse import urlencode

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.csv_files import csv_file
from services.gateway.web.page_request import DeskRequest, PageRequest, Today
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from services.gateway.web.today import rows
from services.gateway.web.today.rows import Chosen
from services.gateway.web.today.table import GROUPS, LISTS
from shared.http.problems import NotFound
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk", marked("Today")), ("/desk/lists/to-fetch", marked("Fetch"))]},
    messages={
        "row-available": marked("%(barcode)s: back to its shelf."),
        "row-on-shelf": marked("%(barcode)s: to the shelf of reserved items."),
        "row-in-transit": marked("%(barcode)s: to be sent to %(library)s."),
        "rows-done": marked("Done for %(count)s items."),
        "row-done": marked("Done."),
        "row-missing": marked(
            "%(barcode)s is recorded as lost. Its reservation gets the next copy, or waits again."
        ),
    },
    problems={"no-such-row": marked("Choose a row of the list.")},
)
ON_A_PAGE = 50
"""Rows of a list that a page shows; the file and the page to print have all."""


@router.get("/desk")
async def get_today(request: DeskRequest, today: Today) -> Response:
    """Show the lengths of the lists of this library, its closures, and what is due today."""
    names = await branch_names(request.api)
    place = forms.desk_branch(request, names)
    if not place:
        return forms.ask_for_place(request, names, "/desk")
    api, path = request.api, f"/v1/branches/{segment(place)}"
    counts, branch, closures = await asyncio.gather(
        _lengths(request, place, today),
        api.get(path),
        api.get("/v1/closures", branch=place, limit="20"),
    )
    return request.page(
        "today/desk-today.html",
        lists=LISTS,
        groups=GROUPS,
        counts=counts,
        place=place,
        library=names.get(place, place),
        today=today,
        branch=branch.json_or(None),
        closures=_to_come(closures.items, place, today),
    )


def _to_come(closures: list[Any], place: str, today: date) -> list[dict[str, Any]]:
    """Return the closures of a library that are not over, with its own reopening."""
    found = []
    for closure in closures:
        own = next(one for one in closure["covered"] if one["branch"] == place)
        if not own["withdrawn"] and (own["reopened_on"] or "9999") > today.isoformat():
            found.append({**closure, "reopened_on": own["reopened_on"]})
    return sorted(found, key=lambda closure: str(closure["from"]))


async def _lengths(request: PageRequest, place: str, today: date) -> Mapping[str, int | None]:
    """Return the lengths of all lists of a library by name; None: not known, or there is none."""
    api, path = request.api, f"/v1/branches/{segment(place)}"
    desk, cards, asked, activities, booked, inside = await asyncio.gather(
        api.get("/v1/desk-lists", branch=place),
        api.get("/v1/expiring-cards/count", branch=place),
        api.get("/v1/enquiries/count", branch=place),
        api.get("/v1/activities", branch=place, limit="200", **{"from": today.isoformat()}),
        api.get(f"/v1/study-rooms/{segment(place)}"),
        api.get(f"{path}/occupancy"),
    )
    found: dict[str, int | None] = dict.fromkeys(LISTS)
    found |= desk.json_or({"counts": {}})["counts"]
    for name, reply, count in (
        ("cards", cards, lambda one: one["count"]),
        ("enquiries", asked, lambda one: one["count"]),
        ("activities", activities, lambda one: len(rows.today_of(one["items"], request, today))),
        ("rooms", booked, lambda one: sum(one["places"] - s["places_left"] for s in one["free"])),
        ("visitors", inside, lambda one: one["inside"]),
    ):
        found[name] = count(reply.json()) if reply.done else None
    if booked.status == 404:  # this library has no study room
        del found["rooms"]
    return found


@router.get("/desk/fetching")
async def get_fetching(request: DeskRequest) -> Response:
    """Redirect bookmarks of the former page to the list."""
    return request.go("/desk/lists/to-fetch")


@router.get("/desk/lists/{name}.csv")
async def get_file(
    request: DeskRequest, name: str, today: Today, *, q: str = "", library: str = "", span: str = ""
) -> Response:
    """Return a list as a file for spreadsheets, in UTF-8 with a byte order mark."""
    names, chosen = await _chosen(request, name, today, q=q, library=library, span=span)
    listed = chosen.listed
    found, _, _ = await rows.read(request, chosen)
    shown = await rows.shown(request, chosen, names, found)
    heads = [request.language.say(column.label) for column in listed.columns]
    cells = (rows.cells(row, listed.columns, shown) for row in found)
    texts = ([cell.text for cell in row] for row in cells)
    return csv_file(f"{name}-{chosen.place}-{today}.csv", heads, texts)


@router.get("/desk/lists/{name}")
async def get_list(
    request: DeskRequest,
    name: str,
    today: Today,
    *,
    q: str = "",
    library: str = "",
    span: str = "",
    at: int = 0,
    whole: bool = False,
) -> Response:
    """Show a list of this library: from a row on, or whole, to be printed."""
    names, chosen = await _chosen(request, name, today, q=q, library=library, span=span)
    if not chosen.place:
        return forms.ask_for_place(request, names, request.http.url.path)
    listed = chosen.listed
    found, every, more = await rows.read(request, chosen)
    page = found if whole else found[at : at + ON_A_PAGE]
    shown = await rows.shown(request, chosen, names, page)
    others = {
        row[listed.other]: rows.session_of(row, request)
        if name == "rooms"
        else names.get(row[listed.other], row[listed.other])
        for row in every
        if row.get(listed.other)
    }
    return request.page(
        "today/desk-list.html",
        listed=listed,
        chosen=chosen,
        query=urlencode(chosen.query),
        rows=[(row, rows.cells(row, listed.columns, shown)) for row in page],
        total=len(found),
        most=listed.limit if more else None,
        others=dict(sorted(others.items(), key=itemgetter(1))),
        library=names.get(chosen.place, chosen.place),
        at=at,
        size=ON_A_PAGE,
        whole=whole,
    )


async def _chosen(
    request: PageRequest, name: str, today: date, **given: str
) -> tuple[Mapping[str, str], Chosen]:
    if name not in LISTS:
        raise NotFound("list")
    names = await branch_names(request.api)
    return names, Chosen(name, forms.desk_branch(request, names), today, **given)


@router.post("/desk/lists/{name}/act")
async def post_act(request: DeskRequest, name: str, today: Today) -> Response:
    """Do the next act on one row of the list, or on all rows of the page."""
    names, chosen = await _chosen(
        request, name, today, **{one: request.text(one) for one in ("q", "library", "span")}
    )
    act, _, key = request.text("do").partition(":")
    here = f"/desk/lists/{name}?{urlencode(chosen.query)}"
    if act not in {one.name for one in chosen.listed.acts} or not chosen.place:
        return request.go(here, FlashMessage("no-such-row", went_well=False))
    keys = [key] if key else request.texts("row")
    reply = await _send(request, act, chosen.place, keys)
    if not reply.done:
        return request.refused(here, reply)
    return request.go(here, *_messages(act, reply.json(), keys, names))


async def _send(request: PageRequest, act: str, place: str, keys: list[str]) -> Reply:
    one = segment(keys[0]) if keys else "-"
    match act:
        case "scan":
            body: Any = {"barcodes": keys, "branch": place, "channel": "desk"}
            return await request.send("POST", "/v1/returns", body)
        case "send":
            return await request.send("POST", "/v1/dispatches", {"barcodes": keys, "branch": place})
        case "missing":
            return await request.send("POST", f"/v1/copies/{one}/removal", {"fault": "missing"})
        case "reject":
            return await request.send("DELETE", f"/v1/loans/{one}/claim")
        case "settle":
            body = {"note": request.text(f"note-{keys[0]}") if keys else ""}
            return await request.send("POST", f"/v1/offline-conflicts/{one}/resolution", body)
        case _:
            return await request.send("POST", f"/v1/patrons/{one}/card/renewal")


def _messages(
    act: str, answer: Any, keys: list[str], names: Mapping[str, str]
) -> list[FlashMessage]:
    """Return what became of the rows: of one item where it goes, of several their number."""
    results = answer["results"] if act == "scan" else []
    refused = [one["problem"]["code"] for one in results if not one["ok"]]
    if refused:
        return [FlashMessage(code, went_well=False) for code in dict.fromkeys(refused)]
    if len(keys) > 1:
        return [FlashMessage("rows-done", {"count": len(keys)})]
    if act == "missing":
        return [FlashMessage("row-missing", {"barcode": keys[0]})]
    if not results:
        return [FlashMessage("row-done")]
    copy = results[0]["copy"]
    code = f"row-{copy['state']}"
    to = copy["bound_for"] or copy["at_branch"]
    facts = {"barcode": keys[0], "library": names.get(to, to)}
    return [FlashMessage(code if code in router.messages else "row-done", facts)]
