"""Brief use cases share a transaction, and each decides as in one of its own."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from pymongo.errors import AutoReconnect, PyMongoError

from shared import transactions
from shared.audit_trail import Act
from shared.contracts import Event
from shared.idempotency import IdempotencyKey, KeyReused
from shared.ids import new_id
from shared.mongo import BlockingSession, Document
from shared.owners import Owners
from shared.settings import Settings
from shared.unit_of_work import MOST_TOGETHER, MOST_TURNS, Origin, UnitOfWork, Work, brief
from tests import patience
from tests.shared.things import NOON, ORIGIN, Raise, Thing, add_new, event_of, raise_count

Ran = tuple[Thing, Sequence[Event]]


@dataclass
class Desk:
    """Brief use cases of a replica, and the transactions in which they ran."""

    unit_of_work: UnitOfWork
    transactions: list[int] = field(default_factory=list)
    """The session of each use case that ran: each transaction has its own."""
    _sessions: list[object] = field(default_factory=list)
    _let: threading.Event = field(default_factory=threading.Event)

    @contextlib.asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Hold a transaction open in the block, so that what is begun there waits for the next."""
        begun = threading.Event()

        @brief()
        def hold(_work: Work, _command: None) -> None:
            begun.set()
            self._let.wait(patience.stretched(30))

        holding = asyncio.create_task(self.unit_of_work.run(hold, None, ORIGIN))
        await asyncio.to_thread(begun.wait, 30)
        try:
            yield
            await asyncio.sleep(0)  # all that was begun waits now
        finally:
            self._let.set()
            await holding
            self._let.clear()

    async def raise_briefly(self, id_: str, **more: Any) -> Ran:
        """Raise the count of a thing in a brief use case."""
        return await self.run(raise_count, id_, **more)

    async def run(
        self,
        use_case: Callable[[Work, Raise], Thing],
        id_: str,
        origin: Origin = ORIGIN,
        **more: Any,
    ) -> Ran:
        """Run a use case as a brief one."""

        @brief()
        def noted(work: Work, command: Raise) -> Thing:
            self._sessions.append(work._session)  # kept: ids of living objects differ
            self.transactions.append(id(work._session))
            return use_case(work, command)

        result, events = await self.unit_of_work.run(noted, Raise(id_), origin, **more)
        assert result is not None
        return result, events

    async def all_at_once(self, *runs: Awaitable[Ran]) -> list[Ran | BaseException]:
        """Run use cases that all wait for the same transaction."""
        async with self.waiting():
            tasks = [asyncio.ensure_future(run) for run in runs]
            await asyncio.sleep(0)
        return await asyncio.gather(*tasks, return_exceptions=True)

    async def counts(self) -> dict[str, int]:
        found = self.unit_of_work.database.things.find({})
        return {thing["_id"]: thing["count"] async for thing in found}

    async def published(self) -> list[Document]:
        return (
            await self.unit_of_work.database.outbox.find({}).hint([("$natural", 1)]).to_list(None)
        )


@pytest.fixture
def desk(unit_of_work: UnitOfWork) -> Desk:
    return Desk(unit_of_work)


@pytest.fixture
def other(unit_of_work: UnitOfWork, settings: Settings) -> Desk:
    """Another replica on the same database."""
    owners = Owners(settings, "circulation")
    return Desk(UnitOfWork(unit_of_work.database, "circulation", settings, owners))


def raise_and_refuse(work: Work, command: Raise) -> Thing:
    raise_count(work, command)
    raise RuntimeError("after the change")


def raise_twice(work: Work, command: Raise) -> Thing:
    """Raise a count, then again by what is stored: a read of the use case's own write."""
    raise_count(work, command)
    return raise_count(work, command)


def raise_by_query(work: Work, command: Raise) -> Thing:
    """Raise all things of a name, by a query that does not say their ids."""
    thing = raise_count(work, command)
    changed = work.update("things", {"count": thing.count}, {"$inc": {"version": 1}})
    assert changed == 1
    return thing


def act(number: int) -> Act:
    return Act("staff-1", ["staff"], "POST /v1/checkouts", id=f"act-{number}")


