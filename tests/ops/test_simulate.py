"""A simulated city is consistent, always the same, and what the rules of the library say."""

import hashlib
import os
from collections import Counter
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from ops.analytics.columns import event_row
from ops.analytics.folder import Folder
from ops.analytics.follow import Follower
from ops.analytics.views import VIEWS
from ops.commands import simulate
from ops.simulation.acts import Act, Simulation
from ops.simulation.city import FIRST_DAY, Plan
from ops.simulation.messages import Tally, messages_of, publish
from ops.simulation.tables import write_tables
from services.settings import Settings
from shared.contracts import accounts
from shared.contracts.events import RegistrationConfirmed, RegistrationSnapshot
from tests import samples
from tests.ops.command import carrel, run

HONG_KONG = ZoneInfo("Asia/Hong_Kong")
PLAN = Plan(patrons=400, days=160, seed=5, zone=HONG_KONG)


def ignore(_: date) -> None:
    """Take no notice of a new day."""


def stop(_: date) -> None:
    """Do what Ctrl-C does, at the first day."""
    raise KeyboardInterrupt


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path / VIEWS), read_only=True) as database:
        return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation(PLAN)


@pytest.fixture(scope="module")
def acts(simulation: Simulation) -> list[Act]:
    """All acts; the books of `simulation` have the state after the last."""
    return list(simulation.acts())


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("city") / "tables"
    write_tables(Simulation(PLAN), path, ignore)
    return path


def test_everything_that_happens_to_loans_holds_and_activities_happens(acts: list[Act]) -> None:
    topics = {event.topic for act in acts for event in act.events}
    assert topics == {
        "branch.registered", "branch.closed", "title.catalogued", "patron.registered",
        "loan.checked-out", "loan.renewed", "loan.due-soon", "loan.overdue", "loan.returned",
        "loan.due-date-changed", "loan.lost", "hold.placed", "hold.changed", "hold.ready",
        "hold.collected", "hold.cancelled", "hold.expired", "fine.assessed", "fine.paid",
        "fine.waived", "fines.suspended", "fines.resumed", "activity.published",
        "activity.cancelled", "registration.confirmed", "registration.waitlisted",
        "registration.cancelled", "registration.attended",
    }  # fmt: skip
    verbs = {act.verb for act in acts}
    assert {"renew", "cancel-hold", "waive", "close", "suspend-fines", "withdraw"} <= verbs
    assert {act.outcome for act in acts if act.verb == "attend"} == {""}
    outcomes = {act.outcome for act in acts if act.verb in ("register", "withdraw")}
    assert outcomes == {
        "confirmed", "waitlisted", "", "already-registered", "not-registered", "activity-cancelled",
    }  # fmt: skip


def test_acts_are_in_the_order_of_time_and_their_events_in_that_of_versions(
    acts: list[Act],
) -> None:
    moments = [act.at for act in acts if act.verb not in ("register-branch", "add-title")]
    assert moments == sorted(moments)
    versions: dict[tuple[str, str], int] = {}
    for act in acts:
        for event in act.events:
            kind = event.topic.partition(".")[0]
            assert event.version == versions.get((kind, event.subject), 0) + 1, event
            versions[kind, event.subject] = event.version


def test_a_copy_is_lent_to_one_patron_at_a_time(acts: list[Act]) -> None:
    lent: dict[str, str] = {}
    for act in acts:
        for event in act.events:
            if event.topic == "loan.checked-out":
                assert event.copy_id not in lent  # type: ignore[attr-defined]
                lent[event.copy_id] = event.loan_id  # type: ignore[attr-defined]
            elif event.topic in ("loan.returned", "loan.lost"):
                assert lent.pop(event.copy_id) == event.loan_id  # type: ignore[attr-defined]
    assert lent


def test_equal_plans_give_equal_bytes_and_other_seeds_others() -> None:
    def digest(seed: int) -> str:
        found = hashlib.sha256()
        plan = Plan(patrons=60, days=40, seed=seed, zone=HONG_KONG)
        for message in messages_of(Simulation(plan), Tally(), ignore):
            found.update(message.event_id.encode() + message.event.body())
        return found.hexdigest()

    assert digest(1) == digest(1) != digest(2)


def test_ids_are_unique(acts: list[Act]) -> None:
    messages = list(messages_of(Simulation(PLAN), Tally(), ignore))
    assert len({one.event_id for one in messages}) == len(messages)


