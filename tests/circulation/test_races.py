"""Concurrent callers: a copy is lent once, no limit is exceeded, and no change is lost."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.circulation.desk import OPS, STAFF, STATION, Desk, card_of, closure, noon
from tests.circulation.desk import branch as told
from tests.support import Answer, token
from tests.warm import requests_sent

P1 = token("p1")
KEYED = 1
"""Round trips that the Idempotency-Key of a request adds."""
CHECKED = 1
"""Round trips of the tests themselves, which look for the audit entry of each command of staff."""
READS_AND_WRITES = ("find", "insert", "update", "delete", "aggregate", "commitTransaction")


def codes(answers: list[Answer]) -> Counter[str]:
    """Count the outcomes: `ok`, or the code of the refusal."""
    return Counter(
        "ok" if result["ok"] else result["problem"]["code"]
        for answer in answers
        for result in answer.json()["results"]
    )


async def lend(desk: Desk, patron: str, *barcodes: str) -> Answer:
    """Check copies out as a station."""
    body = {"card_number": card_of(patron), "barcodes": barcodes, "branch": "HKCL"}
    at = noon("2020-11-20")
    return await desk.api.insist("POST", "/v1/checkouts", body, as_=STATION, at=at)


async def renew(desk: Desk, loan: dict[str, Any], as_: str, on: str, **more: Any) -> Answer:
    """Renew a loan as its patron."""
    path = f"/v1/loans/{loan['id']}/renewals"
    return await desk.api.insist("POST", path, as_=as_, at=noon(on), **more)


async def give_back(desk: Desk, loan: dict[str, Any], on: str) -> Answer:
    """Return a loan's copy at a desk."""
    body = {"barcodes": [loan["barcode"]], "branch": "HKCL", "channel": "desk"}
    return await desk.api.insist("POST", "/v1/returns", body, as_=STAFF, at=noon(on))


async def stored(desk: Desk, collection: str, **query: Any) -> list[dict[str, Any]]:
    found = desk.api.app.state.database[collection].find(query)
    return [document async for document in found]


async def test_fifty_concurrent_check_outs_of_one_copy_make_one_loan(
    desk: Desk, second: Desk
) -> None:
    for number in range(50):
        await desk.patron(f"q{number}")
    [barcode] = await desk.copies(1)
    answers = await asyncio.gather(
        *(lend((desk, second)[n % 2], f"q{n}", barcode) for n in range(50))
    )
    assert {answer.status for answer in answers} == {200}
    assert codes(answers) == {"ok": 1, "copy-on-loan": 49}
    assert len(await stored(desk, "loans")) == 1
    assert await desk.count("loan.checked-out") == 1
    assert sum(one["open_loans"] for one in await stored(desk, "borrowers")) == 1


async def test_two_concurrent_stations_never_lend_a_patron_more_than_ten(
    desk: Desk, second: Desk
) -> None:
    barcodes = await desk.copies(30)
    answers = await asyncio.gather(
        *(lend((desk, second)[n % 2], "p1", *barcodes[n * 3 : n * 3 + 3]) for n in range(10))
    )
    assert codes(answers)["ok"] == 10
    assert set(codes(answers)) == {"ok", "loan-limit"}
    assert len(await stored(desk, "loans", state="open")) == 10
    assert len(await stored(desk, "copies", state="on-loan")) == 10
    [borrower] = await stored(desk, "borrowers")
    assert borrower["open_loans"] == 10


async def test_twenty_concurrent_retries_of_a_renewal_make_one_renewal(
    desk: Desk, second: Desk
) -> None:
    loan = await desk.loan()
    answers = await asyncio.gather(
        *(renew((desk, second)[n % 2], loan, P1, "2020-11-25", key="k-1") for n in range(20))
    )
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json()["reference"] for answer in answers}) == 1
    assert (await desk.stored(loan))["renewals"] == 1
    assert await desk.count("loan.renewed") == 1


async def test_a_concurrent_return_and_renewal_are_serialized(desk: Desk, second: Desk) -> None:
    for number in range(10):
        patron = f"r{number}"
        as_ = await desk.patron(patron)
        loan = await desk.loan(on="2020-11-01", to=patron)  # due on 15 November
        renewal, returned = await asyncio.gather(
            renew(second, loan, as_, "2020-11-17"), give_back(desk, loan, "2020-11-17")
        )
        [result] = returned.json()["results"]
        assert result["ok"]
        if renewal.status == 200:  # the fine was assessed by the renewal, not by the return
            assert renewal.json()["charge"]["amount_cents"] == 300
            assert result["charge"] is None
        else:
            assert renewal.json()["code"] == "loan-not-open"
            assert result["charge"]["amount_cents"] == 300
        charges = (await desk.api.get("/v1/me/charges", as_=as_)).json()["items"]
        assert [charge["amount_cents"] for charge in charges] == [300]
        [borrower] = await stored(desk, "borrowers", _id=patron)
        assert (borrower["open_loans"], borrower["outstanding_cents"]) == (0, 300)
        assert (await desk.stored(loan))["state"] == "returned"