async def test_those_that_wait_share_a_transaction(desk: Desk) -> None:
    origins = [Origin(NOON, correlation_id=f"c-{n}", act=act(n)) for n in range(10)]
    keys = [IdempotencyKey(f"key-{n}", "f") for n in range(10)]
    found = await desk.all_at_once(
        *(
            desk.raise_briefly(f"k{n}", origin=origins[n], idempotency_key=keys[n])
            for n in range(10)
        )
    )

    assert len(set(desk.transactions)) == 1
    things = [Thing(f"k{n}", 1, 1) for n in range(10)]
    assert found == [(thing, [event_of(thing)]) for thing in things]
    assert await desk.counts() == {f"k{n}": 1 for n in range(10)}
    rows = await desk.published()
    assert [(row["key"], row["headers"]["ce_correlationid"]) for row in rows] == [
        (f"k{n}", f"c-{n}") for n in range(10)
    ]
    trail = await desk.unit_of_work.database.audit_trail.find({}).to_list(None)
    assert {entry["_id"]: entry["objects"] for entry in trail} == {
        f"act-{n}": [f"k{n}"] for n in range(10)
    }
    assert all(origin.act and origin.act.recorded for origin in origins)
    again = await asyncio.gather(
        *(desk.raise_briefly(f"k{n}", idempotency_key=keys[n]) for n in range(10))
    )
    assert again == found
    assert await desk.counts() == {f"k{n}": 1 for n in range(10)}


async def test_a_transaction_has_a_limit_of_use_cases(desk: Desk) -> None:
    await desk.all_at_once(*(desk.raise_briefly(f"k{n}") for n in range(MOST_TOGETHER + 4)))

    assert sorted(Counter(desk.transactions).values()) == [4, MOST_TOGETHER]


async def test_writers_of_one_document_do_not_share_and_lose_nothing(desk: Desk) -> None:
    found = await desk.all_at_once(*(desk.raise_briefly("a", within=60) for _ in range(10)))

    assert sorted(one[0].count for one in found if not isinstance(one, BaseException)) == [
        *range(1, 11)
    ]
    assert await desk.counts() == {"a": 10}
    versions = [
        row["body"].decode().split("count ")[1].split('"')[0] for row in await desk.published()
    ]
    assert versions == [str(n) for n in range(1, 11)]


async def test_those_behind_another_writer_share_the_next_transaction(desk: Desk) -> None:
    await desk.all_at_once(*(desk.raise_briefly(id_) for id_ in "abcabcd"))

    assert list(Counter(desk.transactions).values()) == [7, 3]
    assert await desk.counts() == {"a": 2, "b": 2, "c": 2, "d": 1}


async def test_one_that_is_behind_again_and_again_runs_alone(desk: Desk) -> None:
    await desk.all_at_once(*(desk.raise_briefly("a", within=60) for _ in range(6)))

    shared, alone = [*Counter(desk.transactions).values()][:MOST_TURNS], 6 - MOST_TURNS
    assert shared == [6, 5]
    assert [*Counter(desk.transactions).values()][MOST_TURNS:].count(1) >= alone
    assert await desk.counts() == {"a": 6}


def add_the_first(work: Work, command: Raise) -> Thing:
    """Add a thing if there is none, in a turn that all who do so take."""
    if work.count("things", {"_id": {"$ne": "turn"}}):
        raise RuntimeError("there is one already")
    work.update_each("things", ["turn"], {"$inc": {"count": 1, "version": 1}})
    return add_new(work, command)


async def test_use_cases_that_take_one_turn_decide_one_by_one(desk: Desk) -> None:
    found = await desk.all_at_once(*(desk.run(add_the_first, f"k{n}") for n in range(5)))

    assert sorted(type(one).__name__ for one in found) == ["RuntimeError"] * 4 + ["tuple"]
    counts = await desk.counts()
    assert counts.pop("turn") == 1
    assert list(counts.values()) == [1]


async def test_replicas_that_write_the_same_documents_lose_nothing(desk: Desk, other: Desk) -> None:
    await asyncio.gather(
        *((desk, other)[n % 2].raise_briefly(f"k{n % 7}", within=60) for n in range(140))
    )
    assert await desk.counts() == {f"k{n}": 20 for n in range(7)}
    assert len(await desk.published()) == 140


async def test_a_refusal_keeps_nothing_of_its_own_and_all_of_the_others(desk: Desk) -> None:
    refused, *others = await desk.all_at_once(
        desk.run(raise_and_refuse, "a"), desk.raise_briefly("a"), desk.raise_briefly("b")
    )

    assert isinstance(refused, RuntimeError)
    assert others == [(thing, [event_of(thing)]) for thing in (Thing("a", 1, 1), Thing("b", 1, 1))]
    assert len(set(desk.transactions)) == 1
    assert await desk.counts() == {"a": 1, "b": 1}
    assert len(await desk.published()) == 2


