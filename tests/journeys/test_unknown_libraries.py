"""Each command that names a library refuses one that nobody has registered."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.contracts.test_openapi import merged, shown
from tests.library import Library

NOWHERE = "NOWHERE"
NAMES = ("branch", "branches", "home_branch", "pickup_branch", "followed_branches", "rooms")
PATHS = ("/v1/branches/{code}", "/v1/study-rooms/{branch}")
REFUSALS = {
    *("no-such-branch", "unknown-branch"),
    *("no-such-study-room", "no-such-room", "no-such-booking"),  # of this library
}

OTHERWISE = {
    "POST /v1/branches",  # registers it
    "POST /v1/closures/{closure_id}/reopening",  # refuses those that the closure does not cover
    "POST /v1/closures/{closure_id}/withdrawal",
    "POST /v1/dispatches",  # refuses each item that is not to be sent from there
    "POST /v1/loans/receipts/{patron_id}",  # refuses one where nothing was lent
    "POST /v1/loans/{loan_id}/undo",  # refuses another library than that of the loan
    "POST /v1/checkouts/undo",
    "POST /v1/returns/undo",
}
"""Commands that name a library and take an unknown one, or refuse it in another way."""


def commands(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield each command with its operation and, if it has a body with a library, an example."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            examples = shown(content) if content else []
            if method == "get":
                continue
            if path.startswith(PATHS) or any(names_library(one) for one in examples):
                yield f"{method.upper()} {path}", operation, examples[0] if examples else None


def names_library(body: Any) -> bool:
    """Return whether a body has a field with the code of a library."""
    if isinstance(body, list):
        return any(names_library(one) for one in body)
    if not isinstance(body, dict):
        return False
    return any(name in NAMES or names_library(value) for name, value in body.items())


def elsewhere(body: Any) -> Any:
    """Return a body that names a library which nobody has registered."""
    if isinstance(body, list):
        return [elsewhere(one) for one in body]
    if not isinstance(body, dict):
        return body
    changed = {name: elsewhere(value) for name, value in body.items()}
    for name in ("branch", "home_branch", "pickup_branch"):
        if name in changed:
            changed[name] = NOWHERE
    for name in ("branches", "followed_branches"):
        if name in changed:
            changed[name] = [NOWHERE]
    return changed


async def test_each_command_that_names_a_library_refuses_an_unknown_one(library: Library) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    by = {"patron": card, "staff": "staff", "station": "station", "tracer": "tracer"}
    [barcode] = await library.copies(branch, 1)
    await library.call("PUT", "/v1/card-terms/provisional", {"valid_months": 1}, by="staff")
    season = await library.season(branch)
    copy = (await library.get(f"/v1/copies/{barcode}", by="staff"))["title_id"]
    hold = await library.post("/v1/holds", {"title_id": copy, "pickup_branch": branch}, by=card)
    question = {"subject": "Maps", "text": "Where are they?"}
    enquiry = await library.post("/v1/enquiries", question, by=card)
    ids = {
        "activity_id": await library.activity(3),
        "barcode": barcode,
        "branch": NOWHERE,
        "charge_id": "01781141-5e00-7b66-95e8-3c0d7f2a6b08",
        "code": NOWHERE,
        "enquiry_id": enquiry["id"],
        "hold_id": hold["id"],
        "patron_id": (await library.get("/v1/me", by=card))["patron"]["id"],
        "season_id": season,
        "service": "study-room",
        "starts_on": "2021-03-01",
        "title_id": copy,
    }
    wrong = []
    for place, operation, example in commands(merged()):
        if place in OTHERWISE:
            continue
        method, path = place.split()
        roles = [role for one in operation["security"] for role in one]
        caller = by[next(role for role in roles if role in by)] if roles else ""
        body = elsewhere(example)
        if isinstance(body, dict):
            body |= {"title_id": copy} if "title_id" in body else {}
            body |= {"card_number": card} if "card_number" in body else {}
            body |= {"to": "staff"} if "to" in body else {}
        status, answer = await library.try_(method, path.format(**ids), body, by=caller)
        code = (answer or {}).get("code")
        if code not in REFUSALS:
            wrong.append(f"{place}: {status} {code} {(answer or {}).get('detail')}")
    assert wrong == []
