"""Works: a hold on any edition, and the queue that the editions of a work share."""

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from ops.audit.circulation import check_holds, check_queues
from ops.audit.findings import Audit
from shared.contracts.circulation import HoldSnapshot
from shared.ids import new_id
from tests.circulation.desk import STAFF, Desk, noon
from tests.circulation.shelf import DAY, faults, now, people, run_job
from tests.circulation.test_volumes import catalogue, hold, reserve
from tests.support import Answer, plans, token


@pytest.fixture(autouse=True)
async def _works_have_indexes(desk: Desk) -> AsyncIterator[None]:
    async with plans(desk.api.app.state.database, "work_id") as found:
        yield
    assert "COLLSCAN" not in found


async def put_work(desk: Desk, title: str, work: str | None) -> Answer:
    path = f"/v1/titles/{title}/work"
    return await desk.api.insist("PUT", path, {"work_id": work}, as_=STAFF, at=noon(DAY))


async def editions(desk: Desk, count: int = 2) -> tuple[str, list[tuple[str, str]]]:
    """Catalogue editions of a new work with one copy each; return their titles and barcodes."""
    work, made = f"w-{new_id()[-12:]}", []
    for _ in range(count):
        title, [barcode] = await catalogue(desk, None)
        assert (await put_work(desk, title, work)).status == 200
        made.append((title, barcode))
    return work, made


async def check(desk: Desk) -> None:
    """Check the invariants of holds, and that the audit finds nothing."""
    assert await faults(desk) == []
    result = Audit()
    await check_holds(result, desk.api.app.state.database)
    await check_queues(result, desk.api.app.state.database)
    assert result.findings == []


async def test_a_hold_on_any_edition_gets_the_first_copy_of_any(desk: Desk) -> None:
    await people(desk, "p2", "p3", "p4")
    work, [(first, one), (second, other)] = await editions(desk)
    await desk.lend(one, other)
    only = await hold(desk, "p2", title_id=first)
    either = await hold(desk, "p3", work_id=work)
    late = await hold(desk, "p4", title_id=second)
    assert [each["position"] for each in (only, either, late)] == [1, 2, 2]
    assert (either["any_edition"], either["title_id"]) == (True, first)
    [returned] = await desk.take_back(other, on=DAY)
    assert returned["hold"]["id"] == either["id"]
    assert (await now(desk, either))["title_id"] == second
    await check(desk)
    listed = (await desk.api.get(f"/v1/titles/{first}/holds", as_=STAFF)).json()["items"]
    assert [each["id"] for each in listed] == [only["id"], either["id"]]


async def test_holds_on_any_edition_and_on_one_are_served_in_the_order_of_placing(
    desk: Desk,
) -> None:
    await people(desk, "p2", "p3", "p4")
    work, [(first, one), (_, other)] = await editions(desk)
    await desk.lend(one, other)
    either = await hold(desk, "p2", work_id=work)
    only = await hold(desk, "p3", title_id=first)
    later = await hold(desk, "p4", work_id=work)
    [returned] = await desk.take_back(one, on=DAY)
    assert returned["hold"]["id"] == either["id"]
    assert [(await now(desk, each))["position"] for each in (only, later)] == [1, 2]
    [returned] = await desk.take_back(other, on=DAY)
    assert returned["hold"]["id"] == later["id"]
    assert (await now(desk, only))["position"] == 1
    await check(desk)


async def test_a_patron_has_either_a_hold_on_any_edition_or_on_some(desk: Desk) -> None:
    await people(desk, "p2", "p3")
    work, [(first, one), (second, other)] = await editions(desk)
    await desk.lend(one, other)
    await hold(desk, "p2", work_id=work)
    await hold(desk, "p3", title_id=first)
    await hold(desk, "p3", title_id=second)
    for patron, wanted in (
        ("p2", {"work_id": work}),
        ("p2", {"title_id": second}),
        ("p2", {"barcode": one}),
        ("p3", {"work_id": work}),
    ):
        refused = await reserve(desk, patron, **wanted)
        assert refused.json()["code"] == "hold-exists"
    assert (await reserve(desk, "p1", work_id=work)).json()["code"] == "title-on-loan"
    assert (await reserve(desk, "p2", work_id="w-none")).json()["code"] == "no-such-work"


