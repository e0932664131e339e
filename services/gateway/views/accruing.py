"""Accruing fines: ask circulation for them, and keep its response while it is valid."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import structlog
from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter

from services.gateway.views.store.reads import Common
from shared.deadlines import allowed
from shared.mongo import Document
from shared.owners import OwnerAway, OwnerRefused, Owners

log = structlog.get_logger()

ACCRUING_SECONDS = 1.0


class _Accruing(BaseModel):
    loan_id: str
    overdue: bool
    amount_cents: int
    per_day_cents: int | None = None
    as_of: str
    suspended: bool
    resumes_on: str | None
    # Versions that the item was computed from; an older release of circulation sends none.
    loan_version: int | None = None
    calendar_version: int | None = None


class _AccruingAnswer(BaseModel):
    items: list[_Accruing]
    suspensions_version: int | None = None


_accruing_answer = TypeAdapter(_AccruingAnswer)


async def ask(app: FastAPI, token: str, now: datetime) -> dict[str, Any] | None:
    """Return circulation's response on the patron's loans past their due date, None if unusable.

    `items` has one entry for each loan; `suspensions_version` is the version of the fine
    suspensions that they were computed from.
    """
    liveness = app.state.liveness
    owners: Owners = app.state.owners
    if liveness.away("circulation"):
        return None  # the probe reports when it is back; until then no call waits for it
    try:
        async with asyncio.timeout(allowed(ACCRUING_SECONDS)):
            answer = await owners.get("circulation", "/v1/me/accruing", now=now, token=token)
        response = _accruing_answer.validate_python(answer)
    except (OwnerAway, TimeoutError):
        liveness.saw("circulation", False)
        return None
    except (OwnerRefused, ValueError) as error:
        log.warning(
            "malformed response of an owner", owner="circulation", error=type(error).__name__
        )
        return None
    liveness.saw("circulation", True)
    return response.model_dump()


def past_due(loans: Mapping[str, Document], today: date) -> dict[str, Document]:
    """Return the loans whose due date has passed. Only circulation knows which are overdue."""
    return {key: loan for key, loan in loans.items() if loan["due_on"] < today.isoformat()}


def last_known(
    response: Mapping[str, Any] | None, loans: Mapping[str, Document]
) -> Sequence[Document]:
    """Return circulation's items for open loans whose due date has not changed since."""
    return [
        item
        for item in (response or {}).get("items", ())
        if item["loan_id"] in loans and loans[item["loan_id"]]["due_on"] == item["due_on"]
    ]


def is_valid(
    response: Mapping[str, Any] | None, late: Mapping[str, Document], common: Common, today: date
) -> bool:
    """Return whether circulation's last response is still valid for these loans today.

    A fine is a function of the loan, the calendar of its branch, the suspensions and the day. So
    the response is valid while all of these are the ones that it names. Circulation names the
    version that a loan gets by a move of its due date, even before it publishes the move. So the
    due date is compared too: it is that of the view when circulation was asked.
    """
    if response is None or response.get("suspensions_version") != common.suspensions_version:
        return False
    items = {item["loan_id"]: item for item in response["items"]}
    return all(
        (item := items.get(loan_id)) is not None
        and item["as_of"] == today.isoformat()
        and (item["loan_version"], item["due_on"]) == (loan["version"], loan["due_on"])
        and (branch := common.branches.get(loan["branch"])) is not None
        and item["calendar_version"] == branch.calendar_version
        for loan_id, loan in late.items()
    )