async def test_concurrent_returns_of_one_copy_at_two_desks_count_once(
    desk: Desk, second: Desk
) -> None:
    loan = await desk.loan(on="2020-11-01")
    answers = await asyncio.gather(
        *(give_back((desk, second)[n % 2], loan, "2020-11-20") for n in range(10))
    )
    assert codes(answers) == {"ok": 1, "not-on-loan": 9}
    assert await desk.count("fine.assessed") == 1


@pytest.mark.parametrize(
    ("job", "day", "topic"),
    [
        ("due-soon", "2020-11-13", "loan.due-soon"),
        ("overdue", "2020-11-16", "loan.overdue"),
        ("overdue", "2020-11-22", "loan.overdue"),
    ],
    ids=["due soon", "overdue", "overdue for a week"],
)
async def test_a_job_on_two_replicas_publishes_one_event_for_each_loan(
    desk: Desk, second: Desk, job: str, day: str, topic: str
) -> None:
    for number in range(5):
        await desk.patron(f"o{number}")
        await desk.lend(*await desk.copies(5), to=f"o{number}", on="2020-11-01")
    in_time = await desk.loan(on="2020-11-12")
    answers = await asyncio.gather(
        *(
            one.api.post(f"/v1/ops/jobs/circulation/{job}", as_=OPS, at=noon(day))
            for one in (desk, second, desk, second)
        )
    )
    assert {answer.status for answer in answers} == {200}
    assert sum(answer.json()["done"] for answer in answers) == 25
    assert await desk.count(topic) == 25
    again = await desk.api.post(f"/v1/ops/jobs/circulation/{job}", as_=OPS, at=noon(day))
    assert again.json()["done"] == 0
    assert (await desk.stored(in_time))["version"] == 1


async def test_the_due_date_of_a_loan_made_during_a_closure_announcement_is_moved(
    desk: Desk, second: Desk
) -> None:
    ends = closure("c1", "2020-12-02", (2, "2020-12-10"))
    lent, _ = await asyncio.gather(
        desk.lend(*await desk.copies(5)),  # due on 4 December
        second.hear(told(version=2, closures=(ends,))),
    )
    # In either order: if a sweep ran too early, the job catches up.
    job = await desk.api.post("/v1/ops/jobs/circulation/due-dates", as_=OPS)
    assert job.status == 200
    loans = [await desk.stored(result["loan"]) for result in lent]
    assert {loan["due_on"] for loan in loans} == {"2020-12-10"}


async def test_a_check_out_takes_seven_round_trips_however_many_copies(desk: Desk) -> None:
    barcodes = await desk.copies(8)
    await desk.lend(barcodes[0])  # stores the policies and the patron's counters
    await desk.lend(barcodes[7])  # loads the policies
    assert await round_trips(lend(desk, "p1", barcodes[1])) == 7 + KEYED + CHECKED
    assert await round_trips(lend(desk, "p1", *barcodes[2:7])) == 7 + KEYED + CHECKED
    refused = await round_trips(lend(desk, "p1", *barcodes[2:7]))
    assert (
        refused <= 4 + KEYED + CHECKED
    )  # a read for the ways out; only the audit entry is written


async def test_a_return_takes_eight_round_trips_however_many_copies(desk: Desk) -> None:
    barcodes = await desk.copies(6)
    await desk.lend(*barcodes)
    for some in (barcodes[:1], barcodes[1:]):
        done = desk.take_back(*some, on="2020-11-21")
        assert await round_trips(done) == 8 + KEYED + CHECKED


async def test_returns_of_one_title_at_once_conflict_only_once_each(desk: Desk) -> None:
    barcodes = await desk.copies(20)
    for number, barcode in enumerate(barcodes):
        await desk.patron(f"q{number}")
        await desk.lend(barcode, to=f"q{number}")
    client = desk.api.app.state.client
    before = (await client.admin.command("serverStatus"))["transactions"]["totalStarted"]
    await asyncio.gather(*(desk.take_back(barcode, on="2020-11-21") for barcode in barcodes))
    after = (await client.admin.command("serverStatus"))["transactions"]["totalStarted"]
    # Retried one by one; a few may conflict again with others that have just begun.
    assert after - before <= 3 * len(barcodes)


async def test_a_renewal_takes_seven_round_trips(desk: Desk) -> None:
    loan = await desk.loan()
    await desk.loan()  # loads the policies
    assert await round_trips(renew(desk, loan, P1, "2020-11-25")) == 7 + KEYED


async def round_trips(done: Awaitable[Any]) -> int:
    """Return how many requests the database gets meanwhile."""
    with requests_sent() as sent:
        await done
        return sum(name in READS_AND_WRITES for name in sent)
