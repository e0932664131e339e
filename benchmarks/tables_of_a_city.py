"""Tables of a large city, compared with its books after all that can happen on the way to them.

    .venv/bin/python -m benchmarks.tables_of_a_city [--patrons 100000] [--days 60] [--kafka none]

A simulated city is written straight to tables. All its events are also published three times, in
random order that the seed decides, and followed by `carrel analytics follow`, which is killed five
times between two of its steps and begun again. Every ready table has to be the same both ways, and
has to add up to what the books of the simulation know. It ends with code 1 if something differs, or
if fewer runs were killed. With `--kafka none` it only compares sums.

Messages wait on the disk, 2 KB for each event; Kafka keeps three times as much beside them.
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import date
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import orjson

from ops.analytics.follow import COMMIT_ROWS
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
STEPS = ("files", "committed", "files", "committed", "files")
"""Steps at which a run is killed, each after a part of the messages was published."""
PARTS, WINDOW = 120, 3
"""Files of messages, and how many of them are in memory and in random order together."""
AT_ONCE = 5_000
"""Messages that wait for their acknowledgements together."""
SHOWN_DAYS = 10
_BEGAN = time.monotonic()


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
                case "register":
                    self.done[act.verb] += act.outcome in ("confirmed", "waitlisted")
                case (
                    "register-patron" | "add-title" | "cancel-hold" | "publish-activity" | "attend"
                ):
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
    "check-outs of loans": "SELECT count(*) FROM loan_changes WHERE topic = 'loan.checked-out'",
    "open loans": "SELECT count(*) FROM loans WHERE state = 'open'",
    "ended loans": "SELECT count(*) FROM loans WHERE state IN ('returned', 'lost')",
    "days until due": "SELECT sum(due_on - DATE '2024-01-02') FROM loans WHERE state = 'open'",
    "open loans at the last day": "SELECT sum(open_loans) FROM overdue_by_day "
    "WHERE business_day = (SELECT max(business_day) FROM overdue_by_day)",
    "open holds": "SELECT count(*) FROM holds WHERE state IN ('waiting', 'in-transit', 'ready')",
    "unpaid cents": 'SELECT sum(outstanding_cents) FROM charges WHERE "open"',
    "assessed cents": "SELECT sum(assessed_cents) FROM charge_changes",
    "closures": "SELECT count(*) FROM closures",
    "suspensions": "SELECT count(*) FROM fine_suspensions",
    "publish-activity": "SELECT count(*) FROM activities",
    "register": "SELECT sum(confirmed + waitlisted + withdrawn) FROM activities",
    "attend": "SELECT sum(attended) FROM activities",
    "no-shows": "SELECT sum(no_shows) FROM activities",
}


def known(city: Counted) -> dict[str, int]:
    """Return the sums by the books and the acts of a simulation that has ended."""
    books, done = city.books, city.done
    unpaid = sum(
        charge.outstanding_cents
        for charges in books.charges.values()
        for charge, _ in charges.values()
    )
    return {
        **{name: done[name] for name in SUMS},
        "loans of titles": done["check-outs"],
        "check-outs of loans": done["check-outs"],
        "open loans": len(books.loans),
        "ended loans": done["check-outs"] - len(books.loans),
        "days until due": sum((one.loan.due_on - FIRST_DAY).days for one in books.loans.values()),
        "open loans at the last day": len(books.loans),
        "open holds": len(books.holds),
        "unpaid cents": unpaid,
        "assessed cents": done["pay cents"] + done["waive cents"] + unpaid,
        "closures": sum(len(calendar.closures) for calendar in books.calendars.values()),
        "suspensions": len(books.suspensions),
        "no-shows": books.no_shows,
    }


def say(text: str) -> None:
    """Tell how far the benchmark is."""
    sys.stderr.write(f"{time.monotonic() - _BEGAN:6.0f} s  {text}\n")


class Spool:
    """Messages on the disk, dealt at random into files of which a few are read at a time."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        folder.mkdir()
        self._files = [(folder / str(number)).open("wb") for number in range(PARTS)]
        self._chance = plan.chance("order of messages")

    def add(self, message: Message) -> None:
        """Add a message."""
        row = row_of(message)
        kept = {name: row[name] for name in ("topic", "key", "headers")}
        kept["body"] = row["body"].decode()
        self._chance.choice(self._files).write(orjson.dumps(kept) + b"\n")

    def windows(self) -> Iterator[list[bytes]]:
        """Yield all messages several times, as lists: of random files, in random order."""
        for file in self._files:
            file.close()
        parts = [Path(file.name) for file in self._files] * TIMES
        self._chance.shuffle(parts)
        for first in range(0, len(parts), WINDOW):
            lines = [
                line
                for part in parts[first : first + WINDOW]
                for line in part.read_bytes().splitlines()
            ]
            self._chance.shuffle(lines)
            yield lines


