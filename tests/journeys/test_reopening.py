"""The reopening of 2021, played on the whole system; the tables of its events."""

import asyncio
import base64
import io
import itertools
import json
import random
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import redirect_stdout
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from markupsafe import escape
from pymongo import MongoClient
from sqlglot import exp, parse_one

from ops.analytics.accounts import account_at
from ops.analytics.checks import check_tables, declarations
from ops.analytics.folder import Folder
from ops.analytics.follow import Follower
from ops.analytics.numbers import numbers_of
from ops.analytics.page import page_of, pictures_of
from ops.analytics.views import READY_TABLES, VIEWS
from ops.asyncapi import PSEUDONYMS
from ops.broker.offsets import Positions
from ops.infrastructure.processes import System
from ops.scenario import player
from ops.scenario.definition import Report, Step, StepReport
from ops.scenario.demo import write_tables
from ops.scenario.player import play
from ops.scenario.run import Run
from services.registry import NAMES
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.topics import ensure_topics
from shared.clock import wall_clock
from shared.contracts import published
from shared.mongo import Client
from shared.names import Names
from tests import day_by_day
from tests.conftest import BROKER
from tests.journeys.end_state import end_state, keep
from tests.ops.command import carrel
from tests.support import patient_client
from tests.systems import PROJECT, started_system
from tests.walk import lines, steps_of

pytestmark = pytest.mark.embedded  # test_both_brokers.py plays it on Apache Kafka

Rows = list[dict[str, Any]]
Shown = dict[tuple[str, str], dict[str, Any]]
"""Accounts by business time and card."""
Kept = dict[date, Rows]
"""The loans in circulation's database at the end of each day on which something happened."""
STEPS_BETWEEN_LOOKS = 9
SHOWN = {
    "loans": ("id", "barcode", "branch", "borrowed_on", "due_on", "claimed_returned_on", "version"),
    "holds": ("id", "pickup_branch", "state", "frozen", "expires_on", "version"),
    "charges": (
        "id",
        "kind",
        "loan_id",
        "hold_id",
        "amount_cents",
        "outstanding_cents",
        "refund_due_cents",
    ),
}
"""Fields of an account that its events have."""
LOOKED_AT = ("C1000001", "C1000002", "C1000011", "C1000021")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of this file's own: the scenario names libraries and suspends all fines."""
    with started_system(tmp_path_factory, broker=BROKER) as started:
        yield started


@pytest.fixture(scope="module")
def shown() -> Shown:
    """Accounts as `GET /v1/me` showed them while the scenario was played."""
    return {}


@pytest.fixture(scope="module")
def kept() -> Kept:
    """The loans of each day while the scenario was played."""
    return {}


@pytest.fixture(scope="module")
def report(running: System, shown: Shown, kept: Kept) -> Report:
    """The report of the scenario, played once for all tests of this file."""
    carry_out = player._carry_out
    steps = itertools.count(1)
    settings = running.settings(Settings)
    client: MongoClient[Any] = MongoClient(settings.mongo_url)
    loans = client[f"{settings.database_prefix}_circulation"].loans

    async def carry_out_and_look(run: Run, step: Step) -> StepReport:
        today = datetime.fromisoformat(step["at"]).astimezone(settings.zone).date()
        if kept and today not in kept:
            await run.flow.settle()
            kept[max(kept)] = await asyncio.to_thread(lambda: list(loans.find({})))
        kept.setdefault(today, [])
        done = await carry_out(run, step)
        if next(steps) % STEPS_BETWEEN_LOOKS == 0:
            await run.flow.settle()
            for card in set(LOOKED_AT) & run.api._tokens.keys():
                shown[run.api.now, card] = await run.api.get("/v1/me", by=card)
        return done

    with client, pytest.MonkeyPatch.context() as patched:
        patched.setattr(player, "_carry_out", carry_out_and_look)
        played = asyncio.run(play(running))
        kept[max(kept)] = list(loans.find({}))
        return played


