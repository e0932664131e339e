"""Common parts of the desk's forms: libraries, cards, lists of barcodes, and outcomes."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import Response

from services.gateway.web import session
from services.gateway.web.api import Api, Failure, Reply
from services.gateway.web.desk_words import CATEGORIES
from services.gateway.web.fields import Fields, filled
from services.gateway.web.visit import Visit
from services.gateway.web.words import MALFORMED_BARCODES

COOKIE = "carrel_place"
_COOKIE_SECONDS = 365 * 24 * 3600
_USUAL = ("adult", "junior")
_AMOUNT = re.compile(r"(\d{1,5})(?:\.(\d\d))?")
"""An amount in dollars, which the API takes."""
_LONGEST_SHOWN = 40
"""Characters of a malformed barcode that its message shows."""


def desk_branch(visit: Visit, names: Mapping[str, str]) -> str:
    """Return the library of this desk: from the form, or as chosen the last time.

    "" if none was chosen yet, or if it is not among the `names` of the libraries any more.
    """
    branch = visit.text("branch") or session.cookie(visit.request, COOKIE)
    return branch if branch in names or not names else ""


def remember_branch(visit: Visit, response: Response, branch: str) -> Response:
    """Store the chosen library in a cookie, so that the desk's forms begin with it."""
    session.keep(visit.request, response, COOKIE, branch, seconds=_COOKIE_SECONDS)
    return response


def barcodes(visit: Visit) -> list[str]:
    """Return the barcodes of a field, one a line as scanners send them, each once."""
    return list(dict.fromkeys(visit.text("barcodes").split()))


def lines(visit: Visit, name: str) -> list[str]:
    """Return the lines of a field that are not blank."""
    return [line.strip() for line in visit.text(name).splitlines() if line.strip()]


def sessions(visit: Visit) -> list[dict[str, str]]:
    """Return the sessions of a form, one a line, such as `09:00-13:00`."""
    edges = (line.partition("-") for line in lines(visit, "sessions"))
    return [{"opens": opens.strip(), "closes": closes.strip()} for opens, _, closes in edges]


def scope(visit: Visit) -> dict[str, Any]:
    """Return the ticked libraries, by kind or one by one, in the API's form."""
    chosen = {"kinds": visit.texts("kinds"), "branches": visit.texts("branches")}
    return {name: values for name, values in chosen.items() if values}


def given(visit: Visit, *names: str) -> dict[str, str]:
    """Return the fields that were filled in; the API treats the others as not given."""
    return {name: visit.text(name) for name in names if visit.text(name)}


def numbers(visit: Visit, *names: str) -> dict[str, int | str]:
    """Return the numbers that were filled in; the API treats the others as not given."""
    typed = {name: visit.number(name) for name in names}
    return {name: number for name, number in typed.items() if number is not None}


def instant(visit: Visit, name: str) -> str | None:
    """Return the day and time of two fields with the library's offset; None if both are empty."""
    typed = f"{visit.text(f'{name}_on')}T{visit.text(f'{name}_time')}"
    if typed == "T":
        return None
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=visit.zone).isoformat()
    except ValueError:
        return typed  # the API says what is wrong with it


def cents(visit: Visit, name: str) -> int | None:
    """Return an amount that was typed in dollars; None if it is none."""
    amount = _AMOUNT.fullmatch(visit.text(name))
    return int(amount[1]) * 100 + int(amount[2] or 0) if amount else None


def seen(visit: Visit, name: str = "seen") -> int | None:
    """Return a number that the form was shown with, such as a version; None if it is none."""
    text = visit.text(name)
    return int(text) if text.isdecimal() and len(text) < 10 else None


def refusal(reply: Reply | None) -> Failure | None:
    """Return why a command was refused, if it was. Raises the failure if the session has ended."""
    if reply is None or reply.done:
        return None
    failure = reply.failure()
    if failure.status == 401:
        raise failure
    return failure


def reworded(refused: Failure | None, codes: Mapping[str, str]) -> Failure | None:
    """Return a refusal with the code of the desk's own text, where the API's is for readers."""
    if refused is None:
        return None
    code = codes.get(refused.code, refused.code)
    return Failure(refused.status, code, refused.detail, refused.errors)


async def categories(api: Api) -> dict[str, str]:
    """Return names of patron categories: the usual ones, and those that policies name."""
    reply = await api.get("/v1/policies")
    rows = reply.json()["items"] if reply.done else []
    others = {row["patron_category"] for row in rows if row["patron_category"]} - {*_USUAL}
    return {code: CATEGORIES.get(code, code) for code in (*_USUAL, *sorted(others))}


async def card_holder(visit: Visit) -> dict[str, Any] | Failure:
    """Return the patron whose card number was typed, or why there is none to show.

    Raises the failure if the session has ended.
    """
    reply = await visit.api.get("/v1/patrons", card=visit.text("card_number") or "-")
    refused = refusal(reply)
    if refused is not None:
        return refused
    found: list[dict[str, Any]] = reply.json()["items"]
    return found[0] if found else Failure(404, "no-such-card", "", [])


def outcomes(visit: Visit, reply: Reply | None, *names: str) -> dict[str, Any]:
    """Return the outcome for a page with several forms, each named by the end of its address.

    Two of them ask for a reason, so the one of the withdrawal has an id of its own.
    """
    refused = refusal(reply)
    sent = visit.request.url.path.rpartition("/")[2]
    ids = {"withdrawal": {"reason": "withdrawal-reason"}}
    filled_in = {
        name: filled(visit, refused if name == sent else None, **ids.get(name, {}))
        for name in names
    }
    status = refused.status if refused else 200
    return {"status": status, "refused": refused, "forms": filled_in, "form": filled_in.get(sent)}


def outcome(visit: Visit, reply: Reply | None) -> dict[str, Any]:
    """Return the outcome of a command for a page with one form: status, refusal, form."""
    return outcome_of(visit, refusal(reply))


def outcome_of(visit: Visit, refused: Failure | None) -> dict[str, Any]:
    """Return the outcome for a page with one form, which was refused or not."""
    status = refused.status if refused else 200
    return {"status": status, "refused": refused, "form": filled(visit, refused)}


def outcome_of_barcodes(visit: Visit, reply: Reply | None) -> dict[str, Any]:
    """Return the outcome for a page with a list of barcodes; malformed ones are named beside it."""
    shown = outcome(visit, reply)
    refused, form = shown["refused"], shown["form"]
    places = refused.invalid_places("barcodes") if refused else []
    if not places:
        return shown
    sent = barcodes(visit)
    named = ", ".join(sent[place][:_LONGEST_SHOWN] for place in places)
    fault = visit.language.say(MALFORMED_BARCODES) % {"barcodes": named}
    return {**shown, "form": replace(form, faults={**form.faults, "barcodes": fault})}


def scanned(visit: Visit, refused: Failure | None) -> Fields:
    """Return the form of a scanner, which types into an empty field.

    If nobody knows what became of a code, it stays there.
    """
    unknown = refused is not None and refused.status == 503
    return filled(visit, refused) if unknown else Fields()


def outcome_of_scan(visit: Visit, reply: Reply | None) -> dict[str, Any]:
    """Return the outcome of a command for a page with one form, which is for a scanner."""
    return outcome(visit, reply) | {"form": scanned(visit, refusal(reply))}
