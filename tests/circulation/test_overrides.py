"""Staff with the right lend, renew and reserve despite a refusal, with a reason that is kept."""

from typing import Any

import orjson

from tests.circulation.desk import STAFF, Desk, card_of, noon
from tests.circulation.test_ways_out import set_policy
from tests.support import Answer, token

SUPERVISOR = token("s2", roles=["staff", "supervisor"])
P1 = token("p1")
TODAY = "2020-12-08"
OVERRIDE = {"override": {"reason": "Needs it for an examination"}}


async def check_out(
    desk: Desk,
    *barcodes: str,
    by: str = SUPERVISOR,
    query: str = "",
    reason: str = OVERRIDE["override"]["reason"],
) -> Answer:
    body = {
        "card_number": card_of("p1"),
        "barcodes": barcodes,
        "branch": "HKCL",
        "override": {"reason": reason},
    }
    return await desk.api.insist("POST", f"/v1/checkouts{query}", body, as_=by, at=noon(TODAY))


async def events(desk: Desk, topic: str) -> list[dict[str, Any]]:
    rows = desk.api.app.state.database.outbox.find({"topic": topic}).sort("_id")
    return [orjson.loads(row["body"]) async for row in rows]


async def overrides(desk: Desk) -> list[dict[str, Any]]:
    answer = await desk.api.get("/v1/loans/overrides/p1", as_=STAFF)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_supervisor_lends_beyond_the_limit_with_a_reason(desk: Desk) -> None:
    await set_policy(desk, max_loans=1)
    await desk.patron("p2")
    first, second, other = await desk.copies(3)
    await desk.lend(other, to="p2", on=TODAY)
    results = (await check_out(desk, first, second, other)).json()["results"]
    assert [(one["ok"], one["overridden"]) for one in results] == [
        (True, None),
        (True, "loan-limit"),
        (False, None),
    ]
    assert results[2]["problem"]["code"] == "copy-on-loan"
    assert not results[2]["problem"]["may_be_overridden"]
    made = {one["loan_id"]: one["overridden"] for one in await events(desk, "loan.checked-out")}
    assert made[results[1]["loan"]["id"]] == "loan-limit"
    assert made[results[0]["loan"]["id"]] is None
    [kept] = await overrides(desk)
    assert (kept["code"], kept["by"], kept["made_id"]) == (
        "loan-limit",
        "s2",
        results[1]["loan"]["id"],
    )
    assert kept["reason"] == OVERRIDE["override"]["reason"]
    trail = desk.api.app.state.database.audit_trail
    assert await trail.count_documents({"objects": kept["id"], "by": "s2"}) == 1


async def test_only_a_caller_with_the_right_overrides(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    answer = await check_out(desk, barcode, by=STAFF)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
    body = {"title_id": "t1", "pickup_branch": "HKCL", **OVERRIDE}
    answer = await desk.api.insist("POST", "/v1/holds", body, as_=P1)
    assert answer.status == 403
    answer = await desk.api.insist("POST", "/v1/loans/l1/renewals", OVERRIDE, as_=P1)
    assert answer.status == 403
    answer = await check_out(desk, barcode, reason=" ")
    assert answer.status == 422


async def test_a_preview_of_an_override_keeps_nothing(desk: Desk) -> None:
    await set_policy(desk, max_loans=0)
    [barcode] = await desk.copies(1)
    would = await check_out(desk, barcode, query="?preview=true")
    assert would.json()["results"][0]["ok"]
    assert await overrides(desk) == []


async def test_a_supervisor_renews_although_another_reader_waits(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-28")
    await desk.patron("p2")
    body = {"title_id": loan["title_id"], "pickup_branch": "HKCL"}
    await desk.api.insist("POST", "/v1/holds", body, as_=token("p2"), at=noon(TODAY))
    path = f"/v1/loans/{loan['id']}/renewals"
    refused = await desk.api.insist("POST", path, as_=SUPERVISOR, at=noon(TODAY))
    assert refused.json()["code"] == "hold-waiting"
    renewed = await desk.api.insist("POST", path, OVERRIDE, as_=SUPERVISOR, at=noon(TODAY))
    assert renewed.json()["loan"]["due_on"] == "2020-12-22"
    assert [one["overridden"] for one in await events(desk, "loan.renewed")] == ["hold-waiting"]
    assert [one["code"] for one in await overrides(desk)] == ["hold-waiting"]


async def test_a_supervisor_reserves_beyond_the_limit(desk: Desk) -> None:
    await set_policy(desk, max_holds=0)
    [barcode] = await desk.copies(1)
    found = await desk.api.get(f"/v1/copies/{barcode}", as_=STAFF)
    body = {"title_id": found.json()["title_id"], "pickup_branch": "HKCL", "patron_id": "p1"}
    refused = await desk.api.insist("POST", "/v1/holds", body, as_=SUPERVISOR, at=noon(TODAY))
    assert refused.json()["code"] == "hold-limit"
    made = await desk.api.insist(
        "POST", "/v1/holds", {**body, **OVERRIDE}, as_=SUPERVISOR, at=noon(TODAY)
    )
    assert made.status == 201
    assert [one["overridden"] for one in await events(desk, "hold.placed")] == ["hold-limit"]
    again = await desk.api.insist(
        "POST", "/v1/holds", {**body, **OVERRIDE}, as_=SUPERVISOR, at=noon(TODAY)
    )
    assert again.json()["code"] == "hold-exists"
