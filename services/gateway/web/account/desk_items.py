"""Commands for the loans and reservations on the desk page of an account.

What was refused of several items is shown in the response itself, beside each: it does not fit into
a message, and the form's key makes sending it again harmless.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.account.desk import PATH, page_of_account, show_account
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    messages={
        "items-renewed": marked("Renewed: %(count)s."),
        "items-renewed-charged": marked(
            "Renewed: %(count)s. The fines so far are charged: %(fine_cents)s."
        ),
        "items-claimed": marked(
            "Recorded as said to be back: %(count)s. Please look for it on the shelves."
        ),
        "items-lost": marked("Recorded as lost: %(count)s. The charges are below."),
        "holds-cancelled": marked("Cancelled: %(count)s."),
        "holds-moved": marked("The pick-up library is changed: %(count)s."),
        "reserved-in-queue": marked("Reserved: %(title)s. Number %(position)s in the queue."),
        "reserved-copy": marked("Reserved: %(title)s. A copy is kept for the reader."),
    },
    problems={
        "some-refused": marked("Not everything was done. The reasons are beside the items."),
        "no-title-found": marked("No item and no title is found. Check the code or the words."),
        "several-titles": marked("Several titles are found. Choose one of them below."),
        "volume-to-choose": marked("This title has volumes. Choose the one that is wanted."),
    },
    at_fault={"no-title-found": "q", "volume-to-choose": "volume"},
    fields={"q": marked("Reserve: barcode, ISBN or words of a title")},
)

_TITLES = "6"
"""Titles that a search offers to reserve."""
_DONE = {
    "claim": "items-claimed",
    "loss": "items-lost",
    "cancel": "holds-cancelled",
    "move": "holds-moved",
}
"""Message for each command of several items that has succeeded for all."""


@router.post("/desk/accounts/{patron_id}/loans")
async def post_loans(request: DeskRequest, patron_id: str) -> Response:
    """Renew the chosen loans or all, or record them as said to be back or lost."""
    chosen, command = request.texts("loan"), request.text("do") or "renew"
    if not chosen and command != "renew-all":
        return _nothing_chosen(request, patron_id)
    if command in ("renew", "renew-all"):
        return await _renew(request, patron_id, chosen if command == "renew" else None)
    path = "claim" if command == "claim" else "loss"
    replies = await asyncio.gather(
        *(
            request.api.send("POST", f"/v1/loans/{segment(one)}/{path}", key=request.key_of(one))
            for one in chosen
        )
    )
    return await _each(request, patron_id, chosen, replies, path)


async def _renew(request: PageRequest, patron_id: str, chosen: Sequence[str] | None) -> Response:
    reason = request.text("override")
    if reason and chosen:
        body = {"override": {"reason": reason}}
        replies = await asyncio.gather(
            *(
                request.api.send(
                    "POST", f"/v1/loans/{segment(one)}/renewals", body, key=request.key_of(one)
                )
                for one in chosen
            )
        )
        results: list[dict[str, Any]] = [
            reply.json() if reply.done else {"loan_id": one, "problem": _problem(reply)}
            for one, reply in zip(chosen, replies, strict=True)
        ]
    else:
        path = f"{PATH}/{segment(patron_id)}/renewals"
        reply = await request.send("POST", path, chosen and {"loan_ids": chosen})
        if not reply.done:
            return await show_account(request, patron_id, forms.refusal(reply))
        results = reply.json()["results"]
    refused = {one["loan_id"]: one["problem"] for one in results if one.get("problem")}
    done = [one for one in results if not one.get("problem")]
    fines = sum(one["charge"]["amount_cents"] for one in done if one["charge"])
    message = FlashMessage(
        "items-renewed-charged" if fines else "items-renewed",
        {"count": len(done), "fine_cents": fines},
    )
    return await _outcome(request, patron_id, refused, message)


@router.post("/desk/accounts/{patron_id}/holds")
async def post_holds(request: DeskRequest, patron_id: str) -> Response:
    """Cancel the chosen reservations, or change their pick-up library."""
    chosen = request.texts("hold")
    if not chosen:
        return _nothing_chosen(request, patron_id)
    moved = (
        {"pickup_branch": request.text("pickup_branch")} if request.text("do") == "move" else None
    )
    replies = await asyncio.gather(
        *(
            request.api.send(
                "PATCH" if moved else "DELETE",
                f"/v1/holds/{segment(one)}",
                moved,
                key=request.key_of(one),
            )
            for one in chosen
        )
    )
    return await _each(request, patron_id, chosen, replies, "move" if moved else "cancel")


@router.post("/desk/accounts/{patron_id}/hold")
async def post_hold(request: DeskRequest, patron_id: str) -> Response:
    """Reserve the title that was chosen, or the only one that a code or some words find."""
    title_id = request.text("title_id")
    if not title_id:
        found = await _titles(request)
        if len(found) != 1:
            code = "several-titles" if found else "no-title-found"
            return await show_account(request, patron_id, Failure(422, code), titles=found)
        title_id = found[0]["id"]
    wanted: dict[str, Any] = {
        "title_id": title_id,
        "patron_id": patron_id,
        "pickup_branch": request.text("pickup"),
        "volume": request.text("volume") or None,
    }
    if request.text("override"):
        wanted["override"] = {"reason": request.text("override")}
    # The same form may be sent with another title: each has a key of its own.
    key = request.key_of(f"{title_id} {wanted['volume']} {request.text('override')}")
    title, reply = await asyncio.gather(
        request.api.get(f"/v1/titles/{segment(title_id)}"),
        request.api.send("POST", "/v1/holds", wanted, key=key),
    )
    if reply.done:
        facts = {"title": title.json()["title"], "position": reply.json()["position"]}
        code = "reserved-in-queue" if facts["position"] else "reserved-copy"
        return request.go(page_of_account(patron_id), FlashMessage(code, facts))
    refused = forms.refusal(reply)
    volumes = []
    if refused and refused.code == "which-volume":
        volumes = [one["volume"] for one in title.json()["volumes"]]
        refused = Failure(422, "volume-to-choose")
    return await show_account(
        request,
        patron_id,
        refused,
        volumes=volumes,
        wanted=title_id,
        hold_refused=refused is not None and refused.status == 409,
    )


async def _titles(request: PageRequest) -> list[dict[str, Any]]:
    """Return the title of the copy with a barcode, or the first that a search finds."""
    text = request.text("q")
    if not text:
        return []
    copy, searched = await asyncio.gather(
        request.api.get(f"/v1/copies/{segment(text)}"),
        request.api.get("/v1/titles", q=text, limit=_TITLES),
    )
    if copy.done:
        return [{"id": copy.json()["title_id"]}]
    found: list[dict[str, Any]] = searched.json()["items"] if searched.done else []
    return found


async def _each(
    request: PageRequest,
    patron_id: str,
    chosen: Sequence[str],
    replies: Sequence[Reply],
    command: str,
) -> Response:
    refused = {
        one: _problem(reply) for one, reply in zip(chosen, replies, strict=True) if not reply.done
    }
    message = FlashMessage(_DONE[command], {"count": len(chosen) - len(refused)})
    return await _outcome(request, patron_id, refused, message)


def _problem(reply: Reply) -> dict[str, Any]:
    """Return a refusal in the form in which lists of results have it. Raises an ended session."""
    refused = forms.refusal(reply)
    if refused is None:
        return {}
    return {
        "code": refused.code,
        "detail": refused.detail,
        "ways_out": refused.ways_out,
        "may_be_overridden": False,
    }


async def _outcome(
    request: PageRequest,
    patron_id: str,
    refused: Mapping[str, Mapping[str, Any]],
    message: FlashMessage,
) -> Response:
    if not refused:
        return request.go(page_of_account(patron_id), message)
    return await show_account(request, patron_id, Failure(409, "some-refused"), attempts=refused)


def _nothing_chosen(request: PageRequest, patron_id: str) -> Response:
    message = FlashMessage("nothing-chosen", went_well=False)
    return request.go(page_of_account(patron_id), message)