def test_ready_tables_equal_what_the_simulation_knows(
    simulation: Simulation, acts: list[Act], tables: Path
) -> None:
    books = simulation.books
    open_loans = ask(tables, "SELECT loan_id, due_on FROM loans WHERE state = 'open'")
    assert dict(open_loans) == {one.loan.id: one.loan.due_on for one in books.loans.values()}
    open_holds = ask(
        tables,
        "SELECT hold_id FROM holds JOIN (SELECT DISTINCT hold_id FROM hold_placed) "
        "USING (hold_id) WHERE state IN ('waiting', 'in-transit', 'ready')",
    )
    assert {hold for (hold,) in open_holds} == books.holds.keys()
    unpaid = ask(tables, 'SELECT charge_id, outstanding_cents FROM charges WHERE "open"')
    assert dict(unpaid) == {
        charge_id: charge.outstanding_cents
        for charges in books.charges.values()
        for charge_id, (charge, _) in charges.items()
    }
    lent = Counter(
        (act.at.date(), act.fields["branch"])
        for act in acts
        if act.verb == "check-out"
        for code in act.outcome
        if not code
    )
    by_day = ask(
        tables, "SELECT business_day, branch, sum(check_outs)::INT FROM lending_by_day GROUP BY ALL"
    )
    assert {(day, branch): count for day, branch, count in by_day if count} == lent
    paid = sum(act.fields["cents"] for act in acts if act.verb == "pay")
    assert ask(tables, "SELECT sum(paid_cents)::INT FROM charges_by_day") == [(paid,)]
    [(late, all_returned)] = ask(
        tables,
        "SELECT count(*) FILTER (WHERE days_late > 0), count(*) "
        "FROM loans WHERE state = 'returned'",
    )
    assert 0.02 < late / all_returned < 0.2
    [(closures, moved)] = ask(tables, "SELECT count(*), sum(due_dates_moved)::INT FROM closures")
    assert closures > 0
    assert moved > 0
    [(fines, days)] = ask(tables, "SELECT fines_with_free_days, free_days FROM fine_suspensions")
    assert days >= fines > 0
    registered = Counter(act.outcome for act in acts if act.verb == "register")
    places = ask(tables, "SELECT sum(confirmed + waitlisted + withdrawn)::INT FROM activities")
    assert places == [(registered["confirmed"] + registered["waitlisted"],)]
    attended = sum(act.verb == "attend" for act in acts)
    found = ask(tables, "SELECT sum(attended)::INT, sum(no_shows)::INT FROM activities")
    assert found == [(attended, books.no_shows)]
    assert 0 < books.no_shows < attended
    unknown = "FROM activities WHERE attended IS NULL AND no_shows IS NULL AND confirmed > 0"
    assert ask(tables, unknown)


def test_no_activity_has_more_registrations_than_places(acts: list[Act]) -> None:
    places = {act.outcome: act.fields["places"] for act in acts if act.verb == "publish-activity"}
    states: dict[str, tuple[str, str]] = {}
    waited = 0
    for act in acts:
        changes = [one for one in act.events if isinstance(one, RegistrationSnapshot)]
        for event in changes:
            states[event.registration_id] = (event.activity_id, event.state)
            waited += isinstance(event, RegistrationConfirmed) and event.waited
        if changes:
            taken = Counter(one for one, state in states.values() if state == "confirmed")
            assert all(taken[one] <= places[one] for one in taken)
    assert waited > 0


def test_titles_are_lent_unevenly_and_weekends_are_busy(tables: Path) -> None:
    counts = [n for (n,) in ask(tables, "SELECT check_outs FROM titles ORDER BY check_outs DESC")]
    tenth = len(counts) // 10
    assert sum(counts[:tenth]) > 2 * sum(counts) * tenth / len(counts)
    by_weekday = dict(
        ask(
            tables,
            "SELECT isodow(business_day), sum(check_outs)::INT FROM lending_by_day GROUP BY ALL",
        )
    )
    assert by_weekday[6] > by_weekday[1]


async def test_topics_followed_to_tables_are_the_tables(
    kafka: str, tables: Path, tmp_path: Path
) -> None:
    settings = Settings(kafka=kafka, partitions=3, topic_prefix="city.")
    tally = await publish(settings, Simulation(PLAN), ignore)
    with Folder.opened(tmp_path / "followed", settings.time_zone) as folder:
        follower = Follower(settings, folder)
        await follower.run(until_now=True)
    assert follower.followed.added == tally.events
    assert follower.followed.repeated == 0
    columns = "COLUMNS(lambda name: NOT starts_with(name, 'kafka_') AND name <> 'recorded_at')"
    for table in ("events", "loan_changes", "charges", "holds", "overdue_by_day"):
        query = f"SELECT {columns} FROM {table} ORDER BY ALL"  # noqa: S608
        assert ask(tmp_path / "followed", query) == ask(tables, query), table
    ran = await carrel(settings, "simulate", "--patrons", "10", "--days", "1", "--topics", "city.")
    assert (ran.code, "have messages already" in ran.err) == (1, True)


def test_the_books_do_not_grow_with_the_days() -> None:
    def open_things(days: int) -> int:
        simulation = Simulation(Plan(patrons=200, days=days, seed=1, zone=HONG_KONG))
        for _ in simulation.acts():
            pass
        return len(simulation.books.loans) + len(simulation.books.holds)

    assert open_things(240) < 2 * open_things(60)


