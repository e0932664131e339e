"""The peak of a city: commands at a given rate, whether the system keeps up or not (an open loop).

    .venv/bin/python -m benchmarks.city [--json] [--kafka apache] [--rates 10,20,40] [--seconds 60]
        [--patrons 500] [--overload 2]

Of the commands 45 % are check-outs, 45 % returns, 5 % renewals and 5 % holds; each comes with three
patrons who look at their accounts. Each starts when its time has come, and its latency counts from
then, so that a system that falls behind can't slow the measurement down. The processor time of the
callers, which are in this process, is reported apart. There are as many patrons as make eight
commands each, so that accounts do not grow as no real one does.

`--overload` ends with a phase at that multiple of the greatest rate that was held. The gateway then
refuses what it can't answer in time, as it does in production; in a simulation it otherwise never
refuses.
"""

import asyncio
import json
import random
import statistics
import sys
import time
from collections import Counter, deque
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any, TypeVar

import aiohttp

from benchmarks.at_rest import processor_seconds
from benchmarks.show import machine, options, running, show
from ops.infrastructure.processes import System
from services.gateway.settings import Settings
from shared.mongo import Document
from tests.library import Library
from tests.support import Answer, Client

T = TypeVar("T")

COMMANDS_OF_PATRON = 8
"""A visit: four copies are returned, and four others borrowed."""
LEAST_PATRONS = 40
COPIES_OF_TITLE = 4
COPIES_OF_PATRON = 4
"""Copies of the city, of which half are on loan."""
RENEWALS = 5
"""Renewals of each loan that is only renewed."""
HOLDS_OF_TITLE = 5
LOOKS = 3
"""Reads of accounts that come with each command."""
OF_TWENTY = {"check-out": 9, "return": 9, "renewal": 1, "hold": 1}
"""Commands of each kind among twenty."""
AT_ONCE = 8
"""Calls at once while the city is prepared."""
PARTS = 5
"""Parts of a phase, of each of which the latency is given: it grows if the system falls behind."""
HELD_MS = 100
"""A rate is held if p95 of its commands is below this, and no request fails."""


@dataclass(frozen=True)
class Call:
    """A call that was answered, or not."""

    group: str
    outcome: str
    """Status, with the code of a refusal; the name of the error if there was no answer."""
    milliseconds: float
    part: int


