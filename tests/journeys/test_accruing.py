"""Accruing fines in the account: always current, queried only when they may have changed."""

from typing import Any

import aiohttp

from tests.library import Library
from tests.support import until


async def asked(library: Library) -> int:
    """Return how often circulation was queried for accruing fines."""
    url = f"{library.system.operations_url('circulation')}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        lines = (await answer.text()).splitlines()
    told = [line for line in lines if line.startswith("carrel_http_request_seconds_count")]
    return sum(int(float(line.rpartition(" ")[2])) for line in told if "/v1/me/accruing" in line)


async def accruing(library: Library, card: str) -> dict[str, Any]:
    """Return the account's one accruing fine, after a comparison with its fine statement."""
    shown = await library.get("/v1/me", by=card)
    [item] = shown["accruing"]
    path = f"/v1/loans/{item['loan_id']}/fine-statement"
    statement = await library.get(path, by=card)
    assert item["amount_cents"] == statement["amount_cents"]
    assert shown["totals"]["accruing_cents"] == statement["amount_cents"]
    return dict(item)


async def test_accruing_fines_are_queried_once_a_day_and_after_each_change(
    library: Library,
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    await library.lend(card, [book], branch)  # on 2 November: due on the 16th
    library.now = "2020-11-20T10:00:00+08:00"
    await library.flow.settle(within=60)

    async def rests() -> bool:
        """Return whether the gateway shows the fines without another query to circulation."""
        before = await asked(library)
        await accruing(library, card)
        return await asked(library) == before

    assert (await accruing(library, card))["amount_cents"] == 4 * 150
    await until(rests)

    library.now = "2020-11-21T10:00:00+08:00"
    assert (await accruing(library, card))["amount_cents"] == 5 * 150
    await until(rests)

    body = {"starts_on": "2020-11-20", "branches": [branch], "reason": "Typhoon"}
    suspension = await library.post("/v1/fine-suspensions", body, by="staff")
    seen = await accruing(library, card)
    assert (seen["amount_cents"], seen["suspended"]) == (3 * 150, True)
    await until(rests, within=30)

    path = f"/v1/fine-suspensions/{suspension['id']}/withdrawal"
    await library.post(path, {"in_error": True, "reason": "None came"}, by="staff")
    assert (await accruing(library, card))["amount_cents"] == 5 * 150
    await until(rests, within=30)

    body = {"branches": [branch], "from": "2020-11-18", "reopened_on": "2020-11-20"}
    await library.post("/v1/closures", {**body, "reason": "Burst pipe"}, by="staff")
    await library.flow.settle(within=60)
    assert (await accruing(library, card))["amount_cents"] == 3 * 150
    await until(rests, within=30)


async def test_renewals_that_a_closure_grants_are_shown_and_can_be_used(library: Library) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    [loan] = await library.lend(card, [book], branch)

    async def left() -> int:
        """Return the renewals left, on which account, loan and list of loans must agree."""
        [shown] = (await library.get("/v1/me", by=card))["loans"]
        listing = await library.get(f"/v1/loans?patron={loan['patron_id']}", by="staff")
        [listed] = listing["items"]
        alone = await library.get(f"/v1/loans/{loan['id']}", by=card)
        said = {one["renewals_left"] for one in (shown, listed, alone)}
        assert len(said) == 1, said
        return int(said.pop())

    async def renew_on(*days: int) -> None:
        for day in days:
            library.now = f"2020-11-{day:02}T10:00:00+08:00"
            answer = await library.post(f"/v1/loans/{loan['id']}/renewals", by=card)
            assert answer["loan"]["renewals_left"] == await left()

    await renew_on(3, 4, 5, 6, 7)
    assert await left() == 0
    body = {"branches": [branch], "from": "2020-11-02", "reason": "Epidemic"}
    closure = await library.post(
        "/v1/closures", {**body, "relief": {"extra_renewals": 2}}, by="staff"
    )
    await library.flow.settle(within=60)
    assert await left() == 2
    await renew_on(8)
    assert await left() == 1
    path = f"/v1/closures/{closure['id']}/reopening"
    await library.post(path, {"reopened_on": "2020-11-10"}, by="staff")
    await library.flow.settle(within=60)
    library.now = "2020-11-10T10:00:00+08:00"
    assert await left() == 0
