"""Documents, fees and conditions of PAIA from what the API answers. Pure functions."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import quote, unquote

from services.gateway.web.languages import Language
from services.gateway.web.words import CHARGES

NONE, RESERVED, ORDERED, HELD, PROVIDED, REJECTED = range(6)
"""Service status of a document."""
_OF_HOLDS = {
    "waiting": RESERVED,
    "to-fetch": ORDERED,
    "in-transit": ORDERED,
    "ready": PROVIDED,
}
STORAGE = "http://purl.org/ontology/paia#StorageCondition"
"""Type of the condition to choose the pick-up library."""
_FEE = "http://purl.org/ontology/paia#FeeCondition"
_DOCUMENT_SERVICE = "http://purl.org/ontology/dso#DocumentService"
_NEVER = "9999-12-31"
"""Expiry of a card that does not expire: VuFind takes no requests of a patron without a day."""
_URI = re.compile(r"urn:carrel:([a-z]+):([^:]+)(?::([^:]+))?")

Row = Mapping[str, Any]
Condition = dict[str, dict[str, Any]]


def uri(kind: str, *ids: str) -> str:
    """Return the URI of something by its ids: `title`, `copy` of a title, `hold`, `branch` …"""
    return ":".join(["urn", "carrel", kind, *(quote(one, safe="") for one in ids)])


def ids_in(given: str, kind: str) -> tuple[str, str]:
    """Return the ids in a URI of a kind, the second "" if there is one; "" and "" for another."""
    found = _URI.fullmatch(given)
    return (unquote(found[2]), unquote(found[3] or "")) if found and found[1] == kind else ("", "")


def money(cents: int) -> str:
    """Return an amount in cents of Hong Kong dollars, 0 or more, as `12.00 HKD`."""
    return f"{cents // 100}.{cents % 100:02} HKD"


def seconds(instant: str) -> str:
    """Return an instant without fractions of a second, which PAIA's datetime does not have."""
    return datetime.fromisoformat(instant).isoformat(timespec="seconds").replace("+00:00", "Z")


def _present(fields: Row) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def patron(shown: Row, contact: Row, today: date) -> dict[str, Any]:
    """Return general information about a patron from their overview and contact."""
    expires = shown["card_expires_on"]
    expired = expires is not None and expires < today.isoformat()
    owes = "money" in (shown["blocked_by"] or ())
    blocked = shown["status"] not in (None, "active")
    state = {(True, True): 4, (True, False): 2, (False, True): 3}.get((expired, owes), int(blocked))
    postal = contact.get("postal_address") or {}
    parts = (*postal.get("lines", ()), postal.get("locality"), postal.get("country"))
    fields = {
        "name": shown["name"],
        "email": contact.get("email"),
        "address": ", ".join(filter(None, parts)) or None,
        "expires": expires or _NEVER,
        "status": state,
        "type": [uri("category", shown["category"])] if shown["category"] else None,
    }
    return _present(fields)


def of_loan(loan: Row, branches: Mapping[str, Row]) -> dict[str, Any]:
    """Return the document of an open loan."""
    document = {
        "status": HELD,
        "item": uri("copy", loan["title_id"], loan["barcode"]),
        "edition": uri("title", loan["title_id"]),
        "about": loan["title"],
        "renewals": loan["renewals"],
        "starttime": loan["borrowed_on"],
        "endtime": loan["due_at"] or loan["due_on"],
        "duedate": loan["due_on"],  # removed in PAIA 1.4; VuFind reads it
        "cancancel": False,
        "canrenew": loan["renewals_left"] > 0 and not loan["claimed_returned_on"],
    }
    return document | _storage(loan["branch"], branches)


def of_hold(hold: Row, branches: Mapping[str, Row]) -> dict[str, Any]:
    """Return the document of an open hold. `queue` is its place in the queue, 1 is next."""
    status = _OF_HOLDS[hold["state"]]
    likely, volume = hold.get("likely_ready_by") or {}, hold["volume"]
    document = {
        "status": status,
        "item": uri("hold", hold["id"]),
        "edition": uri("title", hold["title_id"]),
        "about": ", ".join(filter(None, (hold["title"], volume))),
        "queue": hold["position"],
        "starttime": hold["ready_on"] if status == PROVIDED else seconds(hold["placed_at"]),
        "endtime": hold["shelf_until"] if status == PROVIDED else likely.get("day"),
        "cancancel": True,
        "canrenew": False,
    }
    return _present(document) | _storage(hold["pickup_branch"], branches)


def _storage(code: str, branches: Mapping[str, Row]) -> dict[str, str]:
    name = branches[code]["name"] if code in branches else code
    return {"storage": name, "storageid": uri("branch", code)}


def fee(charge: Row, language: Language) -> dict[str, Any]:
    """Return the fee of a charge: what is still to be paid of it."""
    given = {
        "amount": money(charge["outstanding_cents"]),
        "date": charge["assessed_on"],
        "about": charge["title"],
        "feetype": language.say(CHARGES.get(charge["kind"], "")),
        "feeid": uri("fee", charge["kind"]),
    }
    return _present(given)


def pickup(
    branches: Mapping[str, Row], home: str | None, fee_cents: int = 0, fee_at: str = ""
) -> Condition:
    """Return the condition to choose a pick-up library; the home library is the default.

    Policies depend on the kind of a library, so the fee is given for those of the kind of `fee_at`.
    """
    kind = branches[fee_at]["kind"] if fee_cents else None
    options = [
        {"id": uri("branch", code), "about": branch["name"]}
        | ({"amount": money(fee_cents)} if branch["kind"] == kind else {})
        for code, branch in branches.items()
    ]
    default = {"default": [uri("branch", home)]} if home in branches and home else {}
    return {STORAGE: {"option": options, **default}}


def agreement(cents: int, language: Language) -> Condition:
    """Return the condition to agree to the fine of a renewal, in cents; empty without one."""
    about = language.say(CHARGES["fine"])
    option = {"id": _DOCUMENT_SERVICE, "about": about, "amount": money(cents)}
    return {_FEE: {"option": [option]}} if cents else {}


def confirmed(
    condition: Condition, confirm: Mapping[str, Sequence[str]] | None
) -> dict[str, str] | None:
    """Return the chosen option by type of a condition; None if it is not met.

    The steps are those of PAIA 1.4, "How conditions are met"; no condition here takes several
    options, or none.
    """
    if confirm is None:
        confirm = {kind: one.get("default", ()) for kind, one in condition.items()}
    chosen: dict[str, str] = {}
    for kind, setting in condition.items():
        offered = {option["id"] for option in setting["option"]}
        left = [one for one in confirm.get(kind, ()) if one in offered]
        if not left:
            return None
        chosen[kind] = left[0]
    return chosen
