"""Messages about items: check-out, check-in, renewal, hold, information."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from services.gateway.sip2.messages import Answer, Request, date_and_time, instant_of
from services.gateway.sip2.terminal import Terminal, fee, reason_of, refusal
from services.gateway.web.station_words import (
    AGREE,
    NO_PIN,
    NO_PROPERTIES,
    NOT_OUT,
    NOT_RESERVED,
    UNKNOWN_ITEM,
    WRONG_PIN,
)
from shared.clock import wall_clock

_FAR = timedelta(days=366)
"""The due date of a station whose clock is wrong; the rules take 31 days of it, and no error."""
_STATES: Mapping[str, str] = {
    "available": "03",
    "to-fetch": "08",
    "on-loan": "04",
    "on-shelf": "08",
    "in-transit": "10",
    "lost": "12",
    "on-order": "02",
    "in-process": "06",
}
"""Circulation status by state of a copy; 01 is any other."""
_MEDIA: Mapping[str, str] = {
    "book": "001",
    "large-print": "001",
    "periodical": "002",
    "audiobook": "004",
    "video": "005",
    "music": "006",
    "software": "007",
}
"""Media type by format of a title; 000 is any other."""


async def check_out(terminal: Terminal, request: Request) -> Answer:
    """Lend a copy, or renew the patron's own loan of it if the station may."""
    card, barcode = request.get("AA"), request.get("AB")
    named = [("AA", card), ("AB", barcode)]
    if request.says("BI"):
        last = {"card_number": card[:64], "barcode": barcode, "branch": terminal.branch}
        return await _undone(terminal, request, "checkouts", last, {"resensitize": "Y"})
    if await terminal.api.known_patron(card, request.get("AD")) is None and request.get("AD"):
        return refusal(WRONG_PIN, *named)
    body: dict[str, Any] = {"card_number": card, "barcodes": [barcode], "branch": terminal.branch}
    if request.says("no_block"):
        lent_at, promised = (
            terminal.time_of(request),
            instant_of(request.fixed["due"], terminal.zone),
        )
        body |= {"offline": True, "at": lent_at.isoformat()}
        if promised and promised > lent_at:
            body["promised_due"] = min(promised, wall_clock() + _FAR).isoformat()
    reply, item = await asyncio.gather(
        terminal.api.send("POST", "/v1/checkouts", body, terminal.key(request)),
        terminal.item(barcode),
    )
    named += _of_item(item)
    if not reply.done:
        return refusal(reason_of(terminal, reply), *named)
    [result] = reply.json()["results"]
    if result["ok"]:
        return _lent(terminal, result["loan"], named, renewed=False)
    problem = result["problem"]
    if problem["code"] == "copy-on-loan" and request.says("renews"):
        loan = await _own_loan(terminal, barcode)
        if loan:
            return await _renewed(terminal, request, loan, named)
    return refusal(terminal.reason(problem["code"], problem["detail"]), *named)


async def renew(terminal: Terminal, request: Request) -> Answer:
    """Renew a loan of the patron whose PIN the station has sent."""
    card, barcode = request.get("AA"), request.get("AB")
    named = [("AA", card), ("AB", barcode)]
    if await terminal.api.known_patron(card, request.get("AD")) is None:
        return refusal(WRONG_PIN if request.get("AD") else NO_PIN, *named)
    item, loan = await asyncio.gather(terminal.item(barcode), _own_loan(terminal, barcode))
    named += _of_item(item)
    if loan is None:
        return refusal(NOT_OUT, *named)
    return await _renewed(terminal, request, loan, named)


async def _own_loan(terminal: Terminal, barcode: str) -> dict[str, Any] | None:
    """Return the patron's open loan of a copy; None: the patron, if there is one, has none."""
    if terminal.api.patron is None:
        return None
    account = (await terminal.api.as_patron("GET", "/v1/me")).json()
    return next((loan for loan in account["loans"] if loan["barcode"] == barcode), None)