async def test_a_loan_is_not_renewed_while_a_hold_on_any_edition_waits(desk: Desk) -> None:
    await people(desk, "p2")
    work, [(first, one), (_, other)] = await editions(desk)
    [lent, kept] = await desk.lend(one, other)
    paths = [f"/v1/loans/{each['loan']['id']}/renewals" for each in (lent, kept)]
    await hold(desk, "p2", title_id=first)
    refused = await desk.api.post(paths[0], as_=STAFF, at=noon("2020-11-25"))
    renewed = await desk.api.post(paths[1], as_=STAFF, at=noon("2020-11-25"))
    assert (refused.status, renewed.status) == (409, 200)
    await people(desk, "p3")
    await hold(desk, "p3", work_id=work)
    for path in paths:
        answer = await desk.api.post(path, as_=STAFF, at=noon("2020-11-26"))
        assert answer.json()["code"] == "hold-waiting"


async def test_borrowing_another_edition_ends_a_hold_on_any(desk: Desk) -> None:
    work, [(_, one), (_, other)] = await editions(desk)
    held = await hold(desk, "p1", work_id=work)
    assert held["state"] == "to-fetch"
    [lent] = await desk.lend(one if held["copy_id"] == await id_of(desk, other) else other)
    assert lent["ok"]
    assert (await now(desk, held))["state"] == "cancelled"
    await check(desk)


async def test_a_new_edition_serves_those_who_wait_for_any(desk: Desk) -> None:
    await people(desk, "p2")
    work, [(_, one)] = await editions(desk, 1)
    await desk.lend(one)
    held = await hold(desk, "p2", work_id=work)
    title, [barcode] = await catalogue(desk, None)
    made = await put_work(desk, title, work)
    assert [copy["state"] for copy in made.json()["copies"]] == ["to-fetch"]
    assert (await now(desk, held))["copy_id"] == await id_of(desk, barcode)
    found = (await desk.api.get(f"/v1/titles/{title}")).json()
    assert [each["work_id"] for each in found["editions"]] == [work]
    await check(desk)


async def test_a_title_with_holds_becomes_an_edition_and_keeps_their_order(desk: Desk) -> None:
    await people(desk, "p2", "p3", "p4")
    title, [barcode] = await catalogue(desk, None)
    await desk.lend(barcode)
    first, second = [await hold(desk, patron, title_id=title) for patron in ("p2", "p3")]
    assert (await put_work(desk, title, "w-tides")).status == 200
    third = await hold(desk, "p4", work_id="w-tides")
    assert [(await now(desk, one))["position"] for one in (first, second, third)] == [1, 2, 3]
    await check(desk)
    # The hold on any edition names this title, so it stays in the work.
    assert (await put_work(desk, title, None)).json()["code"] == "title-reserved"
    path = f"/v1/holds/{third['id']}"
    await desk.api.insist("DELETE", path, as_=token("p4"), at=noon(DAY))
    other, [another] = await catalogue(desk, None)
    await desk.lend(another)
    waits = await hold(desk, "p4", title_id=other)
    # Holds on both sides: nobody knows who of them came first.
    assert (await put_work(desk, other, "w-tides")).json()["code"] == "title-reserved"
    assert (await put_work(desk, title, None)).status == 200
    assert [(await now(desk, one))["position"] for one in (first, second, waits)] == [1, 2, 1]
    [returned] = await desk.take_back(barcode, on=DAY)
    assert returned["hold"]["id"] == first["id"]
    assert (await put_work(desk, "none", "w-tides")).json()["code"] == "no-such-title"
    assert (await put_work(desk, title, "tides")).status == 422
    await check(desk)


async def id_of(desk: Desk, barcode: str) -> str:
    copy = await desk.api.get(f"/v1/copies/{barcode}", as_=STAFF)
    return str(copy.json()["copy_id"])


# ---- at the same time ---------------------------------------------------------------------------


