"""A patron is reminded in time, and chooses whether their reading history is kept."""

from ops.audit.system import audit
from services.settings import Settings
from tests.library import Library


async def test_a_patron_is_reminded_and_has_a_history_only_after_choosing_one(
    library: Library,
) -> None:
    branch = await library.branch()
    card, other = [await library.patron(branch) for _ in range(2)]
    [kept, again] = await library.copies(branch, 2)
    [forgotten] = await library.copies(branch, 1)
    await library.flow.settle()
    await library.call("PATCH", "/v1/me/preferences", {"keep_history": True}, by=card)
    await library.flow.settle()
    [loan] = await library.lend(card, [kept], branch)  # on 2 November, for 14 days
    await library.lend(other, [forgotten], branch)

    library.now = "2020-11-14T10:00:00+08:00"
    await library.job("circulation/due-soon")
    await library.flow.settle()
    [told] = (await library.get("/v1/me/inbox", by=card))["items"]
    assert told["kind"] == "loan.due-soon"
    [shown] = (await library.get("/v1/me", by=card))["loans"]
    assert (shown["id"], shown["version"]) == (loan["id"], 2)

    await library.take_back([kept, forgotten], branch)
    await library.flow.settle()
    library.now = "2020-11-14T10:20:00+08:00"  # the return can't be undone any more
    await library.job("circulation/purge-loans")
    [read] = (await library.get("/v1/me/history", by=card))["items"]
    assert (read["id"], read["returned_on"]) == (loan["id"], "2020-11-14")
    assert (await library.get("/v1/me/history", by=other))["items"] == []
    assert (await library.get("/v1/me", by=card))["totals"]["loans"] == 0

    await library.call("PATCH", "/v1/me/preferences", {"keep_history": False}, by=card)
    await library.lend(card, [again], branch)
    await library.flow.settle()
    assert (await library.get("/v1/me/history", by=card))["items"] == []
    found = await audit(library.system.settings(Settings))
    assert found.findings == []
