"""The numbers of a preview through the gateway equal the later effect."""

from typing import Any

from tests.library import Library


async def test_closing_and_reopening_do_what_their_previews_said(library: Library) -> None:
    library.now = "2020-11-20T10:00:00+08:00"
    branch = await library.branch()
    await library.flow.settle(within=60)
    card, follower = [await library.patron(branch) for _ in range(2)]
    preferences = {"followed_branches": [branch], "activity_types": []}
    await library.call("PATCH", "/v1/me/preferences", preferences, by=follower)
    loans = await library.lend(card, await library.copies(branch, 3), branch)
    await library.flow.settle(within=60)
    assert {loan["due_on"] for loan in loans} == {"2020-12-04"}

    library.now = "2020-11-26T10:00:00+08:00"
    [copy] = await library.copies(branch, 1)
    titles = await library.get("/v1/titles", by="staff")
    wanted = {"title_id": titles["items"][-1]["id"], "pickup_branch": branch}
    await library.post("/v1/holds", wanted, by=follower)
    [fetched] = await library.take_back([copy], branch)
    hold = fetched["hold"]
    assert (hold["state"], hold["shelf_until"]) == ("ready", "2020-12-03")

    library.now = "2020-12-01T10:00:00+08:00"
    closure = {
        "branches": [branch],
        "from": "2020-12-02",
        "reopened_on": "2021-02-19",
        "reason": "epidemic",
    }
    said = await library.post("/v1/closures?preview=true", closure, by="staff")
    assert said["lending"]["due_date_moves"] == [
        {"from": "2020-12-04", "to": "2021-02-19", "loans": 3}
    ]
    assert said["notifications"] == 3 + 1  # and one for the new last day on the shelf
    assert said["lending"]["shelf_dates_moved"] == 1
    assert await due_dates(library, card) == ["2020-12-04"] * 3  # a preview changes nothing
    assert (await library.get(f"/v1/closures?branch={branch}", by="staff"))["items"] == []

    await library.flow.settle(within=60)
    before = await told(library, card) + await told(library, follower)
    made = await library.post("/v1/closures", closure, by="staff")
    await library.flow.settle(within=60)
    assert await due_dates(library, card) == ["2021-02-19"] * 3
    after = await told(library, card) + await told(library, follower)
    assert after - before == said["notifications"]

    # An earlier reopening moves no date, and notifies the branch's followers.
    library.now = "2021-01-10T10:00:00+08:00"
    path = f"/v1/closures/{made['id']}/reopening"
    terms: dict[str, Any] = {"reopened_on": "2021-02-01", "services": [], "measures": []}
    said = await library.post(f"{path}?preview=true", terms, by="staff")
    assert (said["lending"]["loans_moved"], said["notifications"]) == (0, 1)
    before = await told(library, follower)
    await library.post(path, terms, by="staff")
    await library.flow.settle(within=60)
    assert await due_dates(library, card) == ["2021-02-19"] * 3
    assert await told(library, follower) - before == said["notifications"]


async def due_dates(library: Library, card: str) -> list[str]:
    account = await library.get("/v1/me", by=card)
    return [loan["due_on"] for loan in account["loans"]]


async def told(library: Library, card: str) -> int:
    return len((await library.get("/v1/me/inbox", by=card))["items"])