async def test_the_command_writes_tables_and_says_what_it_wrote(kafka: str, tmp_path: Path) -> None:
    settings = Settings(kafka=kafka)
    size = ("--patrons", "50", "--days", "20", "--seed", "3")
    ran = await carrel(settings, "simulate", *size, "--tables", str(tmp_path / "city"), "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json()["events"]["patron.registered"] == 50
    assert ask(tmp_path / "city", "SELECT count(*) FROM events") == [
        (sum(ran.json()["events"].values()),)
    ]
    ran = await carrel(settings, "simulate", *size, "--tables", str(tmp_path / "city"))
    assert (ran.code, "give a new folder" in ran.err) == (1, True)
    ran = await carrel(settings, "simulate", *size)
    assert (ran.code, "give one of --tables, --topics and --api" in ran.err) == (2, True)
    ran = await carrel(settings, "simulate", *size, "--topics", "City of")
    assert (ran.code, "such as city." in ran.err) == (2, True)
    last = FIRST_DAY + timedelta(19)
    [(found,)] = ask(tmp_path / "city", "SELECT max(business_day) FROM events")
    assert found == last


async def test_an_account_is_shown_as_of_a_day_or_an_instant_and_the_look_is_recorded(
    acts: list[Act], tables: Path, kafka: str, mongo_url: str, database: str
) -> None:
    settings = Settings(kafka=kafka, mongo_url=mongo_url, database_prefix=database)
    act = next(one for one in acts if one.verb == "check-out" and not any(one.outcome))
    [loan, *_] = [one for one in act.events if one.topic == "loan.checked-out"]
    asked = ("account", "--patron", loan.key, "--tables", str(tables))
    before = act.at - timedelta(seconds=1)
    for moment, lent in ((before, False), (act.at, True), (act.at.date(), True)):
        ran = await carrel(settings, *asked, "--as-of", moment.isoformat(), "--json")
        assert ran.code == 0, ran.err
        found = {one["id"]: one for one in ran.json()["loans"]}
        assert (loan.subject in found) == lent
    assert found[loan.subject]["due_on"] == loan.due_on.isoformat()  # type: ignore[attr-defined]
    shown = await carrel(settings, *asked, "--as-of", act.at.date().isoformat())
    assert loan.barcode in shown.out  # type: ignore[attr-defined]
    trail = await carrel(settings, "audit-trail", "--object", loan.key, "--json")
    assert [(one["service"], one["act"], one["roles"]) for one in trail.json()["entries"]] == [
        ("accounts", "carrel account --as-of", ["ops"])
    ] * 4
    away = {"CARREL_MONGO_URL": "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"}
    ran = await carrel(settings, *asked, "--as-of", act.at.isoformat(), **away)
    assert (ran.code, ran.out, "The database does not work" in ran.err) == (1, "", True)
    environment = {name: value for name, value in os.environ.items() if "CARREL" not in name}
    unnamed = run((*asked, "--as-of", act.at.isoformat()), environment)
    assert unnamed.code == 0
    assert unnamed.err == "No database is named, so no audit trail has this look.\n"
    for options, code, said in (
        ((*asked, "--as-of", "yesterday"), 2, "write a day as 2021-02-19"),
        ((*asked, "--as-of", "2019-01-01"), 1, "There was no such patron then."),
        ((*asked[:3], "--tables", "none", "--as-of", "2024-01-01"), 1, "none has no tables"),
    ):
        ran = await carrel(settings, *options)
        assert (ran.code, said in ran.err) == (code, True), ran.err


async def test_nothing_is_shown_of_a_patron_who_was_erased(kafka: str, tmp_path: Path) -> None:
    settings = Settings(kafka=kafka)
    at = datetime(2024, 1, 3, tzinfo=UTC)
    patron = samples.patron(accounts.PatronRegistered, 1)
    erased = samples.patron(accounts.PatronErased, 2, status="erased")
    rows = {
        event.topic: [event_row(event, event.topic, at, HONG_KONG) | {"recorded_at": at}]
        for event in (patron, erased)
    }
    with Folder.opened(tmp_path, HONG_KONG.key) as folder:
        folder.add(rows, {})
    for day in ("2024-01-02", "2024-02-01"):
        asked = ("--patron", patron.key, "--as-of", day, "--tables", str(tmp_path))
        ran = await carrel(settings, "account", *asked)
        assert (ran.code, ran.err) == (1, "This patron was erased.\n")


def test_a_simulation_that_is_interrupted_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "_days", lambda _: nullcontext(stop))
    to = tmp_path / "city"
    with pytest.raises(KeyboardInterrupt):
        simulate.simulate(patrons=10, days=5, tables=to)
    assert not to.exists()
