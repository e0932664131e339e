"""Concurrent callers on one queue: each has one place, each copy one patron, none is idle."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from tests.circulation.desk import STAFF, Desk, card_of, noon
from tests.circulation.shelf import DAY, faults, title_of
from tests.support import Answer, token

Call = Callable[[Desk], Awaitable[Answer]]


async def call(desk: Desk, method: str, path: str, body: Any = None, *, as_: str = STAFF) -> Answer:
    """Send a call as a client that retries; fail on any status of 500 or more."""
    answer = await desk.api.insist(method, path, body, as_=as_, at=noon(DAY))
    assert answer.status < 500, answer.json()
    return answer


async def reserve(desk: Desk, patron: str, title: str, branch: str = "HKCL") -> Answer:
    body = {"title_id": title, "pickup_branch": branch}
    return await call(desk, "POST", "/v1/holds", body, as_=token(patron))


async def cancel(desk: Desk, patron: str, title: str) -> Answer:
    mine = (await call(desk, "GET", "/v1/me/holds", as_=token(patron))).json()["items"]
    held = next((one["id"] for one in mine if one["title_id"] == title), "none")
    return await call(desk, "DELETE", f"/v1/holds/{held}", as_=token(patron))


async def give_back(desk: Desk, barcode: str, branch: str = "HKCL") -> Answer:
    body = {"barcodes": [barcode], "branch": branch, "channel": "desk"}
    return await call(desk, "POST", "/v1/returns", body)


async def receive(desk: Desk, barcode: str, branch: str) -> Answer:
    return await call(desk, "POST", f"/v1/copies/{barcode}/arrival", {"branch": branch})


async def lend(desk: Desk, patron: str, barcode: str) -> Answer:
    body = {"card_number": card_of(patron), "barcodes": [barcode], "branch": "HKCL"}
    return await call(desk, "POST", "/v1/checkouts", body)


async def test_fifty_holds_placed_at_once_have_fifty_places(desks: tuple[Desk, Desk]) -> None:
    desk, _ = desks
    for number in range(50):
        await desk.patron(f"q{number}")
    [barcode] = await desk.copies(1)
    title = await title_of(desk, barcode)
    await desk.lend(barcode)
    answers = await asyncio.gather(*(reserve(desks[n % 2], f"q{n}", title) for n in range(50)))
    assert {answer.status for answer in answers} == {201}
    assert sorted(answer.json()["position"] for answer in answers) == list(range(1, 51))
    assert await faults(desk) == []
    # Each return serves the next hold in this order.
    in_turn = sorted(answers, key=lambda answer: int(answer.json()["position"]))
    for answer in in_turn[:3]:
        returned = (await give_back(desk, barcode)).json()["results"][0]
        assert returned["hold"]["id"] == answer.json()["id"]
        await lend(desk, answer.json()["patron_id"], barcode)


async def test_one_of_fifty_concurrent_holds_gets_the_last_copy(
    desks: tuple[Desk, Desk],
) -> None:
    desk, _ = desks
    for number in range(50):
        await desk.patron(f"q{number}")
    [barcode] = await desk.copies(1)
    title = await title_of(desk, barcode)
    answers = await asyncio.gather(
        *(
            reserve(desks[n % 2], f"q{n}", title) if n % 3 else lend(desks[n % 2], f"q{n}", barcode)
            for n in range(50)
        )
    )
    lent = [one for one in answers if one.status == 200 and one.json()["results"][0]["ok"]]
    kept = [one for one in answers if one.status == 201 and one.json()["state"] == "to-fetch"]
    assert len(lent) + len(kept) == 1
    assert await faults(desk) == []


async def test_a_patron_with_twenty_concurrent_requests_has_ten_holds(
    desks: tuple[Desk, Desk],
) -> None:
    desk, _ = desks
    titles = [await title_of(desk, (await desk.copies(1))[0]) for _ in range(12)]
    chosen = [*titles, *titles[:8]]
    answers = await asyncio.gather(
        *(reserve(desks[n % 2], "p1", title) for n, title in enumerate(chosen))
    )
    codes = [answer.json().get("code", "ok") for answer in answers]
    assert codes.count("ok") == 10
    assert set(codes) <= {"ok", "hold-limit", "hold-exists"}
    assert await faults(desk) == []


@pytest.mark.parametrize("seed", range(4))
async def test_concurrent_holds_returns_and_cancellations_leave_no_copy_idle_or_assigned_twice(
    desks: tuple[Desk, Desk], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    desk, _ = desks
    patrons = [f"q{number}" for number in range(12)]
    for patron in [*patrons, "l0", "l1", "l2"]:
        await desk.patron(patron)
    barcodes = await desk.copies(3)
    title = await title_of(desk, barcodes[0])
    for number, barcode in enumerate(barcodes):
        await desk.lend(barcode, to=f"l{number}")
    for _ in range(3):
        calls: list[Call] = []
        for patron in chance.sample(patrons, 8):
            branch = chance.choice(["HKCL", "LFU"])
            wants = partial(reserve, patron=patron, title=title, branch=branch)
            calls.append(chance.choice([wants, wants, partial(cancel, patron=patron, title=title)]))
        for barcode in barcodes:
            calls += [
                partial(give_back, barcode=barcode),
                partial(receive, barcode=barcode, branch="LFU"),
                partial(lend, patron=chance.choice(patrons), barcode=barcode),
            ]
        chance.shuffle(calls)
        await asyncio.gather(*(one(desks[n % 2]) for n, one in enumerate(calls)))
        assert await faults(desk) == []


async def test_a_hold_whose_freeze_ends_during_a_return_is_served(
    desks: tuple[Desk, Desk],
) -> None:
    desk, other = desks
    await desk.patron("p2")
    [barcode] = await desk.copies(1)
    title = await title_of(desk, barcode)
    for _ in range(8):
        await lend(desk, "p1", barcode)
        held = (await reserve(desk, "p2", title)).json()
        path, p2 = f"/v1/holds/{held['id']}", token("p2")
        await call(desk, "PATCH", path, {"frozen": True}, as_=p2)
        await asyncio.gather(
            give_back(other, barcode),
            call(desk, "PATCH", path, {"frozen": False}, as_=p2),
        )
        assert await faults(desk) == []
        # A copy that was returned first already lies on its shelf when the hold gets it.
        state = (await call(desk, "GET", path, as_=p2)).json()["state"]
        assert state in ("ready", "to-fetch")
        await call(desk, "DELETE", path, as_=p2)