@pytest.mark.parametrize(("use_case", "count"), [(raise_twice, 2), (raise_by_query, 1)])
async def test_a_use_case_that_reads_or_writes_what_is_not_known_runs_alone(
    desk: Desk, use_case: Callable[[Work, Raise], Thing], count: int
) -> None:
    await desk.all_at_once(desk.run(use_case, "a"), desk.raise_briefly("b"))

    assert await desk.counts() == {"a": count, "b": 1}
    assert sorted(Counter(desk.transactions).values()) == [1, 2]  # tried together, then alone
    assert len(await desk.published()) == count + 1


async def test_a_caller_who_gave_up_changes_nothing(desk: Desk) -> None:
    async with desk.waiting():
        given_up = asyncio.create_task(desk.raise_briefly("a"))
        kept = asyncio.create_task(desk.raise_briefly("b"))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)

    assert await kept
    assert await desk.counts() == {"b": 1}


async def test_a_caller_who_gives_up_while_the_others_run_changes_nothing(desk: Desk) -> None:
    begun, let = threading.Event(), threading.Event()

    def raise_slowly(work: Work, command: Raise) -> Thing:
        begun.set()
        let.wait(patience.stretched(30))
        return raise_count(work, command)

    async with desk.waiting():
        given_up = asyncio.create_task(desk.raise_briefly("a"))
        kept = asyncio.create_task(desk.run(raise_slowly, "b"))
        await asyncio.sleep(0)
    await asyncio.to_thread(begun.wait, 30)
    given_up.cancel()
    await asyncio.sleep(0)
    let.set()

    assert await kept
    assert len(set(desk.transactions)) == 1
    assert await desk.counts() == {"b": 1}


async def test_one_that_waited_too_long_is_refused_and_holds_nobody(desk: Desk) -> None:
    async with desk.waiting():
        late = asyncio.create_task(desk.raise_briefly("a", within=0.0))
        kept = asyncio.create_task(desk.raise_briefly("b"))
        await asyncio.sleep(0)

    assert await kept
    with pytest.raises(PyMongoError):
        await late
    assert await desk.counts() == {"b": 1}


def add_another(work: Work, _command: Raise) -> Thing:
    """Add a thing with a new id: nothing but the key keeps a repeat from doing it again."""
    return raise_count(work, Raise(new_id()))


@pytest.mark.parametrize("use_case", [raise_count, add_another])
async def test_requests_with_one_key_happen_once(
    desk: Desk, use_case: Callable[[Work, Raise], Thing]
) -> None:
    key = IdempotencyKey("patron-1:k", "f")
    *found, other = await desk.all_at_once(
        *(desk.run(use_case, "a", idempotency_key=key) for _ in range(5)), desk.raise_briefly("b")
    )

    assert found == [found[0]] * 5
    assert not isinstance(found[0], BaseException)
    assert other == (Thing("b", 1, 1), [event_of(Thing("b", 1, 1))])
    assert await desk.counts() == {found[0][0].id: 1, "b": 1}
    with pytest.raises(KeyReused):
        await desk.run(use_case, "c", idempotency_key=IdempotencyKey("patron-1:k", "other"))


async def test_a_refused_repeat_gets_the_first_response(desk: Desk) -> None:
    key = IdempotencyKey("patron-1:k", "f")
    first = await desk.raise_briefly("a", idempotency_key=key)
    [refused, repeat] = await desk.all_at_once(
        desk.run(raise_and_refuse, "a"), desk.run(raise_and_refuse, "a", idempotency_key=key)
    )

    assert isinstance(refused, RuntimeError)
    assert repeat == first


async def test_none_is_run_again_after_a_commit_whose_answer_was_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_the_answer(session: BlockingSession, _deadline: float) -> None:
        session.commit_transaction()
        if len(desk.transactions) >= 2:
            raise AutoReconnect("the connection was lost")

    monkeypatch.setattr(transactions, "commit", lose_the_answer)
    found = await desk.all_at_once(
        desk.raise_briefly("a"), desk.raise_briefly("b"), desk.run(raise_and_refuse, "c")
    )
    monkeypatch.undo()

    assert [type(one) for one in found] == [AutoReconnect, AutoReconnect, RuntimeError]
    assert await desk.counts() == {"a": 1, "b": 1}
