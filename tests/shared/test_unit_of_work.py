"""State, outbox, inbox and stored answers commit together."""

import asyncio
import threading
from datetime import timedelta

import pytest

from shared.clock import wall_clock
from shared.idempotency import IdempotencyKey, KeyReused
from shared.mongo import Document
from shared.unit_of_work import UnitOfWork, UseCase, Work
from tests import patience
from tests.shared.things import (
    NOON,
    ORIGIN,
    Raise,
    Thing,
    add_new,
    add_or_refuse,
    event_of,
    process_event,
    raise_and_fail,
    raise_count,
)


async def only(unit_of_work: UnitOfWork, collection: str, query: Document) -> Document:
    [document] = await unit_of_work.database[collection].find(query).to_list(None)
    return document


async def test_a_change_and_its_event_are_stored_together(unit_of_work: UnitOfWork) -> None:
    thing, events = await unit_of_work.run(raise_count, Raise("a"), ORIGIN)

    row = await only(unit_of_work, "outbox", {})
    assert thing is not None
    assert events == [event_of(thing)]
    assert row["topic"] == "fines.suspended"
    assert row["key"] == "a"
    assert row["pending"] is True
    assert row["headers"]["ce_time"] == "2021-02-19T04:00:00Z"
    assert row["headers"]["ce_source"] == "/services/circulation"
    assert row["headers"]["ce_correlationid"] == "c-1"


async def test_a_failed_use_case_leaves_no_change(unit_of_work: UnitOfWork) -> None:
    with pytest.raises(RuntimeError):
        await unit_of_work.run(raise_and_fail, Raise("a"), ORIGIN)

    assert await unit_of_work.database.things.count_documents({}) == 0
    assert await unit_of_work.database.outbox.count_documents({}) == 0


async def test_a_transaction_for_which_nobody_waits_any_more_changes_nothing(
    unit_of_work: UnitOfWork,
) -> None:
    written, given_up, ended = threading.Event(), threading.Event(), threading.Event()

    def raise_slowly(work: Work, command: Raise) -> None:
        raise_count(work, command)
        written.set()
        given_up.wait(patience.stretched(30))
        ended.set()

    run = asyncio.create_task(unit_of_work.run(raise_slowly, Raise("a"), ORIGIN))
    await asyncio.to_thread(written.wait, 30)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    given_up.set()
    await asyncio.to_thread(ended.wait, 30)

    # A writer of the same value waits for the end of the first transaction, by trying again.
    thing, _ = await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
    assert thing is not None
    assert thing.count == 1


async def test_fifty_concurrent_writers_of_one_value_lose_no_update(
    unit_of_work: UnitOfWork,
) -> None:
    await asyncio.gather(
        *(unit_of_work.run(raise_count, Raise("a"), ORIGIN, within=60) for _ in range(50))
    )

    thing = await only(unit_of_work, "things", {"_id": "a"})
    rows = await unit_of_work.database.outbox.find({}).to_list(None)
    assert thing["count"] == 50
    assert len({row["_id"] for row in rows}) == 50


async def test_the_outbox_keeps_the_order_of_changes_of_one_resource(
    unit_of_work: UnitOfWork,
) -> None:
    await asyncio.gather(
        *(
            unit_of_work.run(raise_count, Raise(name), ORIGIN, within=60)
            for _ in range(20)
            for name in "abc"
        )
    )

    pending = unit_of_work.database.outbox.find({"pending": True}).hint([("pending", 1)])
    seen: dict[str, list[int]] = {}
    async for row in pending:
        counted = int(row["body"].decode().split("count ")[1].split('"')[0])
        seen.setdefault(row["key"], []).append(counted)
    assert seen == {name: list(range(1, 21)) for name in "abc"}


