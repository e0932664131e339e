"""Messages about patrons: status, information, fees, renewal of all loans, end of the session."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.gateway.sip2.messages import Answer, Request, cents_of, money
from services.gateway.sip2.terminal import Terminal, fee, reason_of, refusal
from services.gateway.web.station_words import (
    AGREE,
    BLOCKED,
    EXPIRED,
    NO_PIN,
    NOTHING_OWED,
    ONLY_CASH,
    OWES,
    UNKNOWN_CARD,
    WRONG_PIN,
)

MOST_LISTED = 100
"""Items of one list in an answer."""
_FEES = frozenset({"hold-fee", "lost-processing"})
"""Kinds of charges that are fees."""
_LISTS = ("AS", "AT", "AU", "AV", "BU", "CD")
"""Field of the list that the station asks for, by its place in the summary."""


@dataclass(frozen=True)
class Facts:
    """The facts about a patron that a station may be told."""

    patron: Mapping[str, Any] = field(default_factory=dict)
    """Status, block, expiry, category and library; empty: there is no such card."""
    pin_is_right: bool = False
    account: Mapping[str, Any] = field(default_factory=dict)
    """The whole account; empty without the PIN."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """The limits by the policies; empty without the PIN, or while nobody can tell."""
    expired: bool = False

    @property
    def may_borrow(self) -> bool:
        """Return whether neither a block nor the card's expiry forbids it."""
        return bool(self.patron) and not self.expired and self.patron["status"] == "active"


async def _facts(terminal: Terminal, request: Request) -> Facts:
    card, pin = request.get("AA"), request.get("AD")
    found: Mapping[str, Any] = {}
    account: Mapping[str, Any] = {}
    limits: Mapping[str, Any] = {}
    right = False
    if terminal.shows and await terminal.api.known_patron(card, pin):
        whole, most = await asyncio.gather(
            terminal.api.as_patron("GET", "/v1/me"), terminal.api.as_patron("GET", "/v1/me/limits")
        )
        account, limits = whole.json(), most.json_or({})
        found, right = account["patron"], True
    elif card:
        found = await _checked(terminal, card, "" if terminal.shows else pin)
        right = bool(found.get("pin_is_right"))
    until: str = found.get("card_expires_on") or ""
    expired = "" < until < terminal.time_of(request).date().isoformat()
    return Facts(found, right, account, limits, expired)


async def _checked(terminal: Terminal, card: str, pin: str) -> Mapping[str, Any]:
    """Return status, block and expiry of a patron, and whether the PIN is right, if it was sent.

    A PIN of which there were too many tries is not right.
    """
    body = {"card_number": card[:64]}
    reply = await terminal.api.send(
        "POST", "/v1/patron-checks", body | ({"pin": pin} if pin else {})
    )
    if reply.status in (422, 429) and pin and reply.failure().code != "too-many-requests":
        return await _checked(terminal, card, "")
    found: Mapping[str, Any] = {} if reply.status in (404, 422) else reply.json()
    return found


def _status(terminal: Terminal, facts: Facts) -> str:
    """Return the patron status: 14 characters, of which a `Y` denies.

    A service that only checks patrons does not learn why. With a block for money, 10 says so, 11
    that fees are among what is owed, and 13 lost items. The rest is blank: an old card is unknown
    (4), the library refuses nobody for overdue items, claims or losses (6, 8, 9), counts renewals
    by loan (7) and recalls nothing (12).
    """
    flags = [" "] * 14 if facts.may_borrow else [*"YYYY", *" " * 10]
    if "items" in terminal.shows and facts.limits.get("at_loan_limit"):
        flags[5] = "Y"
    if "money" in (facts.patron.get("blocked_by") or ()) and not terminal.only_checks:
        charges = facts.account.get("charges", ())
        owed = {one["kind"] for one in charges if one["outstanding_cents"]}
        flags[10] = "Y"
        flags[11] = "Y" if owed & _FEES and "amounts" in terminal.shows else " "
        flags[13] = "Y" if "lost" in owed and "amounts" in terminal.shows else " "
    return "".join(flags)


