"""Forms: what was typed, messages beside invalid fields, and the outcome of a command."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from fastapi import Response

from services.gateway.web import session
from services.gateway.web.api import Api, Failure, Reply
from services.gateway.web.page_request import PageRequest
from services.gateway.web.words import CATEGORIES
from shared.translations import marked

FILL_IN = marked("Please fill this in.")
CHECK_FIELD = marked("Please check this field.")
TOO_LONG = marked("This is too long. Please shorten it.")
MALFORMED_BARCODES = marked(
    "Nothing was done. These are not barcodes: %(barcodes)s. Please correct or remove them and "
    "send the form again. A barcode has letters, digits and hyphens, at most 40."
)


@dataclass(frozen=True)
class Fields:
    """The fields of a form, by name."""

    typed: PageRequest | None = None
    """PageRequest that sent the form; None for a form not yet filled in."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """Message beside a field, by the field's name."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """Ids of fields whose name is already an id of the same page."""

    def text(self, name: str, default: object = None) -> str:
        """Return the typed text of a field, or its initial value."""
        return self.typed.text(name) if self.typed else str(default or "")

    def texts(self, name: str) -> list[str]:
        """Return the ticked values of a field."""
        return self.typed.texts(name) if self.typed else []

    def id(self, name: str) -> str:
        """Return the id of a field, used by links and messages."""
        return self.ids.get(name, name)


def filled(request: PageRequest, refused: Failure | None, **ids: str) -> Fields:
    """Return the refused form as it was typed; an empty form if there was no refusal."""
    if refused is None:
        return Fields(ids=ids)
    if refused.fields:
        faults = {name: _fault(name, request, refused) for name in refused.fields}
    else:
        about = request.renderer.texts.at_fault.get(refused.code, ())
        names = [about] if isinstance(about, str) else [one for one in about if one in request.form]
        faults = dict.fromkeys(names, request.renderer.texts.problems[refused.code])
    return Fields(request, faults, ids)


def _fault(name: str, request: PageRequest, refused: Failure) -> str:
    if name in refused.too_long:
        return TOO_LONG
    return CHECK_FIELD if request.text(name) else FILL_IN


_COOKIE_SECONDS = 365 * 24 * 3600
_USUAL = ("adult", "junior")
_AMOUNT = re.compile(r"(\d{1,5})(?:\.(\d\d))?")
"""An amount in dollars, which the API takes."""
_LONGEST_SHOWN = 40
"""Characters of a malformed barcode that its message shows."""


def desk_branch(request: PageRequest, names: Mapping[str, str]) -> str:
    """Return the library of this desk: from the form, or as chosen the last time.

    "" if none was chosen yet, or if it is not among the `names` of the libraries any more.
    """
    branch = request.text("branch") or session.cookie(request.http, session.PLACE)
    return branch if branch in names or not names else ""


def remember_branch(request: PageRequest, response: Response, branch: str) -> Response:
    """Store the chosen library in a cookie, so that the desk's forms begin with it."""
    session.keep(request.http, response, session.PLACE, branch, seconds=_COOKIE_SECONDS)
    return response


def ask_for_place(
    request: PageRequest, names: Mapping[str, str], back: str, refused: Failure | None = None
) -> Response:
    """Ask for the library of this desk; `back` is the path that its choice leads to."""
    return request.page(
        "copies/desk-place.html",
        branches=names,
        place=names.get(desk_branch(request, names), ""),
        back=session.own_path(back),
        **outcome_of(request, refused),
    )


def desk_till(request: PageRequest) -> dict[str, str]:
    """Return the library and the till of this desk, in the API's form; empty without a library."""
    place = session.cookie(request.http, session.PLACE)
    till = session.cookie(request.http, session.TILL)
    return {"branch": place, "till": till} if place else {}


def barcodes(request: PageRequest) -> list[str]:
    """Return the barcodes of a field, one a line as scanners send them, each once."""
    return list(dict.fromkeys(request.text("barcodes").split()))


def lines(request: PageRequest, name: str) -> list[str]:
    """Return the lines of a field that are not blank."""
    return [line.strip() for line in request.text(name).splitlines() if line.strip()]


def sessions(request: PageRequest) -> list[dict[str, str]]:
    """Return the sessions of a form, one a line, such as `09:00-13:00`."""
    edges = (line.partition("-") for line in lines(request, "sessions"))
    return [{"opens": opens.strip(), "closes": closes.strip()} for opens, _, closes in edges]


def scope(request: PageRequest) -> dict[str, Any]:
    """Return the ticked libraries, by kind or one by one, in the API's form."""
    chosen = {"kinds": request.texts("kinds"), "branches": request.texts("branches")}
    return {name: values for name, values in chosen.items() if values}


def given(request: PageRequest, *names: str) -> dict[str, str]:
    """Return the fields that were filled in; the API treats the others as not given."""
    return {name: request.text(name) for name in names if request.text(name)}


