"""Desk pages of the wordings of messages: change them, try them out, take them back."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.desk import forms
from services.gateway.web.desk_words import MESSAGE_KINDS
from services.gateway.web.fields import Fields
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)

PARTS = ("subject", "opening", "text", "closing")


@router.get("/desk/wordings")
async def get_wordings(visit: DeskVisit) -> Response:
    """List the kinds of messages, with a link to the wording in each language."""
    replies = await asyncio.gather(
        *(visit.api.get("/v1/wordings", language=code) for code in LANGUAGES)
    )
    by_language = [{one["kind"]: one for one in reply.json()["items"]} for reply in replies]
    return visit.page(
        "desk/wordings.html",
        kinds={kind: [one[kind] for one in by_language] for kind in by_language[0]},
        names=MESSAGE_KINDS,
        languages=LANGUAGES,
    )


@router.get("/desk/wording")
async def get_wording(visit: DeskVisit, kind: str = "", of: str = "") -> Response:
    """Show the form with the wording of a kind in a language."""
    return await _form(visit, kind, of)


@router.post("/desk/wording")
async def post_wording(visit: DeskVisit) -> Response:
    """Save the texts, show a message with them, or send it once to an address."""
    kind, of = visit.text("kind"), visit.text("of")
    texts: dict[str, Any] = {name: visit.text(name) or None for name in PARTS}
    match visit.text("do"):
        case "preview":
            if visit.text("card_number"):
                found = await visit.api.get("/v1/patrons", card=visit.text("card_number"))
                patrons = found.json()["items"]
                if not patrons:
                    return await _form(visit, kind, of, said="no-such-card", went_well=False)
                texts["patron_id"] = patrons[0]["id"]
            reply = await visit.api.send("POST", f"{_path(kind, of)}/previews", texts)
            shown = reply.json() if reply.done else None
            return await _form(visit, kind, of, refused=reply, preview=shown)
        case "trial":
            texts["address"] = visit.text("address")
            path = f"{_path(kind, of)}/trials"
            reply = await visit.api.send("POST", path, texts, key=visit.key)
            said = "trial-sent" if reply.done else None
            return await _form(visit, kind, of, refused=reply, said=said)
        case _:
            texts["seen"] = forms.seen(visit)
            reply = await visit.api.send("PUT", _path(kind, of), texts, key=visit.key)
            return await _saved(visit, kind, of, reply)


@router.post("/desk/wording/restoration")
async def post_restoration(visit: DeskVisit) -> Response:
    """Take back to an earlier version, or to the built-in wording."""
    kind, of = visit.text("kind"), visit.text("of")
    body = {"number": forms.seen(visit, "version"), "seen": forms.seen(visit)}
    path = f"{_path(kind, of)}/restorations"
    return await _saved(visit, kind, of, await visit.api.send("POST", path, body, key=visit.key))


def _path(kind: str, of: str) -> str:
    return f"/v1/wordings/{segment(kind)}/{segment(of)}"


async def _saved(visit: Visit, kind: str, of: str, reply: Reply) -> Response:
    if not reply.done:
        return await _form(visit, kind, of, refused=reply)
    query = urlencode({"kind": kind, "of": of})
    return visit.go(f"/desk/wording?{query}", FlashMessage("wording-saved", {}))


async def _form(
    visit: Visit,
    kind: str,
    of: str,
    *,
    refused: Reply | None = None,
    preview: dict[str, Any] | None = None,
    said: str | None = None,
    went_well: bool = True,
) -> Response:
    """Show the form, as it was typed if it was sent."""
    wording = (await visit.api.get(_path(kind, of))).json()
    outcome = forms.outcome(visit, refused)
    if outcome["refused"] is None and visit.form:
        outcome["form"] = Fields(visit)
    return visit.page(
        "desk/wording.html",
        wording=wording,
        name=MESSAGE_KINDS.get(kind, kind),
        spoken=LANGUAGES[of].name,
        preview=preview,
        said=said,
        went_well=went_well,
        **outcome,
    )