def _fields(terminal: Terminal, request: Request, facts: Facts) -> list[tuple[str, str | None]]:
    shows, account, patron = terminal.shows, facts.account, facts.patron
    owed = account["totals"]["outstanding_cents"] if account and "amounts" in shows else None
    has_pin = bool(request.get("AD"))
    return [
        ("AA", request.get("AA")),
        ("AE", account["patron"]["name"] if account and "name" in shows else ""),
        ("BL", "Y" if patron and not facts.expired else "N"),
        ("CQ", ("Y" if facts.pin_is_right else "N") if has_pin else None),
        ("BH", terminal.station.currency if owed is not None else None),
        ("BV", money(owed) if owed is not None else None),
        ("AF", _reason(terminal, facts, wrong_pin=has_pin and not facts.pin_is_right)),
    ]


def _reason(terminal: Terminal, facts: Facts, *, wrong_pin: bool) -> str | None:
    if wrong_pin or not facts.patron:
        return WRONG_PIN if wrong_pin else UNKNOWN_CARD
    if facts.expired:
        return EXPIRED
    if facts.may_borrow:
        return None
    owes = "money" in (facts.patron["blocked_by"] or ()) and not terminal.only_checks
    return OWES if owes else BLOCKED


async def status(terminal: Terminal, request: Request) -> Answer:
    """Say whether a patron may borrow. A station neither blocks nor unblocks anybody."""
    facts = await _facts(terminal, request)
    fixed = {"status": _status(terminal, facts), "language": request.fixed.get("language", "000")}
    return Answer(fixed, _fields(terminal, request, facts))


async def information(terminal: Terminal, request: Request) -> Answer:
    """Say the same with counts, and with one list of items if the station asks for it."""
    facts = await _facts(terminal, request)
    fixed = {"status": _status(terminal, facts), "language": request.fixed["language"]}
    fields = _fields(terminal, request, facts)
    if facts.account and "items" in terminal.shows:
        counts, lists = _items(terminal, facts.account)
        fixed |= counts
        asked = request.fixed["summary"].find("Y")
        if 0 <= asked < len(_LISTS):
            name = _LISTS[asked]
            fields += [(name, one) for one in _range(request, lists[name])]
    if facts.patron and "name" in terminal.shows and facts.pin_is_right:
        expires = facts.patron.get("card_expires_on")
        fields.append(("PA", expires.replace("-", "") if expires else None))
        fields += [("PC", facts.patron["category"]), ("AQ", facts.patron["home_branch"])]
    if facts.limits and "items" in terminal.shows:
        for name, most in (("BZ", "most_holds"), ("CB", "most_loans")):
            fields.append((name, f"{min(facts.limits[most], 9999):04d}"))
    if facts.limits and "amounts" in terminal.shows:
        fields.append(("CC", money(facts.limits["most_owed_cents"])))
    if facts.account and "contact" in terminal.shows:
        contact = (await terminal.api.as_patron("GET", "/v1/me/contact")).json()
        address = contact["postal_address"] or {"lines": (), "locality": "", "country": ""}
        lines = [*address["lines"], address["locality"], address["country"]]
        fields += [("BD", ", ".join(filter(None, lines)) or None)]
        fields += [("BE", contact["email"]), ("BF", contact["phone"])]
    return Answer(fixed, fields)


