"""Commands and the overview as a library grows: loans of an account, patrons, copies of a title.

    .venv/bin/python -m benchmarks.growth [--json] [--kafka apache] [--patrons 1000000] [--small]

One caller. Each command is sent once to the small side and once to the large side, in turns, so
that a noisy machine disturbs both; for patrons the same commands are sent before and after a
million were added. What makes the large side large is written into the stores, not by commands.
`--small` fills in less, to see that it works.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from itertools import islice

from benchmarks.at_rest import processor_seconds
from benchmarks.show import machine, options, p95, running, show
from ops.infrastructure.processes import System
from services.gateway.views.store.schema import WHOLE
from services.settings import Settings
from shared.clock import wall_clock
from shared.mongo import Client, Database, Document, connect
from tests.library import Library

COMMANDS = 100
"""Number of commands of each kind on each side."""
WARM_UP = 10
LOANS, COPIES, PATRONS = 2_000, 10_000, 1_000_000
FEW_COPIES, FEW_PATRONS = 3, 1_000
SMALL = 20
"""Divisor of the large numbers with `--small`."""
AT_ONCE = 1_000
"""Documents inserted at once."""


class Side:
    """One side of a comparison: a card and copies that it borrows, and what its calls took."""

    def __init__(self, library: Library, branch: str, card: str, barcodes: Sequence[str]) -> None:
        self._library = library
        self._branch = branch
        self.card = card
        self.barcodes = barcodes
        self.milliseconds: dict[str, list[float]] = {}
        self.processor: dict[str, Counter[str]] = {}
        """Seconds of each process, by call."""

    def again(self) -> "Side":
        """Return the same side, to be measured once more."""
        return Side(self._library, self._branch, self.card, self.barcodes)

    def calls(self, number: int) -> Iterator[tuple[str, Callable[[], Awaitable[object]]]]:
        """Yield a check-out, an overview and a return, with their names."""
        library, barcode = self._library, self.barcodes[number % len(self.barcodes)]
        yield "check-out", lambda: library.lend(self.card, [barcode], self._branch)
        yield "overview", lambda: library.get("/v1/me", by=self.card)
        yield "return", lambda: library.take_back([barcode], self._branch)

    async def make(self, number: int, running: System) -> None:
        """Make the calls, and note what each took."""
        for name, call in self.calls(number):
            before, began = Counter(processor_seconds(running)), time.perf_counter()
            await call()
            taken = (time.perf_counter() - began) * 1000
            self.milliseconds.setdefault(name, []).append(taken)
            after = Counter(processor_seconds(running))
            after.subtract(before)
            self.processor.setdefault(name, Counter()).update(after)

    def forget(self) -> None:
        """Forget what calls took until now."""
        self.milliseconds.clear()
        self.processor.clear()


async def in_turns(running: System, *sides: Side) -> None:
    """Make the calls of all sides in turns, after some that do not count."""
    for number in range(-WARM_UP, COMMANDS):
        if number == 0:
            for side in sides:
                side.forget()
        for side in sides:
            await side.make(number, running)


def compared(small: Side, large: Side) -> Document:
    """Return p95 and processor time of each call on both sides, and the ratios."""
    found: Document = {}
    for name in small.milliseconds:
        few, many = (p95(side.milliseconds[name]) for side in (small, large))
        less, more = (_milliseconds(side.processor[name]) for side in (small, large))
        found[name] = {
            "p95_ms": [round(few, 1), round(many, 1)],
            "p95_ratio": round(many / few, 2),
            "longest_ms": [round(max(side.milliseconds[name])) for side in (small, large)],
            "processor_ms": [round(sum(less.values()), 1), round(sum(more.values()), 1)],
            "processor_ms_by_process": [less, more],
        }
    return found


def _milliseconds(seconds: Counter[str]) -> dict[str, float]:
    """Return the processor time of each process for one call."""
    return {name: round(taken * 1000 / COMMANDS, 1) for name, taken in seconds.items()}


class Stores:
    """The services' databases, filled without their services."""

    def __init__(self, library: Library, client: Client) -> None:
        self._library = library
        self._client = client
        self._prefix = library.system.settings(Settings).database_prefix

    async def lend(self, card: str, branch: str, count: int) -> None:
        """Lend a copy, and store more such loans of the patron and show them in the view."""
        [barcode] = await self._library.copies(branch, 1)
        [lent] = await self._library.lend(card, [barcode], branch)
        first = await self._first("circulation", "loans", {"_id": lent["id"]})
        of_view = {"_id": first["patron_id"]}
        shown = (await self._first("gateway", "account_views", of_view))["loans"][lent["id"]]
        ids = [f"growth-loan-{number}" for number in range(count - 1)]

        def changed(document: Document, key: str) -> Document:
            return {**document, "barcode": key, "title_id": f"title-of-{key}"}

        more = ({**changed(first, key), "_id": key, "copy_id": f"copy-of-{key}"} for key in ids)
        await self._insert("circulation", "loans", more)
        await self._of("gateway").account_views.update_one(
            of_view,
            {
                "$set": {f"loans.{key}": changed(shown, key) for key in ids},
                "$addToSet": {"title_ids": {"$each": [f"title-of-{key}" for key in ids]}},
            },
        )

    async def add_copies(self, barcode: str, count: int) -> None:
        """Store free copies of the title of a copy."""
        first = await self._first("circulation", "copies", {"barcode": barcode})
        more = (
            {**first, "_id": f"growth-copy-{number}", "barcode": f"GROWTH{number}"}
            for number in range(count)
        )
        await self._insert("circulation", "copies", more)

    async def add_patrons(self, card: str, numbers: range) -> None:
        """Store patrons like one who has borrowed something."""
        patron_id = (await self._library.get("/v1/me", by=card))["patron"]["id"]
        for service, name, unique in PEOPLE:
            first = await self._first(service, name, {"_id": patron_id})

            def like(first: Document, unique: Sequence[str]) -> Iterator[Document]:
                for number in numbers:
                    own = dict.fromkeys(unique, f"{number:064}")
                    yield {**first, "_id": f"growth-patron-{number}", **own}

            await self._insert(service, name, like(first, unique))

    async def rest(self) -> None:
        """Write what was stored to disk, and take the views for a day old.

        A gateway writes each change twice for some minutes after a rebuild.
        """
        await self._client.admin.command("fsync")
        day = {"$set": {"since": wall_clock() - timedelta(days=1)}}
        await self._of("gateway").account_views.update_one({"_id": WHOLE}, day)

    async def _first(self, service: str, collection: str, query: Document) -> Document:
        found = await self._of(service)[collection].find_one(query)
        if found is None:
            raise RuntimeError(f"{service} has no such document in {collection}")
        return found

    async def _insert(self, service: str, collection: str, documents: Iterator[Document]) -> None:
        into = self._of(service)[collection]
        while some := list(islice(documents, AT_ONCE)):
            await into.insert_many(some, ordered=False)

    def _of(self, service: str) -> Database:
        return self._client[f"{self._prefix}_{service}"]


