"""Loans are deleted after their return, unless the patron chose to keep a reading history."""

import asyncio
from datetime import date
from typing import Any

from services.circulation.borrowers import store as borrowers_store
from services.circulation.borrowers.consumers import keep_reader
from services.circulation.loans.commands.notices import purge_loan
from shared.contracts.accounts import PatronErased, PreferencesChanged
from shared.unit_of_work import Work
from tests.circulation.desk import OPS, STAFF, Desk, card_of, noon
from tests.circulation.shelf import hold
from tests.support import token

P1 = token("p1")


async def choose(desk: Desk, version: int, *, keep: bool, patron_id: str = "p1") -> None:
    event = PreferencesChanged(
        version=version,
        patron_id=patron_id,
        followed_branches=(),
        activity_types=(),
        language="en",
        channels=("inbox",),
        keep_history=keep,
    )
    await keep_reader(event, desk.run())


async def over(desk: Desk, on: str = "2020-12-01") -> dict[str, Any]:
    """Lend a copy on 20 November and return it; return the loan."""
    loan = await desk.loan(on="2020-11-20")
    await desk.take_back(loan["barcode"], on=on)
    return loan


def later(on: str) -> str:
    """Return a time of a day at which its returns at noon can't be undone any more."""
    return noon(on).replace("T12:00", "T12:30")


async def purge(desk: Desk, on: str = "2020-12-01") -> int:
    answer = await desk.api.post("/v1/ops/jobs/circulation/purge-loans", as_=OPS, at=later(on))
    return int(answer.json()["done"])


async def history(desk: Desk, as_: str = P1) -> list[str]:
    answer = await desk.api.get("/v1/me/history", as_=as_)
    return [item["id"] for item in answer.json()["items"]]


async def mentions(desk: Desk, loan: dict[str, Any]) -> list[str]:
    """Return the collections, outbox and answers excepted, that link the title to p1."""
    found = []
    for name in await desk.run().database.list_collection_names():
        if name in ("outbox", "answers"):
            continue
        link = {"patron_id": "p1", "title_id": loan["title_id"]}
        if await desk.run().database[name].count_documents(link):
            found.append(name)
    return found


async def test_a_finished_loan_is_purged_unless_its_patron_keeps_a_history(
    desk: Desk,
) -> None:
    loan = await over(desk)
    still_out = await desk.loan(on="2020-11-21")
    assert await mentions(desk, loan) == ["loans"]
    assert (await purge(desk), await purge(desk)) == (1, 0)
    assert await mentions(desk, loan) == []
    assert (await desk.api.get(f"/v1/loans/{loan['id']}", as_=STAFF)).status == 404
    assert (await desk.stored(still_out))["state"] == "open"
    assert await history(desk) == []
    [again] = await desk.lend(loan["barcode"], on="2020-12-02")
    assert again["ok"]


async def test_a_patron_who_chose_to_keep_history_sees_loans_returned_since(desk: Desk) -> None:
    before = await over(desk)
    await purge(desk)
    await choose(desk, 1, keep=True)
    loans = [await over(desk) for _ in range(3)]
    await purge(desk)
    answer = await desk.api.get("/v1/me/history?limit=2", as_=P1)
    assert [item["id"] for item in answer.json()["items"]] == [loan["id"] for loan in loans[:2]]
    first = answer.json()["items"][0]
    assert (first["title"], first["branch"]) == ("Factory In and Out", "HKCL")
    assert (first["borrowed_on"], first["returned_on"]) == ("2020-11-20", "2020-12-01")
    assert len(await history(desk)) == 3
    years = (await desk.api.get("/v1/me/history/years", as_=P1)).json()["items"]
    assert [(one["year"], one["loans"]) for one in years] == [(2020, 3)]
    assert years[0]["titles"] == len({loan["title_id"] for loan in loans})
    assert before["id"] not in await history(desk)
    assert await history(desk, token("p2")) == []


async def test_turning_the_history_off_deletes_all_of_it(desk: Desk) -> None:
    await choose(desk, 1, keep=True)
    loan = await over(desk)
    await purge(desk)
    await choose(desk, 2, keep=False)
    await choose(desk, 1, keep=True)  # an older event that arrives late
    assert (await history(desk), await mentions(desk, loan)) == ([], [])
    await over(desk)
    await purge(desk)
    assert await history(desk) == []