@pytest.fixture(scope="module")
def tables(running: System, report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tables after the scenario."""
    path = tmp_path_factory.mktemp("hour") / "tables"
    write_tables(running, path)
    return path


@pytest.fixture
async def stores(running: System) -> AsyncIterator[dict[str, Any]]:
    """The owners' databases by service."""
    settings = running.settings(Settings)
    client: Client = patient_client(settings.mongo_url)
    yield {
        service: client[f"{settings.database_prefix}_{service}"]
        for service in ("circulation", "events", "notices")
    }
    client.close()


OPEN = ("waiting", "to-fetch", "in-transit", "ready")


def ask(path: Path, query: str) -> Rows:
    with duckdb.connect(str(path / VIEWS), read_only=True) as database:
        found = database.execute(query)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def fields(items: Rows, names: tuple[str, ...]) -> list[list[Any]]:
    """Return some fields of each item, in the order of ids."""
    return sorted([one[name] for name in names] for one in items)


def sum_of(rows: Rows, name: str) -> int:
    return sum(row[name] for row in rows)


def day(stored: Any) -> date | None:
    """Return a day as the databases store it, as a date."""
    return None if stored is None else date.fromisoformat(str(stored)[:10])


async def by_id(collection: Any) -> dict[str, dict[str, Any]]:
    return {document["_id"]: document async for document in collection.find({})}


def test_every_expectation_of_the_scenario_holds(report: Report) -> None:
    assert report.failures == []
    assert len(report.checks) > 300
    keep(end_state(report))  # test_both_brokers.py compares it with the end on Apache Kafka


@pytest.mark.parametrize("file", sorted(READY_TABLES.glob("*.sql")), ids=lambda file: file.stem)
def test_a_ready_table_says_what_a_row_is_and_names_no_patron(tables: Path, file: Path) -> None:
    assert file.read_text().startswith("-- One row for each ")
    [counted] = ask(tables, f"SELECT count(*) AS rows FROM {file.stem}")  # noqa: S608
    assert counted["rows"], f"{file.stem} is empty after the reopening"
    columns = [row["column_name"] for row in ask(tables, f"DESCRIBE {file.stem}")]
    assert [name for name in columns if name.endswith(PSEUDONYMS)] == []


def test_ready_tables_hold_what_they_declare(tables: Path) -> None:
    for name, declared in declarations().items():
        query = parse_one((READY_TABLES / f"{name}.sql").read_text(), dialect="duckdb")
        own = {part.alias for part in query.find_all(exp.CTE)}
        assert set(declared.reads) == {one.name for one in query.find_all(exp.Table)} - own, name
    checked = list(check_tables(tables, wall_clock()))
    assert [one for one in checked if one.doubled or one.late] == []
    later = list(check_tables(tables, wall_clock() + timedelta(days=32)))
    assert {one.table for one in checked} - {one.table for one in later if one.late} == {
        name for name, declared in declarations().items() if declared.fresh_within is None
    }


async def test_loans_are_those_of_circulation(tables: Path, stores: dict[str, Any]) -> None:
    loans = await by_id(stores["circulation"].loans)
    rows = ask(tables, "FROM loans")
    assert {row["loan_id"] for row in rows} == loans.keys()
    assert len(rows) == len(loans) > 0
    for row in rows:
        loan = loans[row["loan_id"]]
        assert row["state"] == loan["state"]
        assert (row["branch"], row["category"]) == (loan["branch_code"], loan["copy_category"])
        days = ("borrowed_on", "due_on", "returned_on")
        assert [row[name] for name in days] == [day(loan[name]) for name in days]
        assert row["renewals"] == loan["renewals"]
        assert row["return_branch"] == loan["returned_branch"]
        assert row["due_date_moves"] == len(loan["moves"])
        late = loan["returned_on"] and (day(loan["returned_on"]) - day(loan["due_on"])).days  # type: ignore[operator]
        assert row["days_late"] == (late if late is None else max(late, 0))
    assert any(row["days_late"] for row in rows)


def test_lending_by_day_adds_up_to_the_loans(tables: Path) -> None:
    by_day, loans = ask(tables, "FROM lending_by_day"), ask(tables, "FROM loans")
    lent: Counter[Any] = Counter()
    returned: Counter[Any] = Counter()
    for row in by_day:
        lent[row["business_day"], row["branch"]] += row["check_outs"]
        returned[row["business_day"], row["branch"]] += row["returns"]
    assert +lent == Counter((loan["borrowed_on"], loan["branch"]) for loan in loans)
    ended = [loan for loan in loans if loan["state"] == "returned"]
    assert returned.total() == len(ended) > 0
    assert sum_of(by_day, "renewals") == sum_of(loans, "renewals") > 0


async def test_open_loans_of_each_day_are_those_of_circulation(
    tables: Path, stores: dict[str, Any]
) -> None:
    loans = [loan async for loan in stores["circulation"].loans.find({})]
    by_day = ask(tables, "FROM overdue_by_day")
    for row in by_day:
        assert row["overdue_share"] == row["overdue_loans"] / row["open_loans"]
    found = {(row["business_day"], row["branch"]): row["open_loans"] for row in by_day}
    [span] = ask(tables, "SELECT min(business_day) AS first, max(business_day) AS last FROM events")
    expected: Counter[Any] = Counter()
    for loan in loans:
        ended = [one for one in (day(loan["returned_on"]), day(loan["lost_on"])) if one]
        last = min(ended, default=span["last"] + timedelta(1))
        at = day(loan["borrowed_on"])
        while at is not None and at < last:
            expected[at, loan["branch_code"]] += 1
            at += timedelta(1)
    assert found == expected


async def test_overdue_loans_of_each_day_are_those_past_their_due_dates_at_circulation(
    tables: Path, stores: dict[str, Any], kept: Kept
) -> None:
    closed: dict[str, set[date]] = defaultdict(set)
    last = max(kept)
    async for branch in stores["notices"].branches.find({}):
        for closure in branch["closures"]:
            now = closure["announcements"][-1]
            first, end = day(now["starts_on"]), day(now["reopened_on"]) or last
            if first and now["withdrawn"] != "in-error":
                closed[branch["_id"]] |= set(day_by_day.days(first, (end - first).days))
    returned = {loan["_id"]: day(loan["returned_on"]) or date.max for loan in kept[last]}

    def is_overdue(loan: dict[str, Any], on: date) -> bool:
        """Return whether the branch was open from the due date to the day before `on`."""
        due_on, until = day(loan["due_on"]), day(loan["claimed_returned_on"]) or on
        assert due_on is not None
        late = set(day_by_day.days(due_on, (min(on, until) - due_on).days))
        return bool(late - closed[loan["branch_code"]])

    expected: Counter[Any] = Counter()
    for on in day_by_day.days(min(kept), (last - min(kept)).days + 1):
        for loan in kept[max(one for one in kept if one <= on)]:
            is_out = loan["state"] == "open" and on < returned[loan["_id"]]
            expected[on, loan["branch_code"]] += is_out and is_overdue(loan, on)
    rows = ask(tables, "FROM overdue_by_day")
    found = {(row["business_day"], row["branch"]): row["overdue_loans"] for row in rows}
    assert +Counter(found) == +expected
    assert len({on for on, _ in +expected}) > 50, "the demo has loans that are long overdue"


async def test_charges_are_those_of_circulations_ledger(
    tables: Path, stores: dict[str, Any]
) -> None:
    charges = await by_id(stores["circulation"].charges)
    booked: Counter[tuple[str, str]] = Counter()
    async for entry in stores["circulation"].entries.find({}):
        booked[entry["charge_id"], entry["kind"]] += entry["amount_cents"]
    rows = ask(tables, "FROM charges")
    assert {row["charge_id"] for row in rows} == charges.keys()
    assert len(rows) == len(charges) > 0
    for row in rows:
        charge = charges[row["charge_id"]]
        for name in ("amount_cents", "outstanding_cents", "refund_due_cents"):
            assert row[name] == charge[name]
        assert row["assessed_cents"] == booked[charge["_id"], "charge"]
        assert row["paid_cents"] == -booked[charge["_id"], "payment"]
        assert row["waived_cents"] == -booked[charge["_id"], "waiver"]
        assert row["refunded_cents"] == booked[charge["_id"], "refund"]
        lowered = row["forgiven_cents"] + row["credited_cents"]
        assert row["amount_cents"] == row["assessed_cents"] - lowered
    by_day = ask(tables, "FROM charges_by_day")
    for name in ("assessed", "forgiven", "credited", "waived", "paid", "refunded"):
        assert sum_of(by_day, f"{name}_cents") == sum_of(rows, f"{name}_cents")
    assert sum_of(rows, "assessed_cents") > sum_of(rows, "paid_cents") > 0
    assert sum_of(rows, "forgiven_cents") > 0
    assert sum_of(rows, "credited_cents") > 0


async def test_holds_are_those_of_circulation(tables: Path, stores: dict[str, Any]) -> None:
    holds = await by_id(stores["circulation"].holds)
    rows = ask(tables, "FROM holds")
    assert {row["hold_id"] for row in rows} == holds.keys()
    assert len(rows) == len(holds) > 0
    for row in rows:
        for name in ("state", "place", "pickup_branch", "title_id"):
            assert row[name] == holds[row["hold_id"]][name]
    assert any(row["days_waited"] for row in rows)


async def test_titles_are_those_of_circulation_with_their_loans(
    tables: Path, stores: dict[str, Any]
) -> None:
    titles = await by_id(stores["circulation"].titles)
    copies = Counter([one["title_id"] async for one in stores["circulation"].copies.find({})])
    lent = Counter([one["title_id"] async for one in stores["circulation"].loans.find({})])
    holds = (await by_id(stores["circulation"].holds)).values()
    rows = ask(tables, "FROM titles")
    assert {row["title_id"]: row["title"] for row in rows} == {
        key: one["title"] for key, one in titles.items()
    }
    for row in rows:
        title = row["title_id"]
        assert (row["copies"], row["check_outs"]) == (copies[title], lent[title])
        record = titles[title].get("record", {})
        for name in ("languages", "publisher", "year", "audience"):
            assert (row[name] or None) == record.get(name), name
        waiting = len([one for one in holds if one["title_id"] == title and one["state"] in OPEN])
        assert row["open_holds"] == waiting
        assert row["open_holds_per_copy"] == waiting / copies[title]
    assert any(row["turnover"] for row in rows)
    assert sum(row["publisher"] is not None for row in rows) == 3


async def test_copies_are_those_of_circulation_with_their_call_numbers(
    tables: Path, stores: dict[str, Any]
) -> None:
    copies = await by_id(stores["circulation"].copies)
    rows = {row["copy_id"]: row for row in ask(tables, "FROM copies")}
    assert rows.keys() == copies.keys()
    for key, row in rows.items():
        record = copies[key]["record"] or {}
        number = record.get("call_number") or {}
        assert (row["barcode"], row["branch"]) == (
            copies[key]["barcode"],
            copies[key]["branch_code"],
        )
        assert (row["call_number"], row["scheme"]) == (number.get("number"), number.get("scheme"))
        assert row["shelf_location"] == record.get("shelf_location")
    assert any(row["acquired_on"] for row in rows.values())
    lent: dict[str, list[Any]] = {}
    async for loan in stores["circulation"].loans.find({}):
        lent.setdefault(loan["copy_id"], []).append(day(loan["borrowed_on"]))
    assert {key: (row["check_outs"], row["last_lent_on"]) for key, row in rows.items()} == {
        key: (len(lent.get(key, ())), max(lent.get(key, [None]))) for key in copies
    }


async def test_borrowers_of_a_month_are_patrons_with_loans_of_circulation(
    tables: Path, stores: dict[str, Any]
) -> None:
    lent: dict[tuple[int, int], list[str]] = {}
    async for loan in stores["circulation"].loans.find({}):
        borrowed = day(loan["borrowed_on"])
        assert borrowed
        lent.setdefault((borrowed.year, borrowed.month), []).append(loan["patron_id"])
    found: Counter[Any] = Counter()
    for row in ask(tables, "FROM borrowers_by_month"):
        assert row["category"]
        assert row["home_branch"]
        found[row["year"], row["month"], "borrowers"] += row["borrowers"]
        found[row["year"], row["month"], "check-outs"] += row["check_outs"]
    assert found == Counter(
        {(*month, "borrowers"): len(set(patrons)) for month, patrons in lent.items()}
        | {(*month, "check-outs"): len(patrons) for month, patrons in lent.items()}
    )


async def test_enquiries_and_notifications_are_those_of_notices(
    tables: Path, stores: dict[str, Any]
) -> None:
    enquiries = await by_id(stores["notices"].enquiries)
    rows = {row["enquiry_id"]: row for row in ask(tables, "FROM enquiries")}
    assert rows.keys() == enquiries.keys()
    assert {key: row["state"] for key, row in rows.items()} == {
        key: one["state"] for key, one in enquiries.items()
    }
    assert any(row["days_to_answer"] is not None for row in rows.values())
    notifications = await by_id(stores["notices"].notifications)
    inbox = {row["notification_id"]: row for row in ask(tables, "FROM notifications")}
    assert inbox.keys() <= notifications.keys()
    assert all(row["delivered_at"] for row in inbox.values())
    for key, row in inbox.items():
        assert (row["read_at"] is not None) == notifications[key]["read"]


def test_visitors_by_hour_add_up_to_those_of_the_day(tables: Path) -> None:
    entered: Counter[Any] = Counter()
    for row in ask(tables, "FROM visitors_by_hour"):
        assert row["entered"] >= 0
        entered[row["branch"], row["day"]] += row["entered"]
    assert entered == Counter(
        {(row["branch"], row["day"]): row["entered"] for row in ask(tables, "FROM occupancy")}
    )


async def test_closures_are_those_of_notices_with_the_due_dates_that_they_moved(
    tables: Path, stores: dict[str, Any]
) -> None:
    expected = {}
    async for branch in stores["notices"].branches.find({}):
        for closure in branch["closures"]:
            last = closure["announcements"][-1]
            expected[branch["_id"], closure["closure_id"]] = day(last["reopened_on"])
    rows = ask(tables, "FROM closures")
    found = {(row["branch"], row["closure_id"]): row["reopened_on"] for row in rows}
    assert found == expected
    moves = [move async for loan in stores["circulation"].loans.find({}) for move in loan["moves"]]
    assert sum_of(rows, "due_dates_moved") == len(moves) > 0


async def test_fine_suspensions_are_those_of_circulation_with_what_they_forgave(
    tables: Path, stores: dict[str, Any]
) -> None:
    suspensions = await by_id(stores["circulation"].suspensions)
    rows = ask(tables, "FROM fine_suspensions")
    assert {row["suspension_id"] for row in rows} == suspensions.keys()
    assert len(rows) == len(suspensions) > 0
    forgiven: Counter[str] = Counter()
    lowered = {"reference": {"$regex": "^suspension/"}, "kind": {"$in": ["credit", "refund-due"]}}
    async for entry in stores["circulation"].entries.find(lowered):
        forgiven[entry["reference"].partition("/")[2]] -= entry["amount_cents"]
    free = 0
    async for charge in stores["circulation"].charges.find({"statement": {"$ne": None}}):
        for span in charge["statement"]["spans"]:
            first, last = day(span["from_"]), day(span["to"])
            if span["disposition"] == "suspended" and first and last:
                free += (last - first).days + 1
    for row in rows:
        suspension = suspensions[row["suspension_id"]]
        withdrawal = suspension["withdrawal"]
        assert row["starts_on"] == day(suspension["starts_on"])
        assert row["resumes_on"] == day(suspension["resumes_on"])
        assert row["withdrawn_on"] == (withdrawal and day(withdrawal["on"]))
        assert row["forgiven_cents"] == forgiven[row["suspension_id"]]
    # The books have the statements of lowered fines as they are now, with more free days.
    assert 0 < sum_of(rows, "free_days") <= free


async def test_activities_are_those_of_events(tables: Path, stores: dict[str, Any]) -> None:
    activities = await by_id(stores["events"].activities)
    rows = ask(tables, "FROM activities")
    assert {row["activity_id"]: row["title"] for row in rows} == {
        key: one["title"] for key, one in activities.items()
    }
    registrations = (await by_id(stores["events"].registrations)).values()
    states = Counter((one["activity_id"], one["state"]) for one in registrations)
    came = Counter(one["activity_id"] for one in registrations if one["attended_at"])
    assert came
    for row in rows:
        key = row["activity_id"]
        for state in ("confirmed", "waitlisted"):
            assert row[state] == states[key, state]
        assert row["attended"] == (came[key] or None)
        assert row["no_shows"] == (states[key, "confirmed"] - came[key] if came[key] else None)
    assert any(row["no_shows"] for row in rows)


async def test_study_rooms_are_those_of_events(tables: Path, stores: dict[str, Any]) -> None:
    states: Counter[str] = Counter()
    for name in ("study_bookings", "study_seats"):
        async for place in stores["events"][name].find({}):
            states[place["state"]] += 1
    rows = ask(tables, "FROM study_rooms")
    assert sum_of(rows, "came") == states["checked-in"] > 0
    assert sum_of(rows, "no_shows") == states["lapsed"] > 0


async def test_occupancy_is_that_of_notices(tables: Path, stores: dict[str, Any]) -> None:
    rows = {(row["branch"], row["day"]): row for row in ask(tables, "FROM occupancy")}
    counted = [one async for one in stores["notices"].occupancy.find({})]
    assert counted
    for one in counted:
        row = rows[one["_id"], day(one["day"])]
        assert row["entered"] == one["entered"] > 0
        # A peak within a minute of another event is not published.
        assert 0 < row["most_inside"] <= max(slot["most"] for slot in one["slots"])
        assert row["fullest_share"] == (row["capacity"] and row["most_inside"] / row["capacity"])


def test_the_page_of_a_report_refers_to_no_other_file_and_shows_all_numbers(tables: Path) -> None:
    numbers = numbers_of(tables, None, None)
    assert numbers is not None
    page = page_of(numbers)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 4
    for source in sources:
        kind, data = source.split(",")
        assert kind == "data:image/svg+xml;base64"
        assert b"<svg" in base64.b64decode(data)
    assert "://" not in page
    cells = [cell for table in numbers.tables for row in table.rows for cell in row]
    assert len(cells) > 100
    assert [cell for cell in cells if f"<td>{escape(str(cell))}</td>" not in page] == []
    assert page_of(numbers) == page
    for first, second in zip(pictures_of(numbers), pictures_of(numbers), strict=True):
        png = first.bytes("png")
        assert png.startswith(b"\x89PNG")
        assert png == second.bytes("png")


def test_a_report_of_some_days_counts_only_these(tables: Path) -> None:
    first, last = date(2020, 12, 1), date(2021, 2, 28)
    numbers = numbers_of(tables, first, last)
    assert numbers is not None
    days = [row[0] for row in numbers.lending]
    assert (days[0], days[-1], len(days)) == (first, last, 90)
    [counted] = ask(
        tables,
        "SELECT count(*) AS rows FROM loan_checked_out "
        "WHERE business_day BETWEEN DATE '2020-12-01' AND DATE '2021-02-28'",
    )
    assert sum(row[1] for row in numbers.lending) == counted["rows"] > 0
    assert max(row[1] for row in numbers.closed) > 40
    assert numbers_of(tables, date(2030, 1, 1), None) is None


def test_an_account_as_of_a_time_is_what_was_shown_then(tables: Path, shown: Shown) -> None:
    assert len(shown) > 40
    compared: Counter[str] = Counter()
    for (moment, _), me in shown.items():
        found = account_at(tables, me["patron"]["id"], datetime.fromisoformat(moment))
        for kind, names in SHOWN.items():
            items = json.loads(json.dumps(getattr(found, kind), default=str))
            assert fields(items, names) == fields(me[kind], names), (moment, kind)
            compared[kind] += len(items)
    assert all(compared[kind] > 3 for kind in SHOWN), compared


async def test_shuffled_repeated_events_and_killed_runs_give_the_same_ready_tables(
    running: System, tables: Path, tmp_path: Path
) -> None:
    settings = running.settings(Settings)
    again = settings.model_copy(update={"topic_prefix": "again."})
    await ensure_topics(again, NAMES)
    messages = await all_messages(settings) * 3
    assert len(messages) > 1_000
    random.Random(11).shuffle(messages)  # noqa: S311
    path, armed = tmp_path / "tables", tmp_path / "failpoint"
    steps = ["analytics.files", "analytics.committed"] * 2
    for at, step in enumerate(steps):
        await publish(again, messages[at :: len(steps) + 1])
        armed.write_text(f"{step}:2")  # the first time is at the start, without rows
        killed = await carrel(
            again,
            *("analytics", "follow", "--to", str(path), "--until-now"),
            CARREL_TOPIC_PREFIX="again.",
            CARREL_FAILPOINT=str(armed),
        )
        assert killed.code != 0
    await publish(again, messages[len(steps) :: len(steps) + 1])
    with Folder.opened(path, again.time_zone) as folder:
        await Follower(again, folder).run(until_now=True)
    for file in READY_TABLES.glob("*.sql"):
        columns = "COLUMNS(lambda name: NOT starts_with(name, 'kafka_'))"
        query = f"SELECT {columns} FROM {file.stem} ORDER BY ALL"  # noqa: S608
        assert ask(path, query) == ask(tables, query), file.stem


async def all_messages(settings: Settings) -> list[ConsumerRecord[Any, Any]]:
    """Return the messages of all topics of events, with the topics' own names."""
    names = Names(settings.topic_prefix)
    async with Positions(settings) as positions:
        starts, ends = await positions.starts(), await positions.ends()
    left = {one: end for one, end in ends.items() if one.topic in published() and starts[one] < end}
    reader = AIOKafkaConsumer(
        **client_arguments(settings), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    found: list[ConsumerRecord[Any, Any]] = []
    await reader.start()
    try:
        reader.assign([names.partition_on_kafka(one) for one in left])
        while left:
            for partition, fetched in names.by_partition(
                await reader.getmany(timeout_ms=200)
            ).items():
                found += [names.record(record) for record in fetched]
                if fetched[-1].offset + 1 >= left.get(partition, 0):
                    left.pop(partition, None)
    finally:
        await reader.stop()
    return found


async def publish(settings: Settings, messages: list[ConsumerRecord[Any, Any]]) -> None:
    """Publish messages as they are, but for the prefix of their topics."""
    names = Names(settings.topic_prefix)
    producer = AIOKafkaProducer(**client_arguments(settings))
    await producer.start()
    try:
        sent = [
            await producer.send(
                names.on_kafka(one.topic),
                one.value,
                key=one.key,
                headers=list(one.headers),
                timestamp_ms=one.timestamp,
            )
            for one in messages
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def test_an_example_draws_the_closures_from_the_tables(tables: Path, tmp_path: Path) -> None:
    picture = tmp_path / "closures.png"
    example = [sys.executable, str(PROJECT / "examples" / "closures.py"), str(tables), str(picture)]
    ran = subprocess.run(example, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    for row in ask(tables, "FROM closures WHERE NOT in_error"):
        assert str(row["first_closed_day"]) in ran.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def drawn(svg: bytes) -> tuple[str, list[float]]:
    """Return the text of a picture without ids and numbers, and its numbers.

    The last digits of places, and ids that are made from them, differ from run to run.
    """
    text = re.sub(r'(?:id|clip-path|xlink:href)="[^"]*"', "", svg.decode())
    number = r"-?\d+(?:\.\d+)?"
    return re.sub(number, "0", text), [float(one) for one in re.findall(number, text)]


def test_the_first_hour_reads_as_it_runs(
    running: System, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tables.parent)
    Path(".venv").symlink_to(sys.prefix)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "100")
    played, *steps = steps_of(PROJECT / "docs" / "analytics.md")
    assert played.code == ".venv/bin/carrel demo --tables tables\n"  # as the fixtures did
    names: dict[str, Any] = {}
    for step in steps:
        if step.language == "python":
            with redirect_stdout(io.StringIO()) as shown:
                exec(step.code, names)  # noqa: S102
            out = shown.getvalue()
        else:
            ran = subprocess.run(
                ["bash", "-euc", step.code],  # noqa: S607
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, (step.code, ran.stderr)
            out = ran.stdout
        if step.output is not None:
            assert lines(out) == lines(step.output)
    assert sum(step.output is not None for step in steps) > 5
    numbers = numbers_of(Path("city"), None, None)
    assert numbers is not None
    pictures = {f"{one.name}.svg": drawn(one.bytes("svg")) for one in pictures_of(numbers)}
    kept = list((PROJECT / "docs" / "pictures").glob("*.svg"))
    assert len(kept) == 2
    for file in kept:
        text, places = drawn(file.read_bytes())
        assert text == pictures[file.name][0], f"{file} shows another city"
        assert places == pytest.approx(pictures[file.name][1], abs=0.01)