async def publish(settings: Settings, windows: Iterable[list[bytes]]) -> int:
    """Publish messages; return their number."""
    producer = outbox_producer(settings, "a-city")
    await producer.start()
    count = 0
    try:
        for lines in windows:
            for first in range(0, len(lines), AT_ONCE):
                now = wall_clock()
                rows = map(orjson.loads, lines[first : first + AT_ONCE])
                sent = [
                    await send_row(
                        producer, row | {"body": row["body"].encode(), "recorded_at": now}, Names()
                    )
                    for row in rows
                ]
                await asyncio.gather(*sent)
                count += len(sent)
    finally:
        await producer.stop()
    return count


def follow(settings: Settings, path: Path, failpoint: Path) -> bool:
    """Follow the topics to their ends; return whether the run was killed at an armed step."""
    command = [sys.executable, "-m", "ops", "analytics", "follow", "--to", str(path), "--until-now"]
    environment = {
        **{name: value for name, value in os.environ.items() if "CARREL" not in name},
        "CARREL_KAFKA": settings.kafka,
        "CARREL_PARTITIONS": str(settings.partitions),
        "CARREL_FAILPOINT": str(failpoint),
    }
    ran = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
    if ran.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(f"a run ended with {ran.returncode}: {ran.stderr.decode()[-2000:]}")
    return ran.returncode != 0


def follow_killed(settings: Settings, path: Path, spool: Spool) -> tuple[int, int]:
    """Publish and follow part after part; return the numbers of messages and of killed runs."""
    asyncio.run(ensure_topics(settings, NAMES))
    failpoint, windows = path.with_name("failpoint"), spool.windows()
    each = PARTS * TIMES // WINDOW // (len(STEPS) + 1)
    messages = killed = 0
    for step in STEPS:
        sent = asyncio.run(publish(settings, islice(windows, each)))
        messages += sent
        # The first time is at the start, without rows; then a half of these messages is written.
        passes = 2 + sent // COMMIT_ROWS // 2
        failpoint.write_text(f"analytics.{step}:{passes}")
        say(f"{messages:,} messages are published; a run ends at step {step}:{passes}")
        killed += follow(settings, path, failpoint)
        failpoint.unlink()
    messages += asyncio.run(publish(settings, windows))
    say(f"{messages:,} messages are published, {killed} runs were killed; the last run goes on")
    if follow(settings, path, failpoint):
        raise SystemExit("the last run was killed, which nobody had asked for")
    return messages, killed


def digest(path: Path, table: str) -> tuple[int, int]:
    """Return the number of rows of a table, and a hash of them in any order."""
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
    spool = Spool(folder / "messages", plan) if settings else None
    checked = straight(plan, folder / "straight", spool)
    say("its tables are written")
    if settings and spool:
        checked |= by_topics(folder, settings, spool)
    return checked


def straight(plan: Plan, path: Path, spool: Spool | None) -> dict[str, object]:
    """Write a city to tables, and its messages to a spool; return what was compared."""
    city, tally = Counted(plan), Tally()

    def advance(day: date) -> None:
        if (day - FIRST_DAY).days % SHOWN_DAYS == 0:
            say(f"{day}: {tally.events.total():,} events")

    def messages() -> Iterator[Message]:
        for message in messages_of(city, tally, advance):
            if spool:
                spool.add(message)
            yield message

    began = time.process_time()
    write_messages(messages(), path, plan.zone)
    seconds = round(time.process_time() - began)
    with duckdb.connect(str(path / VIEWS), read_only=True) as database:
        found = {
            name: int(database.execute(query).fetchall()[0][0] or 0) for name, query in SUMS.items()
        }
    expected = known(city)
    return {
        "events": tally.events.total(),
        "sums": found,
        "wrong sums": sorted(name for name in SUMS if found[name] != expected[name]),
        "seconds to simulate and write": seconds,
        "most MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
    }


def by_topics(folder: Path, settings: Settings, spool: Spool) -> dict[str, object]:
    """Write the messages to tables by way of topics, and return what was compared."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    messages, killed = follow_killed(settings, folder / "followed", spool)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    tables = ["events", *(file.stem for file in sorted(READY_TABLES.glob("*.sql")))]
    expected, found = (
        {table: digest(folder / way, table) for table in tables} for way in ("straight", "followed")
    )
    return {
        "messages": messages,
        "killed": killed,
        "rows": {table: rows for table, (rows, _) in found.items()},
        "different tables": [table for table in tables if expected[table] != found[table]],
        "seconds to follow": round(used),
        "most MB to publish": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000,
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
    if settings and found["killed"] != len(STEPS):
        raise SystemExit(f"{found['killed']} runs were killed, not {len(STEPS)}")


if __name__ == "__main__":
    main()