PEOPLE = (
    ("accounts", "patrons", ()),
    ("accounts", "cardholders", ("card_digest", "card_number")),
    ("circulation", "patrons", ("card_digest",)),
    ("circulation", "borrowers", ()),
    ("notices", "patrons", ()),
    ("gateway", "account_views", ()),
)
"""Collections with a document for each patron, and their fields that no two patrons share."""


async def measure(running: System, patrons: int, divisor: int) -> Document:
    """Compare small and large sides of each kind."""
    loans, copies, patrons = (number // divisor for number in (LOANS, COPIES, patrons))
    found: Document = {"machine": machine()}
    client = connect(running.environment["CARREL_MONGO_URL"], timeout_ms=10_000)
    async with Library(running) as library:
        stores = Stores(library, client)
        branch = await library.branch()
        await library.flow.settle()  # circulation has to know the branch before it lends there

        async def side(copies_of_title: int = 2 * COMMANDS) -> Side:
            card = await library.patron(branch)
            return Side(library, branch, card, await library.copies(branch, copies_of_title))

        few, many = await side(), await side()
        await stores.lend(many.card, branch, loans)
        await stores.rest()
        await in_turns(running, few, many)
        found[f"loans of the account, 0 and {loans:,}"] = compared(few, many)

        few, many = await side(FEW_COPIES), await side(FEW_COPIES)
        await stores.add_copies(many.barcodes[0], copies - FEW_COPIES)
        await stores.rest()
        await in_turns(running, few, many)
        found[f"copies of the title, {FEW_COPIES} and {copies:,}"] = compared(few, many)

        few = await side()
        [barcode] = await library.copies(branch, 1)
        await library.lend(few.card, [barcode], branch)
        await library.flow.settle()
        await stores.add_patrons(few.card, range(FEW_PATRONS))
        await stores.rest()
        await in_turns(running, few)
        many = few.again()
        await stores.add_patrons(few.card, range(FEW_PATRONS, patrons))
        await stores.rest()
        await in_turns(running, many)
        found[f"patrons, {FEW_PATRONS:,} and {patrons:,}"] = compared(few, many)
    client.close()
    return found


def main() -> None:
    """Start a system, measure and print."""
    asked = options(kafka="embedded", patrons=PATRONS, small=False)
    with running(asked.kafka) as measured:
        found = asyncio.run(measure(measured, asked.patrons, SMALL if asked.small else 1))
    flat = {
        f"{name}: {call}": taken
        for name, calls in found.items()
        for call, taken in ({"": calls} if isinstance(calls, str) else calls).items()
    }
    show(found if asked.json else flat, as_json=asked.json)


if __name__ == "__main__":
    main()