async def _renewed(
    terminal: Terminal, request: Request, loan: Mapping[str, Any], named: list[tuple[str, str]]
) -> Answer:
    path, due = f"/v1/loans/{loan['id']}/renewals", ("AH", _due(terminal, loan))
    if loan["overdue"] and not (request.says("BO") or request.says("no_block")):
        reply = await terminal.api.as_patron("POST", f"{path}?preview=true")
        if reply.done and (cents := reply.json()["fine_cents"]):
            return refusal(AGREE, *named, due, *fee(terminal, cents))
    reply = await terminal.api.as_patron("POST", path, key=terminal.key(request))
    if not reply.done:
        return refusal(reason_of(terminal, reply), *named, due)
    return _lent(terminal, reply.json()["loan"], named, renewed=True)


def _lent(
    terminal: Terminal, loan: Mapping[str, Any], named: list[tuple[str, str]], *, renewed: bool
) -> Answer:
    fixed = {"ok": "1", "renewed": "Y" if renewed else "N", "magnetic": "N"}
    fixed |= {"desensitize": "N" if renewed else "Y"}
    return Answer(fixed, [*named, ("AH", _due(terminal, loan))])


def _due(terminal: Terminal, loan: Mapping[str, Any]) -> str:
    return date_and_time(loan.get("due_at") or loan["due_on"], terminal.zone)


