"""A patron is erased only once circulation has closed their borrowing."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.accounts.patrons.commands.erasure import BeginErasure, begin_erasure, drop_erasure
from services.accounts.patrons.rules import PATIENCE
from shared.clock import wall_clock
from shared.unit_of_work import Origin, Run
from tests.accounts.people import SERVICE, STAFF, events, registered
from tests.circulation.desk import Desk, noon
from tests.support import OPS, Answer, Api, reaching, token

ACCOUNTS = token("accounts", ["service"])
NOTHING_OPEN = {"open_loans": 0, "outstanding_cents": 0, "refund_due_cents": 0}


async def reader(api: Api, lending: Desk, **other: Any) -> str:
    """Register a patron at accounts and in circulation; return their id."""
    patron = await registered(api, **other)
    await lending.patron(patron["id"])
    return str(patron["id"])


async def erase(api: Api, patron_id: str, **more: Any) -> Answer:
    return await api.delete(f"/v1/patrons/{patron_id}", as_=STAFF, **more)


def still_open(answer: Answer) -> dict[str, int]:
    assert (answer.status, answer.json()["code"]) == (409, "not-settled")
    return {name: answer.json()[name] for name in NOTHING_OPEN}


async def begun(api: Api) -> int:
    return int(await api.app.state.database.erasures.count_documents({}))


async def finish(api: Api) -> int:
    """Let the requests that began erasures be long past, and run the job."""
    erasures = api.app.state.database.erasures
    await erasures.update_many({}, {"$set": {"begun_at": wall_clock() - 2 * PATIENCE}})
    return await api.job("accounts/erasures")


async def close(lending: Desk, patron_id: str, as_: str = ACCOUNTS) -> Answer:
    return await lending.api.post(f"/v1/borrowers/{patron_id}/closing", as_=as_)


async def test_loans_then_charges_then_refunds_stop_an_erasure(api: Api, lending: Desk) -> None:
    patron = await reader(api, lending)
    loan = await lending.loan(on="2020-11-01", to=patron)
    assert still_open(await erase(api, patron)) == {**NOTHING_OPEN, "open_loans": 1}
    [returned] = await lending.take_back(loan["barcode"], on="2020-11-20")
    assert still_open(await erase(api, patron)) == {**NOTHING_OPEN, "outstanding_cents": 750}
    charges = lending.api.app.state.database.charges
    # As a payment and a later correction of the fine leave it.
    due = {"outstanding_cents": 0, "refund_due_cents": 750}
    await charges.update_one({"_id": returned["charge"]["id"]}, {"$set": due})
    nothing = {"$set": {"outstanding_cents": 0}}
    await lending.api.app.state.database.borrowers.update_one({"_id": patron}, nothing)
    assert still_open(await erase(api, patron)) == {**NOTHING_OPEN, "refund_due_cents": 750}
    await charges.update_one({"_id": returned["charge"]["id"]}, {"$set": {"refund_due_cents": 0}})
    assert await begun(api) == 0
    assert [topic for topic, _ in await events(api)] == ["patron.registered"]
    assert (await erase(api, patron)).json()["status"] == "erased"
    assert await begun(api) == 0


async def test_open_holds_do_not_stop_an_erasure(api: Api, lending: Desk) -> None:
    patron = await reader(api, lending)
    await lending.patron("p2")
    loan = await lending.loan(to="p2")
    hold = {"title_id": loan["title_id"], "pickup_branch": "HKCL"}
    as_ = token(patron)
    placed = await lending.api.post("/v1/holds", hold, as_=as_, at=noon("2020-11-21"))
    assert placed.status == 201, placed.body
    assert (await erase(api, patron)).status == 200


async def test_a_loan_and_an_erasure_at_once_never_both_succeed(api: Api, lending: Desk) -> None:
    outcomes = set()
    for number in range(8):
        patron = await reader(api, lending, card_number=f"HK-{number}")
        [barcode] = await lending.copies(1)
        body = {"card_number": f"C-{patron}", "barcodes": [barcode], "branch": "HKCL"}
        lent, erased, again = await asyncio.gather(
            lending.api.insist("POST", "/v1/checkouts", body, as_=STAFF, at=noon("2020-11-20")),
            api.insist("DELETE", f"/v1/patrons/{patron}", as_=STAFF),
            api.insist("DELETE", f"/v1/patrons/{patron}", as_=STAFF),
        )
        has_loan = lent.status == 200 and lent.json()["results"][0]["ok"]
        is_erased = 200 in (erased.status, again.status)
        assert has_loan is not is_erased, (lent.body, erased.body, again.body)
        assert {erased.status, again.status} <= {200, 404, 409}
        outcomes.add(has_loan)
        stored = await api.app.state.database.patrons.find_one({"_id": patron})
        assert (stored["status"] == "erased") is is_erased
    assert await begun(api) == 0


async def test_a_patron_with_closed_borrowing_can_neither_borrow_nor_reserve(
    api: Api, lending: Desk
) -> None:
    patron = await reader(api, lending)
    [barcode] = await lending.copies(1)
    title = (await lending.api.get(f"/v1/copies/{barcode}", as_=STAFF)).json()["title_id"]
    assert (await close(lending, patron)).json()["closed"]
    assert (await close(lending, patron)).json()["closed"]
    body = {"card_number": f"C-{patron}", "barcodes": [barcode], "branch": "HKCL"}
    for more in ({}, {"offline": True, "at": noon("2020-11-20")}):
        answer = await lending.api.post(
            "/v1/checkouts", {**body, **more}, as_=STAFF, at=noon("2020-11-20")
        )
        assert (answer.status, answer.json()["code"]) == (404, "no-such-card")
    hold = {"title_id": title, "pickup_branch": "HKCL"}
    answer = await lending.api.post("/v1/holds", hold, as_=token(patron), at=noon("2020-11-20"))
    assert (answer.status, answer.json()["code"]) == (404, "no-such-patron")


@pytest.mark.parametrize("as_", [SERVICE, STAFF, OPS, token("accounts", ["patron"])])
async def test_only_accounts_close_a_patrons_borrowing(lending: Desk, as_: str) -> None:
    assert (await close(lending, "p1", as_)).status == 403
    assert (await close(lending, "p1")).json()["closed"]


async def test_an_erasure_that_ended_halfway_is_finished_or_dropped_by_the_job(
    api: Api, lending: Desk
) -> None:
    settled = await reader(api, lending, card_number="HK-1")
    borrows = await reader(api, lending, card_number="HK-2")
    closed = await reader(api, lending, card_number="HK-3")
    await lending.loan(to=borrows)
    run = Run(api.app.state.unit_of_work, Origin(now=wall_clock()))
    for patron in (settled, borrows, closed):
        await run(begin_erasure, BeginErasure(patron, wall_clock()))
    assert (await close(lending, closed)).json()["closed"]
    # The requests may still be at work.
    answer = await api.post("/v1/ops/jobs/accounts/erasures", as_=OPS)
    assert answer.json()["done"] == 0
    assert await finish(api) == 2
    assert await begun(api) == 0
    erased = [event["patron_id"] for topic, event in await events(api) if topic == "patron.erased"]
    assert sorted(erased) == sorted([settled, closed])
    assert await finish(api) == 0


async def test_without_circulation_nobody_is_erased_until_the_job_reaches_it(
    api: Api, lending: Desk
) -> None:
    patron = await reader(api, lending)
    owners = api.app.state.unit_of_work.owners
    right = owners._settings
    owners._settings = reaching(right, circulation="http://127.0.0.1:9")
    assert (await erase(api, patron)).status == 503
    assert (await api.get(f"/v1/patrons/{patron}", as_=STAFF)).status == 200
    owners._settings = right
    assert await finish(api) == 1
    assert (await api.get(f"/v1/patrons/{patron}", as_=STAFF)).status == 404


async def test_a_repeated_request_gets_the_first_answer(api: Api, lending: Desk) -> None:
    patron = await reader(api, lending)
    first = await erase(api, patron, key="once")
    again = await erase(api, patron, key="once")
    assert first.status == again.status == 200
    assert first.json() == again.json()
    assert (await erase(api, patron)).status == 404
    assert await begun(api) == 0


async def test_a_refusal_does_not_drop_a_later_request(api: Api, lending: Desk) -> None:
    """The later one may have closed the borrowing already, so its note has to stay."""
    patron = await reader(api, lending)
    run = Run(api.app.state.unit_of_work, Origin(now=wall_clock()))
    now = wall_clock()
    first = await run(begin_erasure, BeginErasure(patron, now))
    await run(begin_erasure, BeginErasure(patron, now + timedelta(seconds=1)))
    assert first is not None
    await run(drop_erasure, first)
    assert await begun(api) == 1