async def test_two_returns_of_different_editions_at_once_serve_two_holds(
    desks: tuple[Desk, Desk],
) -> None:
    desk, other = desks
    await people(desk, "p2", "p3", "p4")
    work, [(first, one), (_, two)] = await editions(desk)
    for _ in range(4):
        await desk.lend(one, two)
        held = [
            await hold(desk, "p2", work_id=work),
            await hold(desk, "p3", title_id=first),
            await hold(desk, "p4", work_id=work),
        ]
        await asyncio.gather(desk.take_back(one, on=DAY), other.take_back(two, on=DAY))
        states = [(await now(desk, each))["state"] for each in held]
        assert states.count("ready") == 2
        assert states[0] == "ready"
        await check(desk)
        for each, patron in zip(held, ("p2", "p3", "p4"), strict=True):
            path = f"/v1/holds/{each['id']}"
            await desk.api.insist("DELETE", path, as_=token(patron), at=noon(DAY))


async def test_holds_on_one_volume_placed_at_once_have_an_order(desks: tuple[Desk, Desk]) -> None:
    desk, _ = desks
    patrons = [f"q{number}" for number in range(20)]
    await people(desk, *patrons)
    title, (one, two) = await catalogue(desk, "v. 1", "v. 2")
    await desk.lend(one, two)
    answers = await asyncio.gather(
        *(
            reserve(desks[n % 2], patron, title_id=title, volume=f"v. {n % 2 + 1}")
            for n, patron in enumerate(patrons)
        )
    )
    for volume, barcode in (("v. 1", one), ("v. 2", two)):
        queue = [each.json() for each in answers if each.json()["volume"] == volume]
        assert sorted(each["position"] for each in queue) == list(range(1, 11))
        [returned] = await desk.take_back(barcode, on=DAY)
        [first] = [each for each in queue if each["position"] == 1]
        assert returned["hold"]["id"] == first["id"]
    await check(desk)


@pytest.mark.parametrize("seed", range(4))
async def test_a_title_that_joins_a_work_meanwhile_leaves_no_copy_idle_and_no_queue_mixed(
    desks: tuple[Desk, Desk], seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable
    desk, _ = desks
    patrons = [f"q{number}" for number in range(10)]
    await people(desk, *patrons)
    work, [(first, one), (second, two)] = await editions(desk)
    await desk.lend(one, two)
    for _ in range(3):
        calls: list[Any] = []
        for patron in chance.sample(patrons, 6):
            wanted: dict[str, Any] = chance.choice(
                [{"work_id": work}, {"title_id": first}, {"title_id": second}, {"barcode": two}]
            )
            calls.append(partial(reserve, patron=patron, **wanted))
            calls.append(partial(cancel_all, patron=chance.choice(patrons)))
        calls += [partial(put_work, title=second, work=chance.choice([None, work]))] * 2
        calls += [partial(give_back, barcode=barcode) for barcode in (one, two)]
        calls += [partial(lend, patron=chance.choice(patrons), barcode=one)]
        chance.shuffle(calls)
        await asyncio.gather(*(call(desks[n % 2]) for n, call in enumerate(calls)))
        await run_job(desk, DAY)
        await check(desk)


async def cancel_all(desk: Desk, patron: str) -> None:
    mine = await desk.api.insist("GET", "/v1/me/holds", as_=token(patron))
    for each in mine.json()["items"]:
        path = f"/v1/holds/{each['id']}"
        await desk.api.insist("DELETE", path, as_=token(patron), at=noon(DAY))


async def give_back(desk: Desk, barcode: str) -> None:
    await desk.take_back(barcode, on=DAY)


async def lend(desk: Desk, patron: str, barcode: str) -> None:
    await desk.lend(barcode, to=patron)


async def test_events_tell_the_target_of_each_hold_however_often_they_come(desk: Desk) -> None:
    await people(desk, "p2")
    work, [(first, one), (second, two)] = await editions(desk)
    await desk.lend(one, two)
    held = await hold(desk, "p2", work_id=work)
    await desk.take_back(two, on=DAY)
    rows = desk.api.app.state.database.outbox.find({"topic": {"$regex": "^hold"}})
    told = [HoldSnapshot.model_validate_json(row["body"]) async for row in rows]
    assert [(each.version, each.title_id, each.any_edition) for each in told] == [
        (1, first, True),
        (2, second, True),
    ]
    assert {each.work_id for each in told} == {work}
    assert {each.hold_id for each in told} == {held["id"]}
