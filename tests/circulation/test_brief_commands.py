"""Check-outs, returns and renewals that wait at the same moment share a transaction."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

from shared.unit_of_work import Origin, UnitOfWork, Work, brief
from tests import patience
from tests.circulation.desk import STAFF, STATION, Desk, card_of, noon
from tests.circulation.shelf import hold, title_of
from tests.shared.things import NOON
from tests.support import Answer, token, until
from tests.warm import requests_sent

PATRONS = [f"q{number}" for number in range(5)]


@contextlib.asynccontextmanager
async def waiting(desk: Desk, count: int) -> AsyncIterator[None]:
    """Hold a transaction open until `count` commands that are begun in the block wait for it."""
    unit_of_work: UnitOfWork = desk.api.app.state.unit_of_work
    begun, let = threading.Event(), threading.Event()

    @brief()
    def hold(_work: Work, _command: None) -> None:
        begun.set()
        let.wait(patience.stretched(30))

    async def all_wait() -> bool:
        return len(unit_of_work._brief._asked) == count

    holding = asyncio.create_task(unit_of_work.run(hold, None, Origin(NOON)))
    await asyncio.to_thread(begun.wait, 30)
    try:
        yield
        await until(all_wait)
    finally:
        let.set()
        await holding


async def together(
    desk: Desk, *commands: Awaitable[Answer]
) -> tuple[Sequence[Answer], Counter[str]]:
    """Send commands that share a transaction; return the answers and the database's requests."""
    with requests_sent() as sent:
        async with waiting(desk, len(commands)):
            tasks = [asyncio.ensure_future(command) for command in commands]
        return await asyncio.gather(*tasks), Counter(sent)


def check_out(desk: Desk, patron: str, barcode: str, branch: str = "HKCL") -> Awaitable[Answer]:
    body = {"card_number": card_of(patron), "barcodes": [barcode], "branch": branch}
    return desk.api.insist("POST", "/v1/checkouts", body, as_=STATION, at=noon("2020-11-20"))


def take_back(desk: Desk, barcode: str, on: str) -> Awaitable[Answer]:
    body = {"barcodes": [barcode], "branch": "HKCL", "channel": "desk"}
    return desk.api.insist("POST", "/v1/returns", body, as_=STAFF, at=noon(on))


def renew(desk: Desk, patron: str, loan: dict[str, Any], on: str) -> Awaitable[Answer]:
    path = f"/v1/loans/{loan['id']}/renewals"
    return desk.api.insist("POST", path, as_=token(patron), at=noon(on))


def outcomes(answers: Sequence[Answer]) -> list[str]:
    """Return the outcome for each copy: `ok`, or the code of the refusal."""
    return [
        "ok" if result["ok"] else result["problem"]["code"]
        for answer in answers
        for result in answer.json()["results"]
    ]


async def lend(desk: Desk) -> list[dict[str, Any]]:
    """Lend each patron a copy of a title of its own; return the loans, due on 15 November."""
    for patron in PATRONS:
        await desk.patron(patron)
    return [await desk.loan(on="2020-11-01", to=patron) for patron in PATRONS]


async def test_check_outs_that_share_a_transaction_read_and_write_once(
    desk: Desk,
) -> None:
    await lend(desk)
    barcodes = [barcode for _ in PATRONS for barcode in await desk.copies(1)]
    answers, sent = await together(desk, *map(check_out, [desk] * len(PATRONS), PATRONS, barcodes))

    assert outcomes(answers) == ["ok"] * 5
    assert sent == {
        "aggregate": 1,
        "update": 3,  # borrowers, copies, stored responses
        "insert": 3,  # loans, audit trail, outbox
        "commitTransaction": 1,
        "find": 5,  # by the tests, which look for each entry of the audit trail
    }
    assert await desk.count("loan.checked-out") == 10


async def test_returns_with_fines_share_a_transaction_too(desk: Desk) -> None:
    loans = await lend(desk)
    answers, sent = await together(
        desk, *(take_back(desk, loan["barcode"], "2020-11-20") for loan in loans)
    )

    results = [result for answer in answers for result in answer.json()["results"]]
    assert [result["charge"]["amount_cents"] for result in results] == [750] * 5
    assert sent == {
        "aggregate": 1,
        "update": 5,  # queues, copies, borrowers, loans, stored responses
        "insert": 4,  # charges, entries of the ledger, audit trail, outbox
        "commitTransaction": 1,
        "find": 5 * (3 + 1),  # patron, edition of the policies, loan; by the tests: audit entry
    }
    assert await desk.count("fine.assessed") == 5


async def test_returns_of_one_title_share_a_transaction(desk: Desk) -> None:
    for patron in PATRONS:
        await desk.patron(patron)
    barcodes = await desk.copies(5)
    for patron, barcode in zip(PATRONS, barcodes, strict=True):
        await desk.lend(barcode, to=patron, on="2020-11-01")
    answers, sent = await together(
        desk, *(take_back(desk, barcode, "2020-11-10") for barcode in barcodes)
    )
    assert outcomes(answers) == ["ok"] * 5
    assert (sent["aggregate"], sent["commitTransaction"]) == (1, 1)


async def test_returns_of_one_title_for_which_somebody_waits_serve_one_hold_each(
    desk: Desk,
) -> None:
    for patron in PATRONS:
        await desk.patron(patron)
    barcodes = await desk.copies(3)
    for patron, barcode in zip(PATRONS, barcodes, strict=False):
        await desk.lend(barcode, to=patron, on="2020-11-01")
    title = await title_of(desk, barcodes[0])
    for patron in PATRONS[3:]:
        await hold(desk, patron, title, on="2020-11-02")
    answers, _ = await together(
        desk, *(take_back(desk, barcode, "2020-11-10") for barcode in barcodes)
    )
    kept = [result["hold"] for answer in answers for result in answer.json()["results"]]
    assert sorted(one["patron_id"] for one in kept if one) == PATRONS[3:]


async def test_commands_that_meet_end_as_one_after_the_other(desk: Desk) -> None:
    """Two patrons want one copy, one copy is returned twice, one loan is renewed and returned."""
    loans = await lend(desk)
    [wanted] = await desk.copies(1)
    answers, _ = await together(
        desk,
        check_out(desk, PATRONS[0], wanted),
        check_out(desk, PATRONS[1], wanted),
        take_back(desk, loans[2]["barcode"], "2020-11-14"),
        take_back(desk, loans[2]["barcode"], "2020-11-14"),
        take_back(desk, loans[3]["barcode"], "2020-11-14"),
        check_out(desk, PATRONS[4], wanted, branch="NOWHERE"),
        renew(desk, PATRONS[3], loans[3], "2020-11-14"),
    )

    assert sorted(outcomes(answers[:2])) == ["copy-on-loan", "ok"]
    assert sorted(outcomes(answers[2:4])) == ["not-on-loan", "ok"]
    assert outcomes(answers[4:5]) == ["ok"]
    assert answers[5].json()["code"] == "unknown-branch"
    renewed = answers[6].status == 200  # it came before the return
    assert renewed or answers[6].json()["code"] == "loan-not-open"
    assert await desk.count("loan.renewed") == renewed
    assert await desk.count("loan.returned") == 2
    assert await desk.count("loan.checked-out") == len(PATRONS) + 1
    assert (await desk.stored(loans[3]))["state"] == "returned"
