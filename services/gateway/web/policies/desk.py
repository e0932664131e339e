"""Desk pages of the policies: the rows as a table, changes with a preview, and their versions."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.account_names import account_names
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branches_by_code
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.policies import terms
from services.gateway.web.words import AUDIENCES, CATEGORIES, FIELDS, KINDS
from shared.http.problems import NotFound
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/policies", marked("Policies"))]},
    messages={
        "policy-set": marked("The policy is in force for loans from now on."),
        "policy-deleted": marked("The policy no longer applies to new loans."),
    },
    problems={
        "policy-changed": marked(
            "Somebody has changed this policy since you opened the page, as shown here. Check your "
            "form, and send it again if it is still right."
        ),
        "policy-taken": marked("Another policy is for the same readers, items and libraries."),
        "policy-needed": marked("One policy must apply to everyone. Change its terms instead."),
        "no-such-policy": marked("There is no such policy any more."),
    },
    at_fault={"policy-taken": "patron_category"},
    fields={
        **{term.name: term.label for term in terms.TERMS if term.name not in FIELDS},
        "patron_category": marked("Kind of reader"),
        "copy_category": marked("Kind of item"),
        "branch_kind": marked("Kind of library"),
    },
)

HOME, API = "/desk/policies", "/v1/policies"
MOST_VERSIONS = "200"
"""Number of versions that a page shows; rows change a few times a year."""


@router.get(HOME)
async def get_policies(
    request: DeskRequest, patron_category: str = "", copy_category: str = "", library: str = ""
) -> Response:
    """List the rows; with a loan to try, show which of them applies to it."""
    listed, branches = await asyncio.gather(request.api.get(API), branches_by_code(request.api))
    names = {code: branch["name"] for code, branch in branches.items()}
    rows: list[dict[str, Any]] = sorted(listed.json()["items"], key=_breadth)
    library = library or forms.desk_branch(request, names)
    found: list[dict[str, Any]] = []
    if patron_category and copy_category and library in branches:
        query = {"patron_category": patron_category, "copy_category": copy_category}
        kind = branches[library]["kind"]
        found = (await request.api.get(API, **query, branch_kind=kind)).json()["items"]
    return request.page(
        "policies/policies.html",
        rows=[row | {"changes": terms.changes(rows[0], row)} for row in rows],
        branches=names,
        tried={
            "patron_category": patron_category,
            "copy_category": copy_category,
            "library": library,
        },
        fitting=found,
        **_words(rows),
    )


@router.get("/desk/new-policy")
async def get_new(request: DeskRequest) -> Response:
    """Show the form for another row, with the terms of the row for everyone."""
    return await _row(request, "")


@router.get(f"{HOME}/{{policy_id}}")
async def get_policy(request: DeskRequest, policy_id: str) -> Response:
    """Show a row with the form to change it, and its versions."""
    return await _row(request, policy_id)


@router.post("/desk/new-policy")
async def post_new(request: DeskRequest) -> Response:
    """Add a row, named after what it applies to."""
    scope = [text for name in terms.SCOPE if (text := request.text(name))]
    if not scope:
        return await _row(request, "", Failure(409, "policy-needed"))
    return await _change(request, "-".join(scope)[:40])


@router.post(f"{HOME}/{{policy_id}}")
async def post_policy(request: DeskRequest, policy_id: str) -> Response:
    """Change the terms of a row; with `preview`, show what this would have done."""
    return await _change(request, policy_id)


@router.post(f"{HOME}/{{policy_id}}/removal")
async def post_removal(request: DeskRequest, policy_id: str) -> Response:
    """Delete a row; with `preview`, show what this would have done."""
    return await _change(request, policy_id, removed=True)


async def _change(request: PageRequest, policy_id: str, *, removed: bool = False) -> Response:
    """Preview or make a change, if it is based on the version in force."""
    planned = None if removed else terms.typed(request)
    reason, based_on = request.text("reason"), forms.seen(request, "based_on") or 0
    if request.http.query_params.get("preview"):
        return await _preview(request, policy_id, planned, reason, based_on)
    path = f"{API}/{segment(policy_id)}"
    if planned is None:
        query = {"reason": reason, "based_on": str(based_on)}
        reply = await request.api.send("DELETE", path, key=request.key, **query)
    else:
        body = planned | {"reason": reason, "based_on": based_on}
        reply = await request.send("PUT", path, body)
    if reply.done:
        return request.go(HOME, "policy-deleted" if removed else "policy-set")
    return await _row(request, policy_id, reply.refusal(404, 409, 422))


async def _preview(
    request: PageRequest,
    policy_id: str,
    planned: Mapping[str, Any] | None,
    reason: str,
    based_on: int,
) -> Response:
    path = f"{API}/{segment(policy_id)}/effect"
    listed, effect = await asyncio.gather(
        request.api.get(API), request.api.send("POST", path, {"row": planned})
    )
    rows = listed.json()["items"]
    present = next((row for row in rows if row["id"] == policy_id), None)
    if not effect.done:
        return await _row(request, policy_id, effect.refusal(404, 409, 422))
    if (present["version"] if present else 0) != based_on:
        return await _row(request, policy_id, Failure(409, "policy-changed"))
    if not reason:
        missing = Failure(422, "malformed", errors=[{"field": "reason"}])
        return await _row(request, policy_id, missing)
    base = present or _for_everyone(rows)
    return request.page(
        "policies/preview.html",
        scope_of=base if planned is None or present else planned,
        changes=terms.changes(base, planned) if planned else [],
        effect=effect.json(),
        reason=reason,
        removed=planned is None,
        typed=[(name, value) for name, value in request.form.multi_items() if name != "form"],
        action=request.http.url.path,
        back=f"{HOME}/{segment(policy_id)}" if present else HOME,
        **_words(rows),
    )


async def _row(request: PageRequest, policy_id: str, refused: Failure | None = None) -> Response:
    listed, history = await asyncio.gather(request.api.get(API), _history(request, policy_id))
    rows = listed.json()["items"]
    present = next((row for row in rows if row["id"] == policy_id), None)
    is_new = present is None
    if is_new and policy_id and refused is None:
        raise NotFound("policy")
    versions = _versions(history)
    names = await account_names(request.api, (version["by"] for version in versions))
    based_on = forms.seen(request, "based_on")
    moved = refused is not None and refused.code == "policy-changed"
    base = present or _for_everyone(rows)
    return request.page(
        "policies/policy.html",
        row=base,
        is_new=is_new,
        action=f"{HOME}/{segment(policy_id)}" if present else "/desk/new-policy",
        own={one.term.name for one in terms.changes(_for_everyone(rows), base)},
        groups=terms.GROUPS,
        as_typed=terms.as_typed,
        versions=versions[::-1],
        since=[one for one in versions if moved and one["version"] > (based_on or 0)],
        names=names,
        **_words(rows),
        **forms.outcome_of(request, refused),
    )


async def _history(request: PageRequest, policy_id: str) -> list[dict[str, Any]]:
    if not policy_id:
        return []
    path = f"{API}/{segment(policy_id)}/history"
    reply: Reply = await request.api.get(path, limit=MOST_VERSIONS)
    found: list[dict[str, Any]] = reply.json()["items"] if reply.done else []
    return found


def _versions(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the versions of a row, oldest first, each with what it changed."""
    befores = [None, *(one["row"] for one in history)]
    return [
        {**one, "changes": terms.changes(old, one["row"]) if old and one["row"] else []}
        for old, one in zip(befores, history, strict=False)
    ]


def _for_everyone(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return min(rows, key=_breadth)


def _breadth(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Order rows: that for everyone first, then by what they apply to."""
    scope = [row[name] for name in terms.SCOPE]
    return (any(scope), *(name or "" for name in scope))


def _words(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the names of categories and kinds, with those that only these rows name."""
    readers = {row["patron_category"]: row["patron_category"] for row in rows}
    items = {row["copy_category"]: row["copy_category"] for row in rows}
    for names in (readers, items):
        names.pop(None, None)
    return {
        "readers": readers | CATEGORIES,
        "items": items | AUDIENCES,
        "kinds": KINDS,
        "units": terms.UNITS,
        "measures": terms.MEASURES,
    }
