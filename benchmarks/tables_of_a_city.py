"""Tables of a large city, compared with its books after all that can happen on the way to them.

    .venv/bin/python -m benchmarks.tables_of_a_city [--patrons 100000] [--days 60] [--kafka none]

A simulated city is written straight to tables. All its events are also published three times, in
random order, and followed by `carrel analytics follow`, which is killed five times between two of
its steps and begun again. Every ready table has to be the same both ways, and has to add up to what
the books of the simulation know. It ends with code 1 if something differs.
With `--kafka none` it only compares sums.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import orjson

from ops.analytics.views import READY_TABLES, VIEWS
from ops.infrastructure.embedded import embedded
from ops.simulation.acts import Act, Simulation
from ops.simulation.city import FIRST_DAY, Plan
from ops.simulation.messages import Message, Tally, messages_of
from ops.simulation.tables import write_messages
from ops.simulation.topics import row_of
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.clock import wall_clock
from shared.names import Names
from shared.relay import outbox_producer, send_row

TIMES = 3
"""Number of times that each event is published."""
KILLS = ("files:2", "committed:3", "files:4", "committed:2", "files:3")
"""Steps at which a run is killed, with the ordinal of the commit; the first is at its start."""
AT_ONCE = 5_000


class Counted(Simulation):
    """A simulation that counts the outcomes of its acts, apart from their events."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.done: Counter[str] = Counter()

    def acts(self) -> Iterator[Act]:
        """Yield all acts, and count what they did."""
        for act in super().acts():
            match act.verb:
                case "check-out":
                    self.done["check-outs"] += act.outcome.count("")
                case "renew" | "place-hold":
                    self.done[act.verb] += act.outcome == ""
                case "pay" | "waive":
                    self.done[f"{act.verb} cents"] += act.fields["cents"]
                case "register-patron" | "add-title" | "cancel-hold":
                    self.done[act.verb] += 1
            yield act


SUMS = {
    "check-outs": "SELECT sum(check_outs) FROM lending_by_day",
    "renew": "SELECT sum(renewals) FROM lending_by_day",
    "place-hold": "SELECT count(*) FROM holds",
    "cancel-hold": "SELECT count(*) FROM hold_cancelled WHERE \"by\" = 'staff'",
    "pay cents": "SELECT sum(paid_cents) FROM charges_by_day",
    "waive cents": "SELECT sum(waived_cents) FROM charges_by_day",
    "register-patron": "SELECT count(*) FROM patron_registered",
    "add-title": "SELECT count(*) FROM titles",
    "loans of titles": "SELECT sum(check_outs) FROM titles",
    "open loans": "SELECT count(*) FROM loans WHERE state = 'open'",
    "days until due": "SELECT sum(due_on - DATE '2024-01-02') FROM loans WHERE state = 'open'",
    "open loans at the last day": "SELECT sum(open_loans) FROM overdue_by_day "
    "WHERE business_day = (SELECT max(business_day) FROM overdue_by_day)",
    "open holds": "SELECT count(*) FROM holds WHERE state IN ('waiting', 'in-transit', 'ready')",
    "unpaid cents": 'SELECT sum(outstanding_cents) FROM charges WHERE "open"',
    "closures": "SELECT count(*) FROM closures",
}


def known(city: Counted) -> dict[str, int]:
    """Return the sums by the books and the acts of a simulation that has ended."""
    books, done = city.books, city.done
    return {
        **{name: done[name] for name in SUMS},
        "loans of titles": done["check-outs"],
        "open loans": len(books.loans),
        "days until due": sum((one.loan.due_on - FIRST_DAY).days for one in books.loans.values()),
        "open loans at the last day": len(books.loans),
        "open holds": len(books.holds),
        "unpaid cents": sum(
            charge.outstanding_cents
            for charges in books.charges.values()
            for charge, _ in charges.values()
        ),
        "closures": sum(len(calendar.closures) for calendar in books.calendars.values()),
    }


async def publish(settings: Settings, rows: Sequence[bytes]) -> None:
    """Publish each row several times, in random order."""
    await ensure_topics(settings, NAMES)
    order = list(range(len(rows))) * TIMES
    random.Random(settings.topic_prefix).shuffle(order)  # noqa: S311
    producer = outbox_producer(settings, "a-city")
    await producer.start()
    try:
        for first in range(0, len(order), AT_ONCE):
            now = {"recorded_at": wall_clock()}
            some = [orjson.loads(rows[at]) | now for at in order[first : first + AT_ONCE]]
            sent = [
                await send_row(producer, row | {"body": row["body"].encode()}, Names())
                for row in some
            ]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()


