"""Desk pages of notices of a library or of all libraries, and of their drafts."""

import asyncio
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.desk_words import KINDS
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/desk/notices")
async def get_notice_form(visit: DeskVisit) -> Response:
    """List the drafts of notices, and show the form for a notice without one."""
    return await _form(visit)


@router.post("/desk/notices")
async def post_notice(visit: DeskVisit) -> Response:
    """Publish a notice, and go to the public list of notices."""
    body = {**forms.scope(visit), "title": visit.text("title"), "content": visit.text("content")}
    reply = await visit.api.send("POST", "/v1/notices", body, key=visit.key)
    if not reply.done:
        return await _form(visit, reply)
    return visit.go("/notices", FlashMessage("notice-published", {}))


@router.post("/desk/closures/{closure_id}/notice")
async def post_draft(visit: DeskVisit, closure_id: str) -> Response:
    """Draft a notice from a closure, and go to the draft."""
    path = f"/v1/closures/{segment(closure_id)}/notice-draft"
    reply = await visit.api.send("POST", path, key=visit.key)
    if not reply.done:
        return visit.refused(f"/desk/closures/{segment(closure_id)}", reply)
    return visit.go(_page_of(reply.json()["id"]), FlashMessage("notice-drafted", {}))


@router.get("/desk/notices/{draft_id}")
async def get_draft(visit: DeskVisit, draft_id: str) -> Response:
    """Show a draft in the form to change it."""
    return await _draft(visit, draft_id)


@router.post("/desk/notices/{draft_id}")
async def post_changed_draft(visit: DeskVisit, draft_id: str) -> Response:
    """Save a draft, and publish it now if its form says so."""
    typed = _texts(visit) | {"publish_at": forms.instant(visit, "publish")}
    reply = await visit.api.send("PUT", _path_of(draft_id), typed, key=visit.key)
    if not reply.done:
        return await _draft(visit, draft_id, reply)
    if not visit.text("now"):
        return visit.go(_page_of(draft_id), FlashMessage("draft-saved", {}))
    seen = {"seen": reply.json()["version"]}
    # Not under the form's key, which names the saving.
    reply = await visit.api.send("POST", f"{_path_of(draft_id)}/publication", seen)
    if not reply.done:
        return await _draft(visit, draft_id, reply)
    return visit.go(f"/notices/{segment(draft_id)}", FlashMessage("notice-published", {}))


@router.post("/desk/notices/{draft_id}/removal")
async def post_removal(visit: DeskVisit, draft_id: str) -> Response:
    """Delete a draft."""
    seen = str(forms.seen(visit) or "")
    reply = await visit.api.send("DELETE", _path_of(draft_id), key=visit.key, seen=seen)
    if not reply.done:
        return visit.refused(_page_of(draft_id), reply)
    return visit.go("/desk/notices", FlashMessage("draft-deleted", {}))


@router.get("/desk/notices/{notice_id}/amendment")
async def get_amendment(visit: DeskVisit, notice_id: str) -> Response:
    """Show a published notice in the form to amend it."""
    return await _notice(visit, notice_id)


@router.post("/desk/notices/{notice_id}/amendment")
async def post_amendment(visit: DeskVisit, notice_id: str) -> Response:
    """Amend a published notice."""
    path = f"/v1/notices/{segment(notice_id)}"
    reply = await visit.api.send("PUT", path, _texts(visit), key=visit.key)
    if not reply.done:
        return await _notice(visit, notice_id, reply)
    return visit.go(f"/notices/{segment(notice_id)}", FlashMessage("notice-amended", {}))


@router.post("/desk/notices/{notice_id}/withdrawal")
async def post_withdrawal(visit: DeskVisit, notice_id: str) -> Response:
    """Withdraw a published notice."""
    seen = str(forms.seen(visit) or "")
    path = f"/v1/notices/{segment(notice_id)}"
    reply = await visit.api.send("DELETE", path, key=visit.key, seen=seen)
    if not reply.done:
        return visit.refused(f"{_page_of(notice_id)}/amendment", reply)
    return visit.go("/notices", FlashMessage("notice-withdrawn", {}))


def _path_of(draft_id: str) -> str:
    return f"/v1/notice-drafts/{segment(draft_id)}"


def _page_of(draft_id: str) -> str:
    return f"/desk/notices/{segment(draft_id)}"


def _texts(visit: Visit) -> dict[str, Any]:
    """Return the texts and the version of a form; a language without any text is left out."""
    texts = {
        code: {name: visit.text(f"{name}-{code}") for name in ("title", "content")}
        for code in LANGUAGES
    }
    return {
        "title": visit.text("title"),
        "content": visit.text("content"),
        "wordings": {code: one for code, one in texts.items() if any(one.values())},
        "seen": forms.seen(visit),
    }


def _values(notice: dict[str, Any]) -> dict[str, str]:
    """Return the texts with which a form begins."""
    values: dict[str, str] = {"title": notice["title"], "content": notice["content"]}
    for code, texts in notice["wordings"].items():
        values |= {f"{name}-{code}": text for name, text in texts.items()}
    return values


async def _notice(visit: Visit, notice_id: str, refused: Reply | None = None) -> Response:
    notice = (await visit.api.get(f"/v1/notices/{segment(notice_id)}")).json()
    return visit.page(
        "desk/notice.html",
        notice=notice,
        values=_values(notice),
        languages=LANGUAGES,
        **forms.outcome(visit, refused),
    )


async def _draft(visit: Visit, draft_id: str, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(visit.api.get(_path_of(draft_id)), branch_names(visit.api))
    draft = asked.json()
    values = _values(draft)
    if draft["publish_at"]:
        here = datetime.fromisoformat(draft["publish_at"]).astimezone(visit.zone)
        values |= {"publish_on": here.date().isoformat(), "publish_time": f"{here:%H:%M}"}
    return visit.page(
        "desk/draft.html",
        draft=draft,
        values=values,
        branches=names,
        languages=LANGUAGES,
        **forms.outcome(visit, refused),
    )


async def _form(visit: Visit, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(visit.api.get("/v1/notice-drafts"), branch_names(visit.api))
    return visit.page(
        "desk/notices.html",
        drafts=asked.json()["items"] if asked.done else [],
        branches=names,
        kinds=KINDS,
        **forms.outcome(visit, refused),
    )