def _of_item(item: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if item is None:
        return []
    title = item["title"]
    return [("AJ", title["title"]), ("CK", _MEDIA.get(title["kind"], "000"))]


async def check_in(terminal: Terminal, request: Request) -> Answer:
    """Take a copy back, and say where it goes."""
    barcode = request.get("AB")
    here = {"branch": terminal.branch, "channel": terminal.station.channel}
    if request.says("BI"):
        last = {"barcode": barcode, **here}
        return await _undone(terminal, request, "returns", last, {"desensitize": "Y"})
    body: dict[str, Any] = {"barcodes": [barcode], **here}
    now, came = terminal.time_of(request), instant_of(request.fixed["returned"], terminal.zone)
    if request.says("no_block"):
        body |= {"offline": True, "at": (came or now).isoformat()}
    elif came and came.date() < now.date():
        body["at"] = came.date().isoformat()
    reply, item = await asyncio.gather(
        terminal.api.send("POST", "/v1/returns", body, terminal.key(request)),
        terminal.item(barcode),
    )
    named = [("AB", barcode), *_of_item(item)]
    if not reply.done:
        return refusal(reason_of(terminal, reply), *named)
    [result] = reply.json()["results"]
    fields: list[tuple[str, str | None]] = [*named]
    fixed = {"ok": "0"}
    if result["ok"]:
        fixed = {"ok": "1", "resensitize": "Y", "magnetic": "N"}
    else:
        problem = result["problem"]
        fields.append(("AF", terminal.reason(problem["code"], problem["detail"])))
    if copy := result["copy"]:
        alert, where = _destination(terminal, copy)
        fixed["alert"] = "Y" if alert else "N"
        fields += [("AQ", copy["branch"]), ("CV", alert or None), *where]
        fields.append(("CS", copy["call_number"]["number"] if copy["call_number"] else None))
        fields.append(("CR", copy["collection"]))
    return Answer(fixed, fields)


def _destination(
    terminal: Terminal, copy: Mapping[str, Any]
) -> tuple[str, list[tuple[str, str | None]]]:
    """Return the alert type of a copy that came back, empty for none, with its bin and branch."""
    bins, bound_for = terminal.station.bins, copy["bound_for"]
    alert = {"on-shelf": "01", "to-fetch": "01"}.get(copy["state"], "")
    if copy["state"] == "in-transit":
        alert = "02" if copy["hold_id"] else "04"
    place = "hold" if alert == "01" else bound_for or copy["branch"]
    return alert, [("CT", bound_for), ("CL", bins.get(place, bins.get("other")))]


async def _undone(
    terminal: Terminal, request: Request, of: str, body: Any, fixed: Mapping[str, str]
) -> Answer:
    reply, item = await asyncio.gather(
        terminal.api.send("POST", f"/v1/{of}/undo", body, terminal.key(request)),
        terminal.item(request.get("AB")),
    )
    named = [("AA", request.get("AA")), ("AB", request.get("AB")), *_of_item(item)]
    if not reply.done:
        return refusal(reason_of(terminal, reply), *named)
    done = {"ok": "1", "magnetic": "N", **fixed}
    return Answer(done, [*named, ("AQ", reply.json()["copy"]["branch"])])


async def information(terminal: Terminal, request: Request) -> Answer:
    """Describe an item; one that is not known has an empty title."""
    barcode = request.get("AB")
    item = await terminal.item(barcode)
    if item is None:
        return refusal(UNKNOWN_ITEM, ("AB", barcode))
    copy = item["copy"]
    fixed = {"circulation": _STATES.get(copy["state"], "01"), "security": "01"}
    due = date_and_time(item["due_at"] or item["due_on"], terminal.zone)
    call_number = copy["call_number"]
    fields: list[tuple[str, str | None]] = [
        ("AB", barcode),
        *_of_item(item),
        ("CF", str(item["waiting"])),
        ("AH", due or None),
        ("BG", copy["branch"]),
        ("AQ", copy["branch"]),
        ("AP", copy["at_branch"]),
        ("CT", copy["bound_for"]),
        ("CS", call_number["number"] if call_number else None),
        ("CR", copy["collection"]),
    ]
    return Answer(fixed, fields)


async def item_status(terminal: Terminal, request: Request) -> Answer:
    """Refuse to store item properties (CH), which the library does not keep."""
    barcode = request.get("AB")
    return refusal(NO_PROPERTIES, ("AB", barcode), *_of_item(await terminal.item(barcode)))


async def hold(terminal: Terminal, request: Request) -> Answer:
    """Place (`+`), change (`*`) or cancel (`-`) a hold of the patron whose PIN was sent."""
    card, barcode = request.get("AA"), request.get("AB")
    named = [("AA", card), ("AB", barcode or None)]
    if await terminal.api.known_patron(card, request.get("AD")) is None:
        return refusal(WRONG_PIN if request.get("AD") else NO_PIN, *named)
    item = await terminal.item(barcode)
    if item is None:
        return refusal(UNKNOWN_ITEM, *named)
    named.append(("AJ", item["title"]["title"]))
    pickup, last = request.get("BS"), instant_of(request.get("BW"), terminal.zone)
    mode, key = request.fixed["mode"], terminal.key(request)
    if mode == "+":
        body = _wanted(request, item, pickup or terminal.branch, last)
        reply = await terminal.api.as_patron("POST", "/v1/holds", body, key)
    else:
        found = await _own_hold(terminal, item)
        if found is None:
            return refusal(NOT_RESERVED, *named)
        path = f"/v1/holds/{found['id']}"
        if mode == "-":
            reply = await terminal.api.as_patron("DELETE", path, key=key)
        else:
            changes = {"pickup_branch": pickup} if pickup else {}
            changes |= {"expires_on": last.date().isoformat()} if last else {}
            reply = await terminal.api.as_patron("PATCH", path, changes, key)
    if not reply.done:
        return refusal(reason_of(terminal, reply), *named)
    placed = reply.json()
    available = placed["state"] in ("ready", "to-fetch")
    position = placed.get("position")
    return Answer(
        {"ok": "1", "available": "Y" if available else "N"},
        [*named, ("BR", str(position) if position else None), ("BS", placed["pickup_branch"])],
    )


def _wanted(
    request: Request, item: Mapping[str, Any], pickup: str, last: datetime | None
) -> dict[str, Any]:
    this_copy = request.get("BY") == "3"
    wanted = {"barcode": request.get("AB")} if this_copy else {"title_id": item["title"]["id"]}
    if not this_copy and item["copy"]["volume"]:
        wanted["volume"] = item["copy"]["volume"]
    expires = {"expires_on": last.date().isoformat()} if last else {}
    return {**wanted, "pickup_branch": pickup, **expires}


async def _own_hold(terminal: Terminal, item: Mapping[str, Any]) -> dict[str, Any] | None:
    holds = (await terminal.api.as_patron("GET", "/v1/me/holds")).json()["items"]
    title_id = item["title"]["id"]
    return next((one for one in holds if one["title_id"] == title_id), None)
