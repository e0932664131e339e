"""What accrues, as the account shows it: right at each look, asked for only where it may change."""

from typing import Any

import aiohttp

from tests.library import Library
from tests.support import until


async def asked(library: Library) -> int:
    """How often circulation was asked what accrues."""
    url = f"{library.system.url('circulation', 0)}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        lines = (await answer.text()).splitlines()
    told = [line for line in lines if line.startswith("carrel_http_request_seconds_count")]
    return sum(int(float(line.rpartition(" ")[2])) for line in told if "/v1/me/accruing" in line)


async def accruing(library: Library, card: str) -> dict[str, Any]:
    """What the account shows of the one loan that is late; it is what its statement says."""
    shown = await library.get("/v1/me", by=card)
    [item] = shown["accruing"]
    path = f"/v1/loans/{item['loan_id']}/fine-statement"
    statement = await library.get(path, by=card)
    assert item["amount_cents"] == statement["amount_cents"]
    assert shown["totals"]["accruing_cents"] == statement["amount_cents"]
    return dict(item)


async def test_what_accrues_is_asked_for_once_a_day_and_after_each_change(library: Library) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    await library.lend(card, [book], branch)  # on 2 November: due on the 16th
    library.now = "2020-11-20T10:00:00+08:00"
    await library.flow.settle(within=60)

    async def rests() -> bool:
        """Whether the gateway has circulation's word and does not ask for it again."""
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


async def test_renewals_that_a_closure_grants_are_shown_and_given(library: Library) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    [loan] = await library.lend(card, [book], branch)

    async def left() -> int:
        [shown] = (await library.get("/v1/me", by=card))["loans"]
        return int(shown["renewals_left"])

    async def renew(times: int) -> None:
        for _ in range(times):
            await library.call("POST", f"/v1/loans/{loan['id']}/renewals", by=card)

    await renew(5)
    assert await left() == 0
    body = {"branches": [branch], "from": "2020-11-02", "reason": "Epidemic"}
    closure = await library.post(
        "/v1/closures", {**body, "relief": {"extra_renewals": 2}}, by="staff"
    )
    assert await left() == 2
    await library.flow.settle(within=60)
    await renew(1)
    assert await left() == 1
    path = f"/v1/closures/{closure['id']}/reopening"
    await library.post(path, {"reopened_on": "2020-11-10"}, by="staff")
    library.now = "2020-11-10T10:00:00+08:00"
    assert await left() == 0
