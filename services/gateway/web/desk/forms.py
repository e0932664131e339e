"""What the desk's forms have in common: libraries, lists of barcodes, and the place of work."""

from typing import Any

from fastapi import Response

from services.gateway.web import session
from services.gateway.web.api import Failure, Reply
from services.gateway.web.fields import filled
from services.gateway.web.visit import Visit

PLACE = "carrel_place"
_PLACE_SECONDS = 365 * 24 * 3600


def place(visit: Visit) -> str:
    """The library that this desk is in: as the form says, or as it said the last time."""
    return visit.text("branch") or session.cookie(visit.request, PLACE)


def stay(visit: Visit, response: Response) -> Response:
    """Let this browser's forms begin with the library that was chosen now."""
    session.keep(visit.request, response, PLACE, place(visit), seconds=_PLACE_SECONDS)
    return response


def barcodes(visit: Visit) -> list[str]:
    """The barcodes of a field, one a line as scanners send them, each once."""
    return list(dict.fromkeys(visit.text("barcodes").split()))


def lines(visit: Visit, name: str) -> list[str]:
    """The lines of a field that have anything on them."""
    return [line.strip() for line in visit.text(name).splitlines() if line.strip()]


def scope(visit: Visit) -> dict[str, Any]:
    """The libraries that were ticked, by kind or one by one, as the API takes them."""
    chosen = {"kinds": visit.texts("kinds"), "branches": visit.texts("branches")}
    return {name: values for name, values in chosen.items() if values}


def given(visit: Visit, *names: str) -> dict[str, str]:
    """The fields that were filled in; the API takes the others as not said."""
    return {name: visit.text(name) for name in names if visit.text(name)}


def refusal(reply: Reply | None) -> Failure | None:
    """Why a command was refused, if it was. Raises it where the session has ended."""
    if reply is None or reply.done:
        return None
    failure = reply.failure()
    if failure.status == 401:
        raise failure
    return failure


def outcomes(visit: Visit, reply: Reply | None, *names: str) -> dict[str, Any]:
    """The same of a page with several forms, each named as its address ends.

    A reason is asked for by two of them: the withdrawal's has an id of its own.
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
    """What a page with one form shows of a command: its status, why it was refused, the form."""
    refused = refusal(reply)
    status = refused.status if refused else 200
    return {"status": status, "refused": refused, "form": filled(visit, refused)}
