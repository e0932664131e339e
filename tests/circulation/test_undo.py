"""An undone check-out never was; after an undone return a loan is as before."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from tests.circulation.desk import STAFF, STATION, Desk, card_of, noon
from tests.circulation.shelf import hold
from tests.support import Answer, token

P1 = token("p1")
DAY = "2020-11-20"
LATE = "2020-12-21"


async def undo(
    desk: Desk, loan: dict[str, Any], step: str, on: str = DAY, branch: str = "HKCL"
) -> Answer:
    """Undo a step of a loan."""
    body = {"step": step, "branch": branch}
    at = on if "T" in on else noon(on)
    return await desk.api.insist("POST", f"/v1/loans/{loan['id']}/undo", body, as_=STAFF, at=at)


async def owes(desk: Desk, patron_id: str = "p1") -> tuple[int, int]:
    """Return the number of open loans and the cents that a patron owes."""
    found = await desk.run().database.borrowers.find_one({"_id": patron_id}) or {}
    return found.get("open_loans", 0), found.get("outstanding_cents", 0)


async def state_of(desk: Desk, barcode: str) -> str:
    """Return the state of a copy."""
    answer = await desk.api.insist("GET", f"/v1/copies/{barcode}", as_=STAFF)
    return str(answer.json()["state"])


async def test_an_undone_check_out_leaves_no_loan_no_fine_and_no_history(desk: Desk) -> None:
    await desk.patron("p2")
    loan = await desk.loan(on=DAY)
    undone = await undo(desk, loan, "check-out")
    assert undone.status == 200, undone.json()
    assert (undone.json()["copy"]["state"], undone.json()["hold"]) == ("available", None)
    assert await owes(desk) == (0, 0)
    assert (await desk.api.get(f"/v1/loans/{loan['id']}", as_=STAFF)).status == 404
    again = await undo(desk, loan, "check-out")
    assert (again.status, again.json()["code"]) == (404, "no-such-loan")
    [event] = await events(desk, "loan.undone")
    assert (event["version"], event["undid"], event["state"]) == (2, "check-out", "returned")
    assert event["returned_on"] is None
    [result] = await desk.lend(loan["barcode"], to="p2", on=DAY)
    assert result["ok"]


async def events(desk: Desk, topic: str) -> list[dict[str, Any]]:
    """Return the events of a topic."""
    found = desk.run().database.outbox.find({"topic": topic}).sort("_id", 1)
    return [orjson.loads(row["body"]) async for row in found]


async def test_an_undone_check_out_keeps_the_copy_for_the_hold_that_it_collected(
    desk: Desk,
) -> None:
    await desk.patron("p2")
    loan = await desk.loan(on=DAY)
    placed = await hold(desk, "p2", loan["title_id"], on=DAY)
    await desk.take_back(loan["barcode"], on=DAY)
    ready = await desk.count("hold.ready")
    [lent] = await desk.lend(loan["barcode"], to="p2", on=DAY)
    undone = (await undo(desk, lent["loan"], "check-out")).json()
    assert undone["copy"]["state"] == "on-shelf"
    assert (undone["hold"]["id"], undone["hold"]["state"]) == (placed["id"], "ready")
    assert undone["hold"]["shelf_until"]
    assert await desk.count("hold.ready") == ready  # nobody is notified again
    found = await desk.run().database.borrowers.find_one({"_id": "p2"}) or {}
    assert (found["open_loans"], found["open_holds"]) == (0, 1)
    assert (await desk.lend(loan["barcode"], to="p2", on=DAY))[0]["ok"]


async def test_an_undone_check_out_lets_a_hold_wait_again_that_another_copy_ended(
    desk: Desk,
) -> None:
    await desk.patron("p2")
    first, second = await desk.copies(2)
    [lent] = await desk.lend(first, to="p2", on=DAY)
    [other] = await desk.lend(second, to="p2", on=DAY)
    placed = await hold(desk, "p1", other["loan"]["title_id"], on=DAY)
    await desk.take_back(second, on=DAY)  # is kept for p1
    await desk.take_back(first, on=DAY)
    [taken] = await desk.lend(first, on=DAY)  # p1 takes the other one
    assert taken["ok"]
    assert await state_of(desk, second) == "available"
    undone = (await undo(desk, taken["loan"], "check-out")).json()
    assert undone["hold"]["id"] == placed["id"]
    stored = await desk.api.get(f"/v1/holds/{placed['id']}", as_=STAFF)
    assert stored.json()["state"] == "ready"
    assert lent["ok"]


@pytest.mark.parametrize("reason", ["another library", "renewed", "returned", "too old"])
async def test_a_check_out_that_something_followed_is_not_undone(
    desk: Desk, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loan = await desk.loan(on=DAY)
    if reason == "renewed":
        path = f"/v1/loans/{loan['id']}/renewals"
        await desk.api.insist("POST", path, as_=P1, at=noon("2020-11-27"))
    elif reason == "returned":
        await desk.take_back(loan["barcode"], on=DAY)
    elif reason == "too old":
        monkeypatch.setattr("services.circulation.rules.undo.UNDO_WITHIN", -timedelta(seconds=1))
    refused = await undo(desk, loan, "check-out", branch="LFU" if "lib" in reason else "HKCL")
    code = "loan-not-open" if reason == "returned" else "too-late-to-undo"
    assert (refused.status, refused.json()["code"]) == (409, code)
    assert await desk.count("loan.undone") == 0


async def test_an_undone_return_opens_the_loan_and_credits_its_fine(desk: Desk) -> None:
    loan = await desk.loan(on=DAY)
    [back] = await desk.take_back(loan["barcode"], on=LATE)
    assert back["charge"]["amount_cents"] > 0
    undone = await undo(desk, loan, "return", on=LATE)
    assert undone.status == 200, undone.json()
    open_again = await desk.stored(loan)
    assert (open_again["state"], open_again["due_on"]) == ("open", loan["due_on"])
    assert open_again["returned_on"] is None
    assert await owes(desk) == (1, 0)
    assert await state_of(desk, loan["barcode"]) == "on-loan"
    refused = await undo(desk, loan, "return", on=LATE)
    assert refused.json()["code"] == "return-not-made"
    [again] = await desk.take_back(loan["barcode"], on=LATE)
    assert again["charge"]["amount_cents"] == back["charge"]["amount_cents"]
    assert await owes(desk) == (0, back["charge"]["amount_cents"])
    [event] = await events(desk, "loan.undone")
    assert (event["version"], event["undid"], event["state"]) == (3, "return", "open")


async def undo_last(desk: Desk, barcode: str, on: str = LATE, **other: str) -> tuple[int, str]:
    """Undo the last return of a copy; return the status and the code of the refusal."""
    body = {"barcode": barcode, "branch": "HKCL", "channel": "desk", **other}
    answer = await desk.api.insist("POST", "/v1/returns/undo", body, as_=STATION, at=noon(on))
    return answer.status, answer.json().get("code", "")


async def test_the_last_return_of_a_copy_is_undone_where_and_as_it_was_made(desk: Desk) -> None:
    await desk.patron("p2")
    first = await desk.loan(on=DAY)
    barcode = first["barcode"]
    assert await undo_last(desk, barcode) == (409, "too-late-to-undo")
    await desk.take_back(barcode, on=DAY)
    [again] = await desk.lend(barcode, to="p2", on=LATE)
    assert await undo_last(desk, barcode) == (409, "too-late-to-undo")
    await desk.take_back(barcode, on=LATE)
    assert await undo_last(desk, "NONE") == (409, "no-such-copy")
    assert await undo_last(desk, barcode, branch="LFU") == (409, "too-late-to-undo")
    assert await undo_last(desk, barcode, channel="book-drop") == (409, "too-late-to-undo")
    assert await undo_last(desk, barcode, on="2020-12-22") == (409, "too-late-to-undo")
    answers = await asyncio.gather(*(undo_last(desk, barcode) for _ in range(5)))
    assert sorted(answers) == [(200, ""), *[(409, "too-late-to-undo")] * 4]
    assert await owes(desk, "p2") == (1, 0)
    assert await owes(desk) == (0, 0)
    [event] = await events(desk, "loan.undone")
    assert (event["loan_id"], event["undid"]) == (again["loan"]["id"], "return")


async def undo_lent(desk: Desk, barcode: str, by: str = STATION, **other: str) -> tuple[int, str]:
    """Undo the check-out of a copy to p1; return the status and the code of the refusal."""
    body = {"card_number": card_of("p1"), "barcode": barcode, "branch": "HKCL", **other}
    answer = await desk.api.insist("POST", "/v1/checkouts/undo", body, as_=by, at=noon(DAY))
    return answer.status, answer.json().get("code", "")


async def test_the_check_out_of_a_copy_is_undone_for_its_card_where_and_as_it_was_made(
    desk: Desk,
) -> None:
    await desk.patron("p2")
    first, other = await desk.copies(2)
    assert await undo_lent(desk, first) == (409, "too-late-to-undo")
    assert await undo_lent(desk, "NONE") == (409, "no-such-copy")
    lend = {"card_number": card_of("p1"), "branch": "HKCL"}
    for barcode, by in ((first, STATION), (other, STAFF)):
        body = {**lend, "barcodes": [barcode]}
        lent = await desk.api.insist("POST", "/v1/checkouts", body, as_=by, at=noon(DAY))
        assert lent.json()["results"][0]["ok"]
    for wrong in ({"card_number": card_of("p2")}, {"card_number": "NONE"}, {"branch": "LFU"}):
        assert await undo_lent(desk, first, **wrong) == (409, "too-late-to-undo")
    assert await undo_lent(desk, first, STAFF) == (409, "too-late-to-undo")
    assert await undo_lent(desk, other) == (409, "too-late-to-undo")
    assert await owes(desk) == (2, 0)
    answers = await asyncio.gather(*(undo_lent(desk, first) for _ in range(5)))
    assert sorted(answers) == [(200, ""), *[(409, "too-late-to-undo")] * 4]
    assert await undo_lent(desk, other, STAFF) == (200, "")
    assert await owes(desk) == (0, 0)
    assert await desk.count("loan.undone") == 2


async def test_the_last_return_of_a_copy_is_found_by_an_index(desk: Desk) -> None:
    loan = await desk.loan(on=DAY)
    await desk.take_back(loan["barcode"], on=DAY)
    query = {"copy_id": loan["copy_id"], "state": "returned"}
    plan = await desk.run().database.loans.find(query).sort("returned_at", -1).limit(1).explain()
    assert "returned_of_copy" in str(plan["queryPlanner"]["winningPlan"])


async def test_after_an_undone_return_the_hold_that_got_the_copy_waits_again(desk: Desk) -> None:
    await desk.patron("p2")
    loan = await desk.loan(on=DAY)
    placed = await hold(desk, "p2", loan["title_id"], on=DAY)
    await desk.take_back(loan["barcode"], on=DAY)
    await undo(desk, loan, "return")
    stored = (await desk.api.get(f"/v1/holds/{placed['id']}", as_=STAFF)).json()
    assert (stored["state"], stored["copy_id"]) == ("waiting", None)
    [back] = await desk.take_back(loan["barcode"], on=DAY)
    assert back["hold"]["id"] == placed["id"]


@pytest.mark.parametrize("reason", ["another library", "lent again", "paid", "too old", "earlier"])
async def test_a_return_that_something_followed_is_not_undone(desk: Desk, reason: str) -> None:
    await desk.patron("p2")
    loan = await desk.loan(on=DAY)
    on, more = LATE, dict[str, str]()
    if reason == "earlier":
        more = {"at": "2020-12-20"}
    [back] = await desk.take_back(loan["barcode"], on=on, **more)
    if reason == "lent again":
        assert (await desk.lend(loan["barcode"], to="p2", on=on))[0]["ok"]
    elif reason == "paid":
        path = f"/v1/charges/{back['charge']['id']}/waiver"
        body = {"amount_cents": 100, "reason": "Flood"}
        waived = await desk.api.insist("POST", path, body, as_=STAFF, at=noon(on))
        assert waived.status == 200, waived.json()
    elif reason == "too old":
        on = noon(LATE).replace("T12:00", "T12:16")
    where = "LFU" if reason == "another library" else "HKCL"
    refused = await undo(desk, loan, "return", on=on, branch=where)
    assert (refused.status, refused.json()["code"]) == (409, "too-late-to-undo")
    assert (await desk.stored(loan))["state"] == "returned"


async def test_undo_and_the_next_scan_at_the_same_moment_leave_one_state(desk: Desk) -> None:
    await desk.patron("p2")
    for step in ("check-out", "return"):
        loan = await desk.loan(on=DAY)
        if step == "return":
            await desk.take_back(loan["barcode"], on=DAY)
        calls = [undo(desk, loan, step) for _ in range(8)]
        other = (
            desk.take_back(loan["barcode"], on=DAY)
            if step == "check-out"
            else desk.lend(loan["barcode"], to="p2", on=DAY)
        )
        undone, [scanned] = await asyncio.gather(asyncio.gather(*calls), other)
        done = [answer for answer in undone if answer.status == 200]
        assert len(done) + int(scanned["ok"]) == 1, (step, scanned)
        lent = (await owes(desk))[0] + (await owes(desk, "p2"))[0]
        is_lent = await state_of(desk, loan["barcode"]) == "on-loan"
        open_loans = await desk.run().database.loans.count_documents({"state": "open"})
        assert lent == open_loans
        assert is_lent == bool(open_loans)
        if is_lent:
            await desk.take_back(loan["barcode"], on=DAY)
