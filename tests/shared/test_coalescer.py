"""Simultaneous callers share a read; no caller gets a read that began before its call."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from shared.coalescer import AT_ONCE, MOST, Coalescer
from tests import patience


class Shelf:
    """A store whose reads wait until `let` is set; it records the keys of each read."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.let = asyncio.Event()
        self.fault: Exception | None = None

    async def read(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.asked.append(list(keys))
        count = len(self.asked)
        await self.let.wait()
        if self.fault:
            raise self.fault
        return {key: f"{key} {count}" for key in keys}


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def asking(together: Coalescer[str, str], *keys: str) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(together.get(key)) for key in keys]
    await turns()
    return tasks


async def test_a_caller_during_a_read_gets_the_result_of_the_next_read() -> None:
    shelf = Shelf()
    together = Coalescer(shelf.read)
    early = [task for n in range(AT_ONCE) for task in await asking(together, f"early-{n}")]
    late = await asking(together, "a", "b", "a", "early-0")
    assert shelf.asked == [[f"early-{n}"] for n in range(AT_ONCE)]
    shelf.let.set()
    assert await asyncio.gather(*early) == [f"early-{n} {n + 1}" for n in range(AT_ONCE)]
    last = AT_ONCE + 1
    assert await asyncio.gather(*late) == [f"{k} {last}" for k in ("a", "b", "a", "early-0")]
    assert shelf.asked[AT_ONCE:] == [["a", "b", "early-0"]]


@pytest.mark.parametrize("later", range(12))
async def test_a_caller_at_any_moment_of_an_ending_read_gets_an_answer(later: int) -> None:
    shelf = Shelf()
    together = Coalescer(shelf.read)
    early = [task for n in range(AT_ONCE) for task in await asking(together, f"early-{n}")]
    shelf.let.set()
    for _ in range(later):
        await asyncio.sleep(0)
    async with patience.within(60):
        assert await together.get("a") == f"a {AT_ONCE + 1}"
        await asyncio.gather(*early)


async def test_a_cancelled_caller_does_not_cancel_the_shared_read() -> None:
    shelf = Shelf()
    together = Coalescer(shelf.read)
    one, other = await asking(together, "a", "a")
    one.cancel()
    shelf.let.set()
    assert await other == "a 1"


async def test_a_failed_read_fails_only_for_the_callers_that_share_it() -> None:
    shelf = Shelf()
    shelf.fault = OSError("away")
    shelf.let.set()
    together = Coalescer(shelf.read)
    tasks = await asking(together, "a", "b")
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in found] == [OSError, OSError]
    shelf.fault = None
    assert await together.get("a") == "a 2"


async def test_a_read_that_omits_a_key_raises_an_error() -> None:
    async def nothing(_: Sequence[str]) -> Mapping[str, str]:
        return {}

    with pytest.raises(KeyError):
        async with patience.within(60):
            await Coalescer(nothing).get("a")


async def test_a_read_has_at_most_the_limit_of_keys() -> None:
    shelf = Shelf()
    together = Coalescer(shelf.read)
    tasks = await asking(together, *(f"k-{n}" for n in range(MOST + 10)))
    shelf.let.set()
    await asyncio.gather(*tasks)
    assert [len(keys) for keys in shelf.asked] == [MOST, 10]