async def test_a_stored_response_expires_by_the_clock_of_the_database(
    unit_of_work: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = wall_clock()
    monkeypatch.setattr("shared.outbox.wall_clock", lambda: now - timedelta(days=1))
    await unit_of_work.run(
        raise_count, Raise("a"), ORIGIN, idempotency_key=IdempotencyKey("patron-1:k", "f")
    )

    answer = await only(unit_of_work, "answers", {})
    row = await only(unit_of_work, "outbox", {})
    assert abs(answer["at"] - now) < timedelta(minutes=1)
    assert row["recorded_at"] < now - timedelta(hours=23)


async def test_a_request_retried_with_its_key_happens_once(unit_of_work: UnitOfWork) -> None:
    key = IdempotencyKey("patron-1:k", "f")
    answers = await asyncio.gather(
        *(unit_of_work.run(raise_count, Raise("a"), ORIGIN, idempotency_key=key) for _ in range(10))
    )

    assert {thing.count for thing, _ in answers if thing} == {1}
    assert {len(events) for _, events in answers} == {1}
    assert await unit_of_work.database.outbox.count_documents({}) == 1


@pytest.mark.parametrize("use_case", [raise_count, add_new, add_or_refuse])
async def test_a_repeat_gets_the_first_response_whatever_its_use_case_would_do_now(
    unit_of_work: UnitOfWork, use_case: UseCase[[Raise], Thing]
) -> None:
    key = IdempotencyKey("patron-1:k", "f")
    first = await unit_of_work.run(use_case, Raise("a"), ORIGIN, idempotency_key=key)
    repeat = await unit_of_work.run(use_case, Raise("a"), ORIGIN, idempotency_key=key)

    assert repeat == first == (Thing("a", 1, 1), [event_of(Thing("a", 1, 1))])
    assert (await only(unit_of_work, "things", {}))["count"] == 1
    assert await unit_of_work.database.outbox.count_documents({}) == 1


async def test_another_key_gets_the_refusal_of_its_own_request(unit_of_work: UnitOfWork) -> None:
    first, other = IdempotencyKey("patron-1:k", "f"), IdempotencyKey("patron-2:k", "f")
    await unit_of_work.run(add_or_refuse, Raise("a"), ORIGIN, idempotency_key=first)

    with pytest.raises(RuntimeError, match="there already"):
        await unit_of_work.run(add_or_refuse, Raise("a"), ORIGIN, idempotency_key=other)


async def test_an_idempotency_key_is_refused_for_a_different_request(
    unit_of_work: UnitOfWork,
) -> None:
    await unit_of_work.run(
        raise_count, Raise("a"), ORIGIN, idempotency_key=IdempotencyKey("patron-1:k", "f")
    )

    for use_case in (raise_count, raise_and_fail):
        with pytest.raises(KeyReused):
            await unit_of_work.run(
                use_case, Raise("b"), ORIGIN, idempotency_key=IdempotencyKey("patron-1:k", "g")
            )
    assert await unit_of_work.database.things.count_documents({}) == 1


async def test_a_refused_request_may_be_tried_again_with_its_key(unit_of_work: UnitOfWork) -> None:
    key = IdempotencyKey("patron-1:k", "f")
    with pytest.raises(RuntimeError):
        await unit_of_work.run(raise_and_fail, Raise("a"), ORIGIN, idempotency_key=key)

    thing, _ = await unit_of_work.run(raise_count, Raise("a"), ORIGIN, idempotency_key=key)
    assert thing is not None
    assert thing.count == 1


async def test_an_event_delivered_many_times_concurrently_has_one_effect(
    unit_of_work: UnitOfWork,
) -> None:
    event = event_of(Thing("a", 1, 1))
    await asyncio.gather(
        *(unit_of_work.run(process_event, event, ORIGIN, inbox="event-1") for _ in range(20))
    )

    counted = await only(unit_of_work, "things", {"_id": "in-a"})
    assert counted["n"] == 1


async def test_an_outbox_row_records_the_wall_clock_not_business_time(
    unit_of_work: UnitOfWork,
) -> None:
    await unit_of_work.run(raise_count, Raise("a"), ORIGIN)
    row = await only(unit_of_work, "outbox", {})
    assert row["recorded_at"] > NOON
