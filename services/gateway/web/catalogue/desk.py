"""Desk pages of titles: add one by its ISBN, look after it, and see who waits for it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.account_names import account_names
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.catalogue.fields import (
    LANGUAGES,
    of_form,
    stored_beside,
    texts_of_title,
    title_body,
)
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

NOW_STORED = marked("Stored now: %(text)s")
"""Message beside a field that somebody else has changed."""
router = Pages(
    menus={"staff": [("/desk/titles", marked("Add titles"))]},
    messages={
        "title-known": marked("This title is in the catalogue already. You can add copies."),
        "title-added": marked("The title is in the catalogue. Now add its copies."),
        "title-changed": marked("The title is saved."),
        "edition-joined": marked("Readers can now reserve any of these editions."),
        "edition-parted": marked("This title is no longer an edition of another."),
    },
    problems={
        "isbn-digit": marked(
            "The check digit of this ISBN is wrong. Please scan or type it again."
        ),
        "isbn-form": marked(
            "This is no ISBN: it has 10 digits, or 13 that begin with 978 or 979. Without one, add "
            "the title by its name."
        ),
        "no-such-edition": marked("No other title in the catalogue has this ISBN."),
        "changed-meanwhile": marked(
            "Somebody else has changed this since you opened it, so nothing is saved yet. What is "
            "stored now stands beside each field that differs. Save again to replace it."
        ),
    },
    at_fault={"isbn-digit": "isbn", "isbn-form": "isbn", "no-such-edition": "isbn"},
    fields={
        "title_proper": marked("Title"),
        "title_languages": marked("Languages"),
        "authors": marked("Authors"),
        "isbn": marked("ISBN"),
        "kind": marked("Format"),
        "year": marked("Year of publication"),
        "series": marked("Series"),
        "identifiers": marked("Other numbers"),
        "cover": marked("Address of a picture of the cover"),
        "summary": marked("Summary"),
        "contents": marked("Contents"),
    },
)

WORK_PREFIX = "w-"
"""Beginning of the id of a work."""
SHOWN = 60
"""Copies that the page of a title shows at first."""
WAITING = "50"
"""Readers in the queue of a title that its page shows."""


@router.get("/desk/titles")
async def get_titles(request: DeskRequest) -> Response:
    """Ask for an ISBN, or for a file of MARC records."""
    return adding(request, None)


def adding(request: PageRequest, refused: Failure | None, isbn: str = "") -> Response:
    """Return the page that asks for an ISBN or a file, with the problem of what was sent."""
    shown = forms.outcome_of(request, refused)
    texts = request.renderer.texts
    faults = {}
    if refused:
        faults[str(texts.at_fault.get(refused.code, "marc"))] = texts.of_problem(
            refused.code, refused.status
        )
    shown["form"] = forms.Fields(None, faults)
    return request.page("catalogue/desk-add.html", isbn=isbn, **shown)


@router.get("/desk/titles/new")
async def get_new_title(request: DeskRequest, isbn: str = "") -> Response:
    """Show the title with an ISBN, if there is one, else the form for a new one."""
    isbn = isbn.strip()[:30]
    if isbn:
        reply = await request.api.get("/v1/titles", isbn=isbn, limit="2")
        if reply.status == 422:
            message = str(reply.failure().errors[0].get("message", ""))
            code = "isbn-digit" if "check digit" in message else "isbn-form"
            return adding(request, Failure(422, code), isbn)
        if found := reply.json()["items"]:
            return request.go(f"/desk/titles/{segment(found[0]['id'])}", "title-known")
    return _title_form(request, {"isbn": isbn}, None)


@router.post("/desk/titles/new")
async def post_title(request: DeskRequest) -> Response:
    """Catalogue a title; its copies come next."""
    reply = await request.send("POST", "/v1/titles", title_body(request) | {"copies": []})
    if not reply.done:
        return _title_form(request, {}, reply)
    return request.go(f"/desk/titles/{segment(reply.json()['id'])}/copies", "title-added")


def _title_form(
    request: PageRequest, texts: Mapping[str, str], reply: Reply | None, **shown: Any
) -> Response:
    refused = forms.refusal(reply)
    outcome = forms.outcome_of(request, of_form(refused) if refused else None)
    return request.page(
        "catalogue/desk-title-form.html",
        **{"texts_now": texts, "language_codes": LANGUAGES, "title": None, **outcome, **shown},
    )


@router.get("/desk/titles/{title_id}")
async def get_title(request: DeskRequest, title_id: str, every: str = "") -> Response:
    """Show a title with its copies, its other editions and the readers who wait for it."""
    return await _title_page(request, title_id, every)


async def _title_page(
    request: PageRequest, title_id: str, every: str = "", refused: Failure | None = None
) -> Response:
    path = f"/v1/titles/{segment(title_id)}"
    asked, queue, names = await asyncio.gather(
        request.api.get(path),
        request.api.get(f"{path}/holds", limit=WAITING),
        branch_names(request.api),
    )
    title = asked.json()
    here = forms.desk_branch(request, names)
    copies = sorted(title["copies"], key=lambda copy: copy["branch"] != here)
    waiting = queue.json_or({"items": [], "next": None})
    return request.page(
        "catalogue/desk-title.html",
        title=title,
        copies=copies if every else copies[:SHOWN],
        queue=waiting["items"],
        more=waiting["next"],
        readers=await account_names(request.api, (hold["patron_id"] for hold in waiting["items"])),
        branches=names,
        **forms.outcome_of(request, refused),
    )


@router.post("/desk/titles/{title_id}/editions")
async def post_edition(request: DeskRequest, title_id: str) -> Response:
    """Make a title an edition of the same work as the one with an ISBN, or of none."""
    here = f"/v1/titles/{segment(title_id)}/work"
    if request.text("part"):
        reply = await request.api.send("PUT", here, {"work_id": None}, key=request.key_of("part"))
        outcome = "edition-parted"
    else:
        found = await request.api.get("/v1/titles", isbn=request.text("isbn")[:30], limit="2")
        other = next((one for one in found.items if one["id"] != title_id), None)
        if other is None:
            failure = forms.refusal(found) or Failure(404, "no-such-edition")
            return await _title_page(request, title_id, refused=failure)
        work = {"work_id": other["work_id"] or f"{WORK_PREFIX}{other['id']}"}
        there = f"/v1/titles/{segment(other['id'])}/work"
        reply = await request.api.send("PUT", there, work, key=request.key_of("other"))
        if reply.done:
            reply = await request.api.send("PUT", here, work, key=request.key_of("own"))
        outcome = "edition-joined"
    if not reply.done:
        return await _title_page(request, title_id, refused=forms.refusal(reply))
    return request.go(f"/desk/titles/{segment(title_id)}", outcome)


@router.get("/desk/titles/{title_id}/edit")
async def get_edit(request: DeskRequest, title_id: str) -> Response:
    """Show the form to change a title."""
    title = (await request.api.get(f"/v1/titles/{segment(title_id)}")).json()
    texts = texts_of_title(title, request.language)
    return _title_form(request, texts, None, title=title, seen=title["version"])


@router.post("/desk/titles/{title_id}/edit")
async def post_edit(request: DeskRequest, title_id: str) -> Response:
    """Change a title, unless somebody else has changed it since the form was shown."""
    path = f"/v1/titles/{segment(title_id)}"
    body = title_body(request) | {"seen_version": forms.seen(request)}
    reply = await request.send("PATCH", path, body)
    if reply.done:
        return request.go(f"/desk/titles/{segment(title_id)}", "title-changed")
    title = (await request.api.get(path)).json()
    shown: dict[str, Any] = {"title": title, "seen": forms.seen(request)}
    if reply.failure().code == "changed-meanwhile":
        now = texts_of_title(title, request.language)
        typed = forms.outcome(request, reply)["form"]
        text = request.language.say(NOW_STORED)
        shown |= {"seen": title["version"], "form": stored_beside(typed, now, text)}
    return _title_form(request, {}, reply, **shown)
