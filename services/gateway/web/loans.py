"""Loans: renewed, looked at day by day, said to be returned or lost."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.session import Said
from services.gateway.web.visit import PatronVisit, Visit

router = APIRouter(include_in_schema=False)

MOST_TOLD = 12
TITLE_LENGTH = 60
"""What the messages have room for: a cookie holds some 4,000 bytes."""


@router.post("/renewals")
async def post_renewals(visit: PatronVisit) -> Response:
    """Renew one loan, those chosen, or all; each stands or falls alone."""
    titles = await _titles(visit)
    if visit.text("all"):
        reply = await visit.api.send("POST", "/v1/me/renewals", key=visit.key)
        results = reply.json()["results"]
    else:
        results = [await _renewed(visit, loan_id) for loan_id in visit.texts("loan")]
    if not results:
        missing = "nothing-to-renew" if visit.text("all") else "nothing-chosen"
        return visit.go("/", Said(missing, {}, went_well=False))
    return visit.go("/", *_told(results, titles))


async def _renewed(visit: Visit, loan_id: str) -> dict[str, Any]:
    path = f"/v1/loans/{segment(loan_id)}/renewals"
    reply = await visit.api.send("POST", path, key=visit.key and f"{visit.key}-{loan_id}"[:200])
    if reply.done:
        return {"loan_id": loan_id, "ok": True, **reply.json()}
    failure = reply.failure()
    if failure.status not in (404, 409):
        raise failure
    return {"loan_id": loan_id, "ok": False, "problem": {"code": failure.code}}


def _told(results: list[dict[str, Any]], titles: Mapping[str, str]) -> list[Said]:
    """A message for each loan, first of all those that were not renewed."""
    ordered = sorted(results, key=lambda result: bool(result["ok"]))
    said = [
        _of_renewal(result, titles.get(result["loan_id"], "…")) for result in ordered[:MOST_TOLD]
    ]
    left = len(ordered) - MOST_TOLD
    return [*said, Said("and-more", {"count": left})] if left > 0 else said


def _of_renewal(result: Mapping[str, Any], title: str) -> Said:
    if not result["ok"]:
        problem = result["problem"]["code"]
        return Said("not-renewed", {"title": title, "problem": problem}, went_well=False)
    facts = {"title": title, "due_on": result["loan"]["due_on"], "reference": result["reference"]}
    if not result["charge"]:
        return Said("renewed", facts)
    return Said("renewed-charged", {**facts, "fine_cents": result["charge"]["amount_cents"]})


async def _titles(visit: Visit) -> dict[str, str]:
    """What each open loan is called, short enough for a message."""
    overview = await visit.api.get("/v1/me")
    loans = overview.json()["loans"] if overview.done else []
    return {loan["id"]: (loan["title"] or loan["barcode"])[:TITLE_LENGTH] for loan in loans}


@router.get("/loans/{loan_id}")
async def get_loan(visit: PatronVisit, loan_id: str) -> Response:
    """A loan: every move of its due date, every day of its fine, and what can be said of it."""
    path = f"/v1/loans/{segment(loan_id)}"
    loan, fine, overview, names = await asyncio.gather(
        visit.api.get(path),
        visit.api.get(f"{path}/fine-statement"),
        visit.api.get("/v1/me"),
        branch_names(visit.api),
    )
    return visit.page(
        "loan.html",
        loan=loan.json(),
        fine=fine.json(),
        shown=_in_overview(overview, loan_id),
        branches=names,
    )


def _in_overview(overview: Reply, loan_id: str) -> dict[str, Any] | None:
    loans = overview.json()["loans"] if overview.done else []
    return next((loan for loan in loans if loan["id"] == loan_id), None)


@router.post("/loans/{loan_id}/claim")
async def post_claim(visit: PatronVisit, loan_id: str) -> Response:
    """Say that an item was returned."""
    return await _about_loan(visit, loan_id, "claim", "claimed")


@router.post("/loans/{loan_id}/loss")
async def post_loss(visit: PatronVisit, loan_id: str) -> Response:
    """Say that an item is lost."""
    return await _about_loan(visit, loan_id, "loss", "declared-lost")


async def _about_loan(visit: Visit, loan_id: str, what: str, said: str) -> Response:
    path = f"/v1/loans/{segment(loan_id)}/{what}"
    reply = await visit.api.send("POST", path, key=visit.key)
    if not reply.done:
        return visit.refused(f"/loans/{segment(loan_id)}", reply)
    return visit.go("/", Said(said, {}))