class City:
    """The people and the copies of a city, and the calls that they make."""

    def __init__(self, library: Library, client: Client, commands: int, patrons: int = 0) -> None:
        self._library = library
        self._client = client
        self._renewals_needed = commands * OF_TWENTY["renewal"] // 20
        self._holds_needed = commands * OF_TWENTY["hold"] // 20
        self._patrons = patrons or max(commands // COMMANDS_OF_PATRON, LEAST_PATRONS)
        self._free: deque[str] = deque()
        self._lent: deque[str] = deque()

    async def prepare(self) -> None:
        """Register patrons, catalogue titles, and lend copies."""
        library = self._library
        self._branch = await library.branch()
        self._cards = await _some_at_once(
            library.patron(self._branch) for _ in range(self._patrons)
        )
        titles = self._patrons * COPIES_OF_PATRON // COPIES_OF_TITLE
        for barcodes in await _some_at_once(
            library.copies(self._branch, COPIES_OF_TITLE) for _ in range(titles)
        ):
            self._free += barcodes
        random.shuffle(self._free)  # people do not come one title after the other
        await library.flow.settle()  # circulation has to know the branch before it lends there
        self._borrowers = cycle(self._cards)
        await self._prepare_renewals()
        holds = -(-self._holds_needed // HOLDS_OF_TITLE)
        wanted = await _some_at_once(self._title() for _ in range(holds))
        self._holds = iter(list(zip(cycle(self._cards), wanted * HOLDS_OF_TITLE, strict=False)))
        await _some_at_once(self._check_out() for _ in range(len(self._free) // 2))
        await library.flow.settle()

    async def _prepare_renewals(self) -> None:
        barcodes = [
            barcode
            for copies in await _some_at_once(
                self._library.copies(self._branch, COPIES_OF_TITLE)
                for _ in range(self._renewals_needed // RENEWALS // COPIES_OF_TITLE + 1)
            )
            for barcode in copies
        ]
        lent = await _some_at_once(
            self._library.lend(next(self._borrowers), [barcode], self._branch)
            for barcode in barcodes
        )
        now = datetime.fromisoformat(self._library.now)
        self._renewals = iter(
            [
                (f"/v1/loans/{loan['id']}/renewals", (now + timedelta(days=day)).isoformat())
                for day in range(1, RENEWALS + 1)
                for [loan] in lent
            ]
        )

    async def _title(self) -> str:
        [barcode] = await self._library.copies(self._branch, 1)
        copy = await self._library.get(f"/v1/copies/{barcode}", by="staff")
        return str(copy["title_id"])

    async def command(self, kind: str) -> str:
        """Make a command; return its outcome."""
        match kind:
            case "check-out":
                return await self._check_out()
            case "return":
                return await self._take_back()
            case "renewal":
                path, at = next(self._renewals)
                return await self._send("POST", path, None, "staff", at)
            case _:
                card, title = next(self._holds)
                body = {"title_id": title, "pickup_branch": self._branch}
                return await self._send("POST", "/v1/holds", body, card)

    async def look(self) -> str:
        """Read an account; return the outcome."""
        return await self._send("GET", "/v1/me", None, random.choice(self._cards))  # noqa: S311

    async def _check_out(self) -> str:
        body = {"card_number": next(self._borrowers), "branch": self._branch}
        return await self._move("/v1/checkouts", body, self._free, self._lent)

    async def _take_back(self) -> str:
        body = {"branch": self._branch, "channel": "desk"}
        return await self._move("/v1/returns", body, self._lent, self._free)

    async def _move(self, path: str, body: Document, from_: deque[str], to: deque[str]) -> str:
        """Lend a copy or take it back; a copy whose command failed may have moved or not."""
        if not from_:
            return "no copy left"
        barcode = from_.popleft()
        outcome = await self._send("POST", path, {**body, "barcodes": [barcode]}, "staff")
        (to if outcome == "200" else from_).append(barcode)
        return outcome

    async def _send(self, method: str, path: str, body: Any, by: str, at: str = "") -> str:
        token = self._library.tokens[by]
        at = at or self._library.now
        return _outcome(await self._client.call(method, path, body, as_=token, at=at))


def _outcome(answer: Answer) -> str:
    """Return the status, with the code of a refusal and whether it says when to try again."""
    if answer.status >= 400:
        later = " with Retry-After" if "Retry-After" in answer.headers else ""
        return f"{answer.status} {answer.json().get('code', '')}{later}".strip()
    if answer.status == 200:
        [result] = answer.json().get("results", [{"ok": True}])
        if not result["ok"]:
            return f"200 {result['problem']['code']}"
    return str(answer.status)


async def _some_at_once(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Await all calls, AT_ONCE at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(call: Awaitable[T]) -> T:
        async with places:
            return await call

    return await asyncio.gather(*(one(call) for call in calls))


def _in_any_order(commands: int) -> list[str]:
    """Return the kinds of so many commands; what is left of twenty are check-outs and returns."""
    twenties, left = divmod(commands, 20)
    twenty = [kind for kind, number in OF_TWENTY.items() for _ in range(number)]
    kinds = twenty * twenties + (["check-out", "return"] * 10)[:left]
    random.shuffle(kinds)
    return kinds


async def at_rate(running: System, city: City, rate: float, seconds: float) -> Document:
    """Send commands at a rate for a time; return latencies, outcomes and processor time."""
    kinds = _in_any_order(int(rate * seconds))
    calls: list[Call] = []

    async def call(group: str, number: int, due: float, made: Awaitable[str]) -> None:
        try:
            outcome = await made
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome = type(error).__name__
        taken = (time.perf_counter() - due) * 1000
        calls.append(Call(group, outcome, taken, number * PARTS // len(kinds)))

    before, own, started = processor_seconds(running), time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, kind in enumerate(kinds):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(call("commands", number, due, city.command(kind)))
            for _ in range(LOOKS):
                group.create_task(call("reads", number, due, city.look()))
    elapsed, after = time.perf_counter() - started, processor_seconds(running)
    used = {name: (after[name] - before[name]) / elapsed for name in after}
    return {
        "rate": rate,
        "answered_per_second": round(len(kinds) / elapsed, 1),
        **_latencies(calls),
        "outcomes": dict(Counter(one.outcome for one in calls)),
        "cores": {name: round(value, 2) for name, value in used.items()},
        "cores_of_callers": round((time.process_time() - own) / elapsed, 2),
    }


def _latencies(calls: Sequence[Call]) -> Document:
    """Return the latencies of what was not refused for lack of time, and of what was."""
    done = [one for one in calls if not _failed(one.outcome)]
    failed = [one.milliseconds for one in calls if _failed(one.outcome)]
    found: Document = {
        f"{group}_ms": _summary([one.milliseconds for one in done if one.group == group])
        for group in ("commands", "reads")
    }
    commands = [one for one in done if one.group == "commands"]
    found["commands_p95_ms_by_part"] = [
        _summary([one.milliseconds for one in commands if one.part == part])["p95"]
        for part in range(PARTS)
    ]
    return found | ({"failed_ms": _summary(failed)} if failed else {})


def _failed(outcome: str) -> bool:
    return not outcome.startswith(("2", "4"))


def _summary(values: Sequence[float]) -> dict[str, int | None]:
    """Return the median, p95 and p99; None if there are too few values."""
    wanted = {"p50": 50, "p95": 95, "p99": 99}
    if len(values) < 2:
        return dict.fromkeys(wanted)
    hundredths = statistics.quantiles(values, n=100, method="inclusive")
    return {name: round(hundredths[part - 1]) for name, part in wanted.items()}


def held(figures: Document) -> bool:
    """Return whether the system kept up with a rate."""
    p95 = figures["commands_ms"]["p95"]
    return p95 is not None and p95 < HELD_MS and not any(map(_failed, figures["outcomes"]))


async def measure(
    running: System,
    rates: Sequence[float],
    seconds: float,
    *,
    patrons: int = 0,
    overload: float = 0.0,
) -> list[Document]:
    """Measure each rate in turn, then one that is `overload` times the greatest that was held."""
    most = sum(rates) + overload * max(rates)
    connector = aiohttp.TCPConnector(limit=0)  # else requests of an overload would wait here
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        Library(running) as library,
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
    ):
        client = Client(running.gateway_url, session)
        city = City(library, client, int(most * seconds), patrons)
        await city.prepare()
        found = [await at_rate(running, city, rate, seconds) for rate in rates]
        if overload:
            greatest = max((one["rate"] for one in found if held(one)), default=min(rates))
            found.append(await at_rate(running, city, overload * greatest, seconds))
        return found


def main() -> None:
    """Start a system, measure and print."""
    asked = options(kafka="embedded", rates="10,20,40", seconds=60.0, patrons=0, overload=0.0)
    usual = str(Settings.model_fields["busy_requests"].default)
    busy = {"gateway": {"CARREL_BUSY_REQUESTS": usual}} if asked.overload else {}
    rates = [float(rate) for rate in asked.rates.split(",")]
    with running(asked.kafka, environment=busy) as measured:
        found = asyncio.run(
            measure(measured, rates, asked.seconds, patrons=asked.patrons, overload=asked.overload)
        )
    if asked.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        show({"machine": machine(), **{str(one["rate"]): one for one in found}}, as_json=False)


if __name__ == "__main__":
    main()