def follow(settings: Settings, path: Path, failpoint: Path) -> int:
    """Follow the topics to their ends, killed and begun again; return the number of kills."""
    command = [sys.executable, "-m", "ops", "analytics", "follow", "--to", str(path), "--until-now"]
    environment = {
        **{name: value for name, value in os.environ.items() if "CARREL" not in name},
        "CARREL_KAFKA": settings.kafka,
        "CARREL_PARTITIONS": str(settings.partitions),
        "CARREL_FAILPOINT": str(failpoint),
    }
    killed = 0
    for step in KILLS:
        failpoint.write_text(f"analytics.{step}")
        ran = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
        killed += ran.returncode < 0
    failpoint.unlink()
    ran = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
    if ran.returncode:
        raise SystemExit(f"{killed} runs were killed, then: {ran.stderr.decode()[-2000:]}")
    return killed


def digest(path: Path, table: str) -> tuple[int, int]:
    """Return the number of rows of a ready table, and a hash of them in any order."""
    with duckdb.connect(str(path / VIEWS), read_only=True) as database:
        kept = "COLUMNS(lambda name: NOT starts_with(name, 'kafka_') AND name <> 'recorded_at')"
        query = f"""
            SELECT count(*), coalesce(sum(hash(one)::HUGEINT % 1000000007), 0)::BIGINT
            FROM (SELECT {kept} FROM {table}) one
        """  # noqa: S608
        [(rows, found)] = database.execute(query).fetchall()
        return rows, found


def check(plan: Plan, folder: Path, settings: Settings | None) -> dict[str, object]:
    """Write a city straight to tables, then by way of topics if there is a broker."""
    city, tally, rows = Counted(plan), Tally(), []

    def messages() -> Iterator[Message]:
        for message in messages_of(city, tally, lambda _: None):
            if settings:
                row = row_of(message)
                rows.append(orjson.dumps(row | {"body": row["body"].decode()}))
            yield message

    began = time.process_time()
    write_messages(messages(), folder / "straight", plan.zone)
    figures = {"seconds to simulate and write": round(time.process_time() - began)}
    found = {}
    with duckdb.connect(str(folder / "straight" / VIEWS), read_only=True) as database:
        for name, query in SUMS.items():
            [(value,)] = database.execute(query).fetchall()
            found[name] = int(value or 0)
    expected = known(city)
    figures["most MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
    checked: dict[str, object] = {
        "events": tally.events.total(),
        "sums": found,
        "wrong sums": sorted(name for name in SUMS if found[name] != expected[name]),
        **figures,
    }
    return checked | (followed(folder, settings, rows) if settings else {})


def followed(folder: Path, settings: Settings, rows: Sequence[bytes]) -> dict[str, object]:
    """Write the events to tables by way of topics, and return what was compared."""
    asyncio.run(publish(settings, rows))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    killed = follow(settings, folder / "followed", folder / "failpoint")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    different = [
        file.stem
        for file in sorted(READY_TABLES.glob("*.sql"))
        if digest(folder / "straight", file.stem) != digest(folder / "followed", file.stem)
    ]
    return {
        "messages": len(rows) * TIMES,
        "killed": killed,
        "different tables": different,
        "seconds to follow": round(used),
        "most MB to follow": after.ru_maxrss // 1000,
    }


def main() -> None:
    """Check a city and print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--patrons", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kafka", choices=("apache", "embedded", "none"), default="apache")
    arguments = parser.parse_args()
    zone = ZoneInfo(str(Settings.model_fields["time_zone"].default))
    plan = Plan(arguments.patrons, arguments.days, arguments.seed, zone)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        settings = None
        if arguments.kafka != "none":
            broker = embedded(Path(name), mongo=False, kafka_port=None, broker=arguments.kafka)
            settings = Settings(kafka=stack.enter_context(broker).kafka, partitions=3)
        found = check(plan, Path(name), settings)
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
    else:
        for name, value in found.items():
            sys.stdout.write(f"{name:32}{value}\n")
    if found["wrong sums"] or found.get("different tables"):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
