"""Desk pages of notices of a library or of all libraries, and of their drafts."""

import asyncio
from datetime import datetime
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.words import KINDS
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/notices", marked("Publish a notice"))]},
    messages={
        "notice-published": marked("The notice is published."),
        "notice-drafted": marked("A notice is drafted. Check it before you publish it."),
        "notice-amended": marked("The notice is amended."),
        "notice-withdrawn": marked("The notice is withdrawn."),
        "draft-saved": marked("The draft is saved. Only staff see it."),
        "draft-deleted": marked("The draft is deleted."),
    },
    problems={
        "no-such-draft": marked("There is no such draft. It may be published already."),
        "notice-changed": marked(
            "Someone has changed this notice since you opened it. Open it again to see what is new."
        ),
        "too-many-amendments": marked(
            "This notice was amended too often. Withdraw it and publish another."
        ),
        "draft-changed": marked(
            "Someone has changed this draft since you opened it. Open it again to see what is new."
        ),
    },
    fields={"content": marked("Text")},
)


@router.get("/desk/notices")
async def get_notice_form(request: DeskRequest) -> Response:
    """List the drafts of notices, and show the form for a notice without one."""
    return await _form(request)


@router.post("/desk/notices")
async def post_notice(request: DeskRequest) -> Response:
    """Publish a notice, and go to the public list of notices."""
    body = {
        **forms.scope(request),
        "title": request.text("title"),
        "content": request.text("content"),
    }
    reply = await request.send("POST", "/v1/notices", body)
    if not reply.done:
        return await _form(request, reply)
    return request.go("/notices", "notice-published")


@router.post("/desk/closures/{closure_id}/notice")
async def post_draft(request: DeskRequest, closure_id: str) -> Response:
    """Draft a notice from a closure, and go to the draft."""
    path = f"/v1/closures/{segment(closure_id)}/notice-draft"
    reply = await request.send("POST", path)
    if not reply.done:
        return request.refused(f"/desk/closures/{segment(closure_id)}", reply)
    return request.go(_page_of(reply.json()["id"]), "notice-drafted")


@router.get("/desk/notices/{draft_id}")
async def get_draft(request: DeskRequest, draft_id: str) -> Response:
    """Show a draft in the form to change it."""
    return await _draft(request, draft_id)


@router.post("/desk/notices/{draft_id}")
async def post_changed_draft(request: DeskRequest, draft_id: str) -> Response:
    """Save a draft, and publish it now if its form says so."""
    typed = _texts(request) | {"publish_at": forms.instant(request, "publish")}
    reply = await request.send("PUT", _path_of(draft_id), typed)
    if not reply.done:
        return await _draft(request, draft_id, reply)
    if not request.text("now"):
        return request.go(_page_of(draft_id), "draft-saved")
    seen = {"seen": reply.json()["version"]}
    # Not under the form's key, which names the saving.
    reply = await request.api.send("POST", f"{_path_of(draft_id)}/publication", seen)
    if not reply.done:
        return await _draft(request, draft_id, reply)
    return request.go(f"/notices/{segment(draft_id)}", "notice-published")


@router.post("/desk/notices/{draft_id}/removal")
async def post_removal(request: DeskRequest, draft_id: str) -> Response:
    """Delete a draft."""
    seen = str(forms.seen(request) or "")
    reply = await request.api.send("DELETE", _path_of(draft_id), key=request.key, seen=seen)
    if not reply.done:
        return request.refused(_page_of(draft_id), reply)
    return request.go("/desk/notices", "draft-deleted")


@router.get("/desk/notices/{notice_id}/amendment")
async def get_amendment(request: DeskRequest, notice_id: str) -> Response:
    """Show a published notice in the form to amend it."""
    return await _notice(request, notice_id)


@router.post("/desk/notices/{notice_id}/amendment")
async def post_amendment(request: DeskRequest, notice_id: str) -> Response:
    """Amend a published notice."""
    path = f"/v1/notices/{segment(notice_id)}"
    reply = await request.send("PUT", path, _texts(request))
    if not reply.done:
        return await _notice(request, notice_id, reply)
    return request.go(f"/notices/{segment(notice_id)}", "notice-amended")


@router.post("/desk/notices/{notice_id}/withdrawal")
async def post_withdrawal(request: DeskRequest, notice_id: str) -> Response:
    """Withdraw a published notice."""
    seen = str(forms.seen(request) or "")
    path = f"/v1/notices/{segment(notice_id)}"
    reply = await request.api.send("DELETE", path, key=request.key, seen=seen)
    if not reply.done:
        return request.refused(f"{_page_of(notice_id)}/amendment", reply)
    return request.go("/notices", "notice-withdrawn")


def _path_of(draft_id: str) -> str:
    return f"/v1/notice-drafts/{segment(draft_id)}"


def _page_of(draft_id: str) -> str:
    return f"/desk/notices/{segment(draft_id)}"


def _texts(request: PageRequest) -> dict[str, Any]:
    """Return the texts and the version of a form; a language without any text is left out."""
    texts = {
        code: {name: request.text(f"{name}-{code}") for name in ("title", "content")}
        for code in LANGUAGES
    }
    return {
        "title": request.text("title"),
        "content": request.text("content"),
        "wordings": {code: one for code, one in texts.items() if any(one.values())},
        "seen": forms.seen(request),
    }


def _values(notice: dict[str, Any]) -> dict[str, str]:
    """Return the texts with which a form begins."""
    values: dict[str, str] = {"title": notice["title"], "content": notice["content"]}
    for code, texts in notice["wordings"].items():
        values |= {f"{name}-{code}": text for name, text in texts.items()}
    return values


async def _notice(request: PageRequest, notice_id: str, refused: Reply | None = None) -> Response:
    notice = (await request.api.get(f"/v1/notices/{segment(notice_id)}")).json()
    return request.page(
        "notices/desk-notice.html",
        notice=notice,
        values=_values(notice),
        languages=LANGUAGES,
        **forms.outcome(request, refused),
    )


async def _draft(request: PageRequest, draft_id: str, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(
        request.api.get(_path_of(draft_id)), branch_names(request.api)
    )
    draft = asked.json()
    values = _values(draft)
    if draft["publish_at"]:
        here = datetime.fromisoformat(draft["publish_at"]).astimezone(request.zone)
        values |= {"publish_on": here.date().isoformat(), "publish_time": f"{here:%H:%M}"}
    return request.page(
        "notices/desk-draft.html",
        draft=draft,
        values=values,
        branches=names,
        languages=LANGUAGES,
        **forms.outcome(request, refused),
    )


async def _form(request: PageRequest, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(
        request.api.get("/v1/notice-drafts"), branch_names(request.api)
    )
    return request.page(
        "notices/desk-notices.html",
        drafts=asked.json()["items"] if asked.done else [],
        branches=names,
        kinds=KINDS,
        **forms.outcome(request, refused),
    )