def _items(
    terminal: Terminal, account: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the counts of an account's items, and their lists by field."""
    loans, holds = account["loans"], account["holds"]
    ready = [one["title"] or one["id"] for one in holds if one["state"] == "ready"]
    waiting = [one["title"] or one["id"] for one in holds if one["state"] != "ready"]
    lists = {
        "AS": ready,
        "AT": [one["barcode"] for one in loans if one["overdue"]],
        "AU": [one["barcode"] for one in loans],
        "AV": [
            f"{money(one['outstanding_cents'])} {one['title'] or one['kind']}"
            for one in account["charges"]
            if one["outstanding_cents"]
        ],
        "BU": [],
        "CD": waiting,
    }
    first = len(ready) + (len(waiting) if terminal.station.hold_count == "all" else 0)
    numbers = {
        "ready": first,
        "overdue": len(lists["AT"]),
        "charged": len(loans),
        "fines": len(lists["AV"]),
        "recalled": 0,
        "waiting": len(waiting),
    }
    return {name: f"{min(count, 9999):04d}" for name, count in numbers.items()}, lists


def _range(request: Request, items: list[str]) -> list[str]:
    """Return the items from BP to BQ, which count from 1."""
    first, last = (
        int(text) if text.isascii() and text.isdigit() and len(text) < 6 else usual
        for text, usual in ((request.get("BP"), 1), (request.get("BQ"), MOST_LISTED))
    )
    return items[max(first, 1) - 1 : max(last, 0)][:MOST_LISTED]


async def renew_all(terminal: Terminal, request: Request) -> Answer:
    """Renew each loan of the patron whose PIN the station has sent."""
    if await terminal.api.known_patron(request.get("AA"), request.get("AD")) is None:
        return refusal(WRONG_PIN if request.get("AD") else NO_PIN)
    loans = (await terminal.api.as_patron("GET", "/v1/me")).json()["loans"]
    barcodes = {loan["id"]: loan["barcode"] for loan in loans}
    fines: dict[str, int] = {}
    if any(loan["overdue"] for loan in loans) and not request.says("BO"):
        fines = await _fines(terminal)
    named: dict[bool, list[str]] = {True: [], False: [barcodes.get(one, one) for one in fines]}
    if len(fines) < len(loans) or not loans:
        body = {"loan_ids": [one for one in barcodes if one not in fines]} if fines else None
        reply = await terminal.api.as_patron("POST", "/v1/me/renewals", body, terminal.key(request))
        if not reply.done:
            return refusal(reason_of(terminal, reply))
        for result in reply.json()["results"]:
            named[result["ok"]].append(barcodes.get(result["loan_id"], result["loan_id"]))
    counts = {
        "renewed_count": f"{len(named[True]):04d}",
        "unrenewed_count": f"{len(named[False]):04d}",
    }
    listed = [("BM", one) for one in named[True]] + [("BN", one) for one in named[False]]
    asked = [("AF", AGREE), *fee(terminal, sum(fines.values()))] if fines else []
    return Answer({"ok": "1", **counts}, [*asked, *listed])


async def _fines(terminal: Terminal) -> dict[str, int]:
    """Return the fines that renewing all loans would charge, in cents, by loan."""
    reply = await terminal.api.as_patron("POST", "/v1/me/renewals?preview=true")
    effects = [one["effect"] for one in reply.json()["results"] if one["ok"]]
    return {one["loan_id"]: one["fine_cents"] for one in effects if one["fine_cents"]}


async def pay(terminal: Terminal, request: Request) -> Answer:
    """Record cash that a patron has paid at the station; the receipt is the id of the payment."""
    named = [("AA", request.get("AA"))]
    patron = await terminal.api.known_patron(request.get("AA"), request.get("AD"))
    if patron is None:
        return refusal(WRONG_PIN if request.get("AD") else NO_PIN, *named)
    cents, currency = cents_of(request.get("BV")), terminal.station.currency
    if request.fixed["payment_type"] != "00" or request.fixed["currency"] != currency or not cents:
        return refusal(ONLY_CASH, *named)
    charges = (await terminal.api.as_patron("GET", "/v1/me")).json()["charges"]
    owed = [one["id"] for one in charges if one["outstanding_cents"]]
    wanted = [one for one in owed if request.get("CG") in ("", one)]
    if not wanted:
        return refusal(NOTHING_OWED, *named)
    body = {"charge_ids": wanted[:50], "amount_cents": cents, "till": terminal.station.till}
    path = f"/v1/patrons/{patron.patron_id}/payments"
    reply = await terminal.api.send(
        "POST", path, body | {"branch": terminal.branch or None}, terminal.key(request)
    )
    if not reply.done:
        return refusal(reason_of(terminal, reply), *named)
    payment = reply.json()
    text = f"Receipt {payment['id']}: {currency} {money(payment['amount_cents'])}"
    return Answer({"accepted": "Y"}, [*named, ("BK", payment["id"]), ("AF", text), ("AG", text)])


async def end_session(terminal: Terminal, request: Request) -> Answer:
    """End the patron's session."""
    await terminal.api.forget_patron()
    return Answer({"ended": "Y"}, [("AA", request.get("AA"))])