def postal_address(request: PageRequest) -> dict[str, Any] | None:
    """Return the postal address that was typed; None if its fields are empty."""
    lines = [line for line in request.text("lines").splitlines() if line.strip()]
    rest = given(request, "locality", "country")
    return {"lines": lines, **rest} if lines or rest else None


def numbers(request: PageRequest, *names: str) -> dict[str, int | str]:
    """Return the numbers that were filled in; the API treats the others as not given."""
    typed = {name: request.number(name) for name in names}
    return {name: number for name, number in typed.items() if number is not None}


def instant(request: PageRequest, name: str) -> str | None:
    """Return the day and time of two fields with the library's offset; None if both are empty."""
    typed = f"{request.text(f'{name}_on')}T{request.text(f'{name}_time')}"
    if typed == "T":
        return None
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=request.zone).isoformat()
    except ValueError:
        return typed  # the API says what is wrong with it


def cents(request: PageRequest, name: str) -> int | None:
    """Return an amount that was typed in dollars; None if it is none."""
    amount = _AMOUNT.fullmatch(request.text(name))
    return int(amount[1]) * 100 + int(amount[2] or 0) if amount else None


def day(text: str) -> date | None:
    """Return a day of an address or a form; None if the text is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def seen(request: PageRequest, name: str = "seen") -> int | None:
    """Return a number that the form was shown with, such as a version; None if it is none."""
    text = request.text(name)
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
    return Failure(refused.status, code, refused.detail, refused.errors, refused.ways_out)


async def categories(api: Api) -> dict[str, str]:
    """Return names of patron categories: the usual ones, and those that policies name."""
    reply = await api.get("/v1/policies")
    rows = reply.json()["items"] if reply.done else []
    others = {row["patron_category"] for row in rows if row["patron_category"]} - {*_USUAL}
    return {code: CATEGORIES.get(code, code) for code in (*_USUAL, *sorted(others))}


async def card_holder(request: PageRequest) -> dict[str, Any] | Failure:
    """Return the patron whose card number was typed, or why there is none to show.

    Raises the failure if the session has ended.
    """
    reply = await request.api.get("/v1/patrons", card=request.text("card_number") or "-")
    refused = refusal(reply)
    if refused is not None:
        return refused
    found: list[dict[str, Any]] = reply.json()["items"]
    return found[0] if found else Failure(404, "no-such-card")


def outcomes(request: PageRequest, reply: Reply | None, *names: str) -> dict[str, Any]:
    """Return the outcome for a page with several forms, which was refused or not."""
    return outcomes_of(request, refusal(reply), *names)


def outcomes_of(request: PageRequest, refused: Failure | None, *names: str) -> dict[str, Any]:
    """Return the outcome for a page with several forms, each named by the end of its address.

    Two of them may ask for a reason, or for a card: each second one has an id of its own.
    """
    sent = request.http.url.path.rpartition("/")[2]
    ids = {
        "withdrawal": {"reason": "withdrawal-reason"},
        "verification": {"card_number": "full-card-number"},
        "hold": {"override": "hold-override"},
    }
    filled_in = {
        name: filled(request, refused if name == sent else None, **ids.get(name, {}))
        for name in names
    }
    status = refused.status if refused else 200
    return {"status": status, "refused": refused, "forms": filled_in, "form": filled_in.get(sent)}


def outcome(request: PageRequest, reply: Reply | None) -> dict[str, Any]:
    """Return the outcome of a command for a page with one form: status, refusal, form."""
    return outcome_of(request, refusal(reply))


def outcome_of(request: PageRequest, refused: Failure | None, **ids: str) -> dict[str, Any]:
    """Return the outcome for a page with one form, which was refused or not."""
    status = refused.status if refused else 200
    return {"status": status, "refused": refused, "form": filled(request, refused, **ids)}


def outcome_of_barcodes(request: PageRequest, reply: Reply | None) -> dict[str, Any]:
    """Return the outcome for a page with a list of barcodes; malformed ones are named beside it."""
    shown = outcome(request, reply)
    refused, form = shown["refused"], shown["form"]
    places = refused.invalid_places("barcodes") if refused else []
    if not places:
        return shown
    sent = barcodes(request)
    named = ", ".join(sent[place][:_LONGEST_SHOWN] for place in places)
    fault = request.language.say(MALFORMED_BARCODES) % {"barcodes": named}
    return {**shown, "form": replace(form, faults={**form.faults, "barcodes": fault})}


def scanned(request: PageRequest, refused: Failure | None) -> Fields:
    """Return the form of a scanner, which types into an empty field.

    If nobody knows what became of a code, it stays there.
    """
    unknown = refused is not None and refused.status == 503
    return filled(request, refused) if unknown else Fields()


def outcome_of_scan(request: PageRequest, reply: Reply | None) -> dict[str, Any]:
    """Return the outcome of a command for a page with one form, which is for a scanner."""
    return outcome(request, reply) | {"form": scanned(request, refusal(reply))}
