"""A preview counts all notifications that the change then sends, including lowered fines."""

from typing import Any

import pytest

from tests.library import Library

CLOSURE = {"from": "2020-11-17", "reopened_on": "2020-11-19", "reason": "Burst pipe"}
SUSPENSION = {"starts_on": "2020-11-17", "resumes_on": "2020-12-10", "reason": "Typhoon"}


@pytest.mark.parametrize(
    ("path", "change", "of_loans"),
    [("/v1/closures", CLOSURE, 0), ("/v1/fine-suspensions", SUSPENSION, 1)],
    ids=["a closure", "a suspension of fines"],
)
async def test_a_preview_counts_the_patrons_to_be_notified_of_lowered_fines(
    library: Library, path: str, change: dict[str, Any], of_loans: int
) -> None:
    library.now = "2020-11-02T10:00:00+08:00"
    branch = await library.branch()
    await library.flow.settle(within=60)
    card = await library.patron(branch)
    late, kept = await library.copies(branch, 3), await library.copies(branch, 1)
    await library.flow.settle(within=60)
    await library.lend(card, late, branch)
    library.now = "2020-11-15T10:00:00+08:00"
    await library.lend(card, kept, branch)
    library.now = "2020-11-20T10:00:00+08:00"
    await library.take_back(late, branch)
    await library.flow.settle(within=60)

    body = {**change, "branches": [branch]}
    said = await library.post(f"{path}?preview=true", body, by="staff")
    assert said.get("lending", said)["fines_lowered"] == 3
    assert said["notifications"] == 3 + of_loans

    before = await told(library, card)
    await library.post(path, body, by="staff")
    await library.flow.settle(within=60)
    await library.job("circulation/rework-fines")
    await library.flow.settle(within=60)
    assert await told(library, card) - before == said["notifications"]


async def told(library: Library, card: str) -> int:
    return len((await library.get("/v1/me/inbox", by=card))["items"])