async def test_a_finished_loan_is_kept_while_its_fine_is_open(desk: Desk) -> None:
    loan = await over(desk, on="2020-12-06")  # two days late, $3
    assert await purge(desk, on="2020-12-06") == 0
    [charge] = (await desk.api.get("/v1/me/charges", as_=P1)).json()["items"]
    assert charge["outstanding_cents"] == 300
    body = {"amount_cents": 300, "reason": "The lift was broken"}
    waived = await desk.api.post(
        f"/v1/charges/{charge['id']}/waiver", body, as_=STAFF, at=noon("2020-12-07")
    )
    assert waived.status == 200, waived.json()
    assert await purge(desk, on="2020-12-07") == 1
    assert await mentions(desk, loan) == []
    after = (await desk.api.get(f"/v1/charges/{charge['id']}", as_=P1)).json()
    assert after["statement"] == charge["statement"]  # the statement is kept in full
    assert charge["title"]
    assert after["title"] is None


async def test_an_ended_hold_is_purged_on_the_next_day(desk: Desk) -> None:
    await desk.patron("p2")
    out = await desk.loan(on="2020-11-20", to="p2")
    waiting = await desk.loan(on="2020-11-20", to="p2")
    for loan in (out, waiting):
        await hold(desk, "p1", loan["title_id"])
    await desk.take_back(out["barcode"], on="2020-11-30")
    [lent] = await desk.lend(out["barcode"], on="2020-12-01")
    await desk.take_back(out["barcode"], on="2020-12-01")
    assert lent["ok"]
    assert sorted(await mentions(desk, out)) == ["holds", "loans"]
    await purge(desk, on="2020-12-01")
    assert await mentions(desk, out) == ["holds"]  # the hold's end may be asked about
    await purge(desk, on="2020-12-02")
    assert await mentions(desk, out) == []
    assert await mentions(desk, waiting) == ["holds"]
    [fee] = (await desk.api.get("/v1/me/charges", as_=P1)).json()["items"]
    assert (fee["kind"], fee["outstanding_cents"]) == ("hold-fee", 330)


async def test_a_conflict_is_purged_a_month_after_it_was_resolved(desk: Desk) -> None:
    body = {"card_number": card_of("p1"), "barcodes": ["NONE"], "branch": "HKCL", "offline": True}
    await desk.api.post(
        "/v1/checkouts", {**body, "at": "2020-11-20"}, as_=STAFF, at=noon("2020-11-21")
    )
    [conflict] = (await desk.api.get("/v1/offline-conflicts", as_=STAFF)).json()["items"]
    assert await purge(desk, on="2021-02-01") == 0  # the conflict is not resolved
    path = f"/v1/offline-conflicts/{conflict['id']}/resolution"
    await desk.api.post(path, {"note": "misread"}, as_=STAFF, at=noon("2021-02-01"))
    assert [await purge(desk, on=day) for day in ("2021-03-03", "2021-03-05")] == [0, 1]
    all_ = await desk.api.get("/v1/offline-conflicts?all=true", as_=STAFF)
    assert all_.json()["items"] == []


async def test_an_erased_patron_has_no_history(desk: Desk) -> None:
    await choose(desk, 1, keep=True)
    kept, out = await over(desk), await desk.loan(on="2020-11-21")
    await purge(desk)
    await desk.hear(
        PatronErased(
            version=2,
            patron_id="p1",
            category="adult",
            home_branch="HKCL",
            language="en",
            status="erased",
            card_digest="",
        )
    )
    await choose(desk, 2, keep=True)  # it arrives after the erasure
    await desk.take_back(out["barcode"], on="2020-12-01")
    assert await purge(desk) == 1
    assert [await mentions(desk, loan) for loan in (kept, out)] == [[], []]


async def test_turning_the_history_off_while_a_loan_is_moved_into_it_deletes_that_loan(
    desk: Desk,
) -> None:
    await choose(desk, 1, keep=True)
    loan = await over(desk)
    tries = 0
    loop = asyncio.get_running_loop()

    def purge_meanwhile(work: Work, loan_id: str) -> bool:
        nonlocal tries
        tries += 1
        borrowers_store.get_reader(work, "p1")  # the snapshot of this transaction's start
        if tries == 1:
            # A use case runs in a thread of its own.
            asyncio.run_coroutine_threadsafe(choose(desk, 2, keep=False), loop).result()
        return purge_loan(work, loan_id)

    assert await desk.run(date(2020, 12, 2))(purge_meanwhile, loan["id"])
    assert (tries, await history(desk)) == (2, [])


async def test_two_replicas_purge_each_loan_once_while_its_patron_changes_the_setting(
    desk: Desk, second: Desk
) -> None:
    """In any order of the calls, nothing is left of the history the patron no longer wants."""
    await choose(desk, 1, keep=True)
    for _ in range(10):
        await over(desk)
    done = await asyncio.gather(purge(desk), purge(second), choose(desk, 2, keep=False))
    assert done[0] + done[1] == 10
    assert await history(desk) == []
    assert await desk.run().database.loans.count_documents({}) == 0
