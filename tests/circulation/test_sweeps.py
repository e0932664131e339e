"""Background sweeps on any number of replicas adjust due dates and holds to announcements."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.circulation.app import create_app
from services.circulation.closures.commands import CHUNK, move_chunk, move_due_dates, take_chunk
from services.circulation.closures.consumers import keep_calendar
from services.circulation.closures.jobs import due_dates, sweep
from services.circulation.rules.sweep import HOLD, SETTLE
from shared.clock import wall_clock
from shared.mongo import to_document
from tests.circulation.desk import OPS, Desk, closure, settings_for
from tests.circulation.desk import branch as told
from tests.circulation.shelf import faults, hold, kept, now, run_job, title_of
from tests.circulation.test_histories import loan
from tests.support import served, token, until

REOPENS = told(version=2, closures=(closure("c1", "2020-12-02", (2, "2021-02-19")),))
AGAIN = told(
    version=3, closures=(closure("c1", "2020-12-02", (2, "2021-02-19"), (3, "2021-03-01")),)
)


async def lend_many(desk: Desk, count: int) -> None:
    """Insert open loans of the central library, due on the first 30 days of its closure."""
    documents = []
    for number in range(count):
        one = to_document(loan(REOPENS.closures[0].from_ + timedelta(days=number % 30), number))
        documents.append({**one, "branch_code": "HKCL", "copy_id": f"k{number}"})
    await desk.api.app.state.database.loans.insert_many(documents)


async def announce(desk: Desk, event: Any = REOPENS) -> None:
    """Process the event; no sweep has run yet."""
    await keep_calendar(event, desk.run())


async def where(desk: Desk) -> dict[str, int]:
    """Return the number of loans due on each day."""
    groups = desk.api.app.state.database.loans.aggregate(
        [{"$group": {"_id": "$due_on", "count": {"$sum": 1}}}]
    )
    return {group["_id"]: group["count"] async for group in groups}


async def progress(desk: Desk) -> dict[str, Any]:
    """Return the sweep of the central library, as an operator sees it."""
    answer = await desk.api.get("/v1/ops/sweeps", as_=OPS)
    assert answer.status == 200, answer.body
    [found] = [one for one in answer.json()["items"] if one["branch"] == "HKCL"]
    return dict(found)


async def test_an_announcement_is_applied_at_once_and_due_dates_follow(desk: Desk) -> None:
    await lend_many(desk, 2 * CHUNK + 50)
    await announce(desk)
    assert "2021-02-19" not in await where(desk)
    assert (await progress(desk))["state"] == "moving"
    assert await sweep(desk.run()) == 2 * CHUNK + 50
    assert await where(desk) == {"2021-02-19": 2 * CHUNK + 50}
    assert await progress(desk) == {
        "branch": "HKCL",
        "calendar_version": 2,
        "state": "settling",
        "done": 2 * CHUNK + 50,
        "total": 2 * CHUNK + 50,
        "workers": 0,
    }
    assert await sweep(desk.run()) == 0


async def test_replicas_share_a_sweep_and_move_each_loan_once(desk: Desk, second: Desk) -> None:
    count = 6 * CHUNK
    await lend_many(desk, count)
    await announce(desk)
    moved = await asyncio.gather(*(sweep(one.run()) for one in (desk, second, desk, second)))
    assert sum(moved) == count
    assert sum(one > 0 for one in moved) > 1
    assert await where(desk) == {"2021-02-19": count}
    assert await desk.count("loan.due-date-changed") == count
    assert (await progress(desk))["done"] == count


@pytest.mark.parametrize("moved_before_it_died", [False, True])
async def test_a_chunk_of_a_dead_worker_is_processed_by_another(
    desk: Desk, moved_before_it_died: bool
) -> None:
    await lend_many(desk, CHUNK + 20)
    await announce(desk)
    taken = await desk.run()(take_chunk, "HKCL", wall_clock() - HOLD)
    assert taken is not None
    if moved_before_it_died:
        await desk.run()(move_due_dates, taken.chunk.ids)
    await sweep(desk.run())
    assert await where(desk) == {"2021-02-19": CHUNK + 20}
    assert await desk.count("loan.due-date-changed") == CHUNK + 20
    assert (await progress(desk))["done"] == CHUNK + 20


async def test_a_chunk_of_a_live_worker_is_left_to_it(desk: Desk) -> None:
    await lend_many(desk, CHUNK + 20)
    await announce(desk)
    assert await desk.run()(take_chunk, "HKCL", wall_clock())
    assert await sweep(desk.run()) == 20
    found = await progress(desk)
    assert (found["state"], found["done"], found["workers"]) == ("moving", 20, 1)


async def test_another_announcement_restarts_the_sweep(desk: Desk) -> None:
    await lend_many(desk, CHUNK + 20)
    await announce(desk)
    taken = await desk.run()(take_chunk, "HKCL", wall_clock())
    assert taken is not None
    await announce(desk, AGAIN)
    await desk.run()(move_due_dates, taken.chunk.ids)  # with either calendar
    await sweep(desk.run())
    assert await where(desk) == {"2021-03-01": CHUNK + 20}
    assert await desk.count("loan.due-date-changed") == 2 * (CHUNK + 20)


async def test_a_loan_committed_behind_the_sweep_is_found_by_the_final_pass(
    desk: Desk,
) -> None:
    await announce(desk)
    await sweep(desk.run())
    await lend_many(desk, 3)  # made under the earlier calendar
    assert await sweep(desk.run()) == 0
    later = wall_clock() + SETTLE
    taken = await desk.run()(take_chunk, "HKCL", later)
    assert taken is not None
    await desk.run()(move_due_dates, taken.chunk.ids)
    assert await desk.run()(take_chunk, "HKCL", later, taken.chunk.number) is None
    assert await where(desk) == {"2021-02-19": 3}
    assert (await progress(desk))["state"] == "done"
    # A repeat of what all loans already follow is not processed again.
    await announce(desk, told(version=3, closures=REOPENS.closures))
    assert await due_dates(desk.run()) == 0


# ---- holds --------------------------------------------------------------------------------------


async def shelved(desk: Desk, count: int) -> list[dict[str, Any]]:
    """Make holds ready at the central library, to be collected until 8 December."""
    for number in range(count):
        await desk.patron(f"h{number}")
    barcodes = [barcode for n in range(count) for barcode in await desk.copies(1)]
    return [
        await kept(desk, f"h{number}", barcode, on="2020-12-01")
        for number, barcode in enumerate(barcodes)
    ]


async def days_on_shelf(desk: Desk) -> set[str | None]:
    holds = desk.api.app.state.database.holds
    return {found["shelf_until"] async for found in holds.find({"state": "ready"})}


async def test_shelf_dates_are_updated_by_the_sweep_and_computed_correctly_before(
    desk: Desk,
) -> None:
    await shelved(desk, 3)
    await announce(desk)  # closed from 2 December: the seventh open day is 25 February
    assert await days_on_shelf(desk) == {"2020-12-08"}
    assert await run_job(desk, "2020-12-20") == 0  # by the stored date their shelf time is over
    assert await days_on_shelf(desk) == {"2021-02-25"}


async def test_replicas_share_the_shelf_sweep_and_move_each_hold_once(
    desk: Desk, second: Desk
) -> None:
    await shelved(desk, CHUNK + 3)
    await announce(desk)
    moved = await asyncio.gather(*(sweep(one.run()) for one in (desk, second)))
    assert sum(moved) == CHUNK + 3
    assert await days_on_shelf(desk) == {"2021-02-25"}
    assert await desk.count("hold.changed") == 2 * (CHUNK + 3)  # each was set aside, and moved
    assert (await progress(desk))["done"] == CHUNK + 3


@pytest.mark.parametrize("moved_before_it_died", [False, True])
async def test_shelf_dates_of_a_dead_worker_are_moved_by_another(
    desk: Desk, moved_before_it_died: bool
) -> None:
    await shelved(desk, 3)
    await announce(desk)
    taken = await desk.run()(take_chunk, "HKCL", wall_clock() - HOLD)
    assert taken is not None
    if moved_before_it_died:
        assert await move_chunk(desk.run(), taken) == 3
    await sweep(desk.run())
    assert await days_on_shelf(desk) == {"2021-02-25"}
    assert await desk.count("hold.changed") == 6  # each was set aside, and moved


async def test_the_sweep_serves_a_hold_at_a_branch_that_reopens(desk: Desk) -> None:
    no_end = closure("c1", "2020-12-02", (2, None))
    await announce(desk, told(version=2, closures=(no_end,)))
    await sweep(desk.run())
    title = await title_of(desk, (await desk.copies(1, branch="LFU"))[0])
    held = await hold(desk, "p1", title, on="2020-12-03")
    assert held["state"] == "waiting"  # no copy is sent until an end is announced
    ends = closure("c1", "2020-12-02", (2, None), (3, "2020-12-20"))
    await announce(desk, told(version=3, closures=(ends,)))
    assert (await now(desk, held))["state"] == "waiting"
    assert await sweep(desk.run()) == 1
    assert (await now(desk, held))["state"] == "to-fetch"
    assert await faults(desk, "2020-12-03") == []


async def test_events_of_a_sweep_name_the_announcement_as_their_cause(desk: Desk) -> None:
    await lend_many(desk, 1)
    run = desk.run()
    await keep_calendar(REOPENS, run)
    await sweep(desk.run())
    [row] = [
        row
        async for row in desk.api.app.state.database.outbox.find({"topic": "loan.due-date-changed"})
    ]
    assert row["headers"]["ce_correlationid"] == run.origin.correlation_id
    assert row["headers"]["ce_time"] == "2020-12-01T04:00:00Z"


async def test_the_jobs_role_runs_sweeps_in_a_simulation_too(
    desk: Desk, mongo_url: str, database: str
) -> None:
    await lend_many(desk, 20)
    await announce(desk)
    settings = settings_for(mongo_url, database).model_copy(update={"roles": ("jobs",)})

    async def moved() -> bool:
        return await where(desk) == {"2021-02-19": 20}

    async with served(create_app, settings):
        await until(moved, within=30)


async def test_only_staff_and_operators_see_the_progress_of_sweeps(desk: Desk) -> None:
    assert (await desk.api.get("/v1/ops/sweeps", as_=token("p1"))).status == 403
