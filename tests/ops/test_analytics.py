"""Events become rows of tables: each once, typed, and never half of a run."""

import asyncio
import json
import random
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow.parquet as pq
import pytest

from ops.analytics import columns, folder
from ops.analytics.checks import check_tables
from ops.analytics.destination import MANIFEST
from ops.analytics.folder import Folder
from ops.analytics.follow import Followed, Follower
from ops.analytics.views import view_of
from ops.infrastructure.embedded import embedded
from services.registry import NAMES
from services.settings import Settings
from shared.bus.resting import rest_between_fetches
from shared.bus.topics import ensure_topics
from shared.clock import library_day, wall_clock
from shared.contracts import circulation, published, suspensions
from shared.mongo import Document
from tests import patience, samples
from tests.ops.command import carrel
from tests.published import ask, every_sample, loans, publish, publish_repeatedly, recorded

HONG_KONG = ZoneInfo("Asia/Hong_Kong")


@pytest.fixture
async def settings(kafka: str) -> Settings:
    settings = Settings(kafka=kafka, partitions=3, topic_prefix="library.")
    await ensure_topics(settings, NAMES)
    return settings


async def follow(settings: Settings, path: Path) -> Followed:
    with Folder.opened(path, settings.time_zone) as opened:
        follower = Follower(settings, opened, lambda read, total: None)
        await follower.run(until_now=True)
    return follower.followed


async def command(settings: Settings, path: Path, *options: str, **environment: str) -> Any:
    arguments = ("analytics", "follow", "--to", str(path), "--until-now", *options)
    return await carrel(
        settings, *arguments, CARREL_TOPIC_PREFIX=settings.topic_prefix, **environment
    )


def manifest(path: Path) -> Any:
    return json.loads((path / MANIFEST).read_bytes())


def files(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.glob("*/*.parquet")}


def named(path: Path) -> set[str]:
    return {name for table in manifest(path)["tables"].values() for name in table["files"]}


async def test_every_sample_of_every_event_is_read_back_from_its_table_as_it_was(
    settings: Settings, tmp_path: Path
) -> None:
    sent = every_sample()
    await publish(settings, [row for kept in sent.values() for row, _ in kept.values()])
    ran = await command(settings, tmp_path, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json()["added"] == sum(map(len, sent.values()))
    found = manifest(tmp_path)["tables"]
    for topic, contract in published().items():
        rows = [
            row
            for name in found[topic]["files"]
            for row in pq.read_table(tmp_path / name).to_pylist(maps_as_pydicts="strict")
        ]
        read = {row["event_id"]: contract.model_validate(row) for row in rows}
        assert read == {event_id: event for event_id, (_, event) in sent[topic].items()}
        assert ask(tmp_path, f"SELECT count(*) FROM {view_of(topic)}") == [(len(read),)]  # noqa: S608
    assert ask(tmp_path, "SELECT count(*) FROM events") == [(ran.json()["added"],)]


def record_of(row: Document, body: bytes | None = None, **headers: str) -> Any:
    """Return the message of an outbox row, with other headers if given; empty: without it."""
    given = {name: value for name, value in {**row["headers"], **headers}.items() if value}
    return SimpleNamespace(
        topic=row["topic"],
        partition=2,
        offset=7,
        timestamp=1_700_000_000_123,
        headers=[(name, value.encode()) for name, value in given.items()],
        value=body or bytes(row["body"]),
    )


def test_every_message_of_today_is_read_the_short_way_to_the_same_row() -> None:
    for topic, kept in every_sample().items():
        records = [record_of(row) for row, _ in kept.values()]
        short, long = (
            columns.table_of([read(one, HONG_KONG) for one in records], columns.columns_of(topic))
            for read in (columns._usual_row, columns._any_row)
        )
        assert short.equals(long), topic


def test_messages_of_earlier_releases_and_unusual_ones_are_read_by_their_contract() -> None:
    samples_of_fines = every_sample()["fine.assessed"].values()
    row, event = next(iter(samples_of_fines))
    lacking = {
        name: value
        for name, value in json.loads(row["body"]).items()
        if name not in ("charge_kind", "open", "suspended")
    }
    old = record_of(row, json.dumps(lacking).encode(), ce_dataschema="fine.assessed.v1")
    far = {**json.loads(row["body"]), "assessed_on": "1830-01-01"}
    for record in (
        old,
        record_of(row, json.dumps(far).encode()),
        record_of(row, ce_correlationid=""),
        record_of(row, ce_time="2021-02-01T09:00:00+08:00"),
    ):
        found = columns.row_of(record, HONG_KONG)
        assert found["charge_kind"] == event.model_dump()["charge_kind"]
        assert found["business_day"] == date(2021, 2, 1)
        assert found["event_id"] == row["_id"]
    for record in (
        record_of(row, json.dumps({**lacking, "spans": 3}).encode()),
        record_of(row, ce_type="fine.paid"),
        record_of(row, ce_dataschema="urn:carrel:contracts:fine.assessed.v2"),
        record_of(row, ce_time="2021-02-01T09:00:00"),
        record_of(row, ce_time="1700-02-01T09:00:00Z"),
        record_of(row, ce_id=""),
    ):
        with pytest.raises(ValueError, match=r".+"):
            columns.row_of(record, HONG_KONG)


async def test_columns_have_types_and_the_librarys_day(settings: Settings, tmp_path: Path) -> None:
    event = samples.loan(circulation.LoanCheckedOut, 1)
    await publish(settings, [recorded(event, hours=14), recorded(event, hours=15.5)])
    await follow(settings, tmp_path)
    days = "SELECT business_day, due_on - business_day, renewals + 1 FROM loan_checked_out"
    # 15:00 and 16:30 UTC are 23:00 and 00:30 in Hong Kong.
    assert ask(tmp_path, f"{days} ORDER BY event_time") == [
        (date(2021, 2, 1), 14, 1),
        (date(2021, 2, 2), 13, 1),
    ]
    subjects = ask(tmp_path, "SELECT DISTINCT topic, resource, subject FROM events")
    assert subjects == [("loan.checked-out", "loan", "loan-1")]


async def test_repeated_late_and_replayed_events_are_one_row_each(
    settings: Settings, tmp_path: Path
) -> None:
    rows = loans(30)
    followed = await publish_repeatedly(settings, rows, lambda: follow(settings, tmp_path))
    assert (followed.added.total(), followed.repeated, followed.missed) == (3, 27, 0)
    ids = ask(tmp_path, "SELECT event_id FROM loan_checked_out ORDER BY event_id")
    assert [event_id for (event_id,) in ids] == sorted(row["_id"] for row in rows)


async def test_a_later_run_reads_only_what_is_new(settings: Settings, tmp_path: Path) -> None:
    await publish(settings, loans(3))
    first = (await command(settings, tmp_path, "--json")).json()
    assert (first["added"], first["repeated"]) == (3, 0)
    again = (await command(settings, tmp_path, "--json")).json()
    assert (again["added"], again["repeated"]) == (0, 0)
    assert again["tables"] == [{"table": "loan.checked-out", "added": 0, "rows": 3}]
    checked = list(check_tables(tmp_path, wall_clock() + timedelta(days=40_000)))
    late = {one.table for one in checked if one.late}
    assert {"loans", "lending_by_day"} <= late
    assert not {"study_rooms", "enquiries"} & late, "this library has none"
    assert "loan.checked-out" in (await command(settings, tmp_path)).out


@pytest.mark.parametrize("step", ["analytics.files", "analytics.committed"])
async def test_a_run_that_is_killed_leaves_nothing_half_done(
    settings: Settings, tmp_path: Path, step: str
) -> None:
    path, armed = tmp_path / "tables", tmp_path / "failpoint"
    await publish(settings, loans(5))
    await follow(settings, path)
    before = files(path)
    await publish(settings, more := loans(5))
    armed.write_text(f"{step}:2")  # the first time is at the start, without rows
    killed = await command(settings, path, CARREL_FAILPOINT=str(armed))
    assert killed.code != 0
    assert files(path) > before, "it was not killed at the step"
    assert ask(path, "SELECT count(*) FROM loan_checked_out") == [(5,)]
    await publish(settings, more)
    await follow(settings, path)
    assert ask(path, "SELECT count(*), count(DISTINCT event_id) FROM events") == [(10, 10)]
    assert files(path) == named(path)


async def test_a_message_that_is_no_event_is_listed_and_stops_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    [good, bad] = loans(2)
    await publish(settings, [{**bad, "body": b'{"patron": "a name"}'}, good])
    ran = await command(settings, tmp_path)
    assert ran.code == 0
    assert "1 messages are no events of their topic" in ran.err
    assert ask(tmp_path, "SELECT count(*) FROM loan_checked_out") == [(1,)]
    listed = ask(tmp_path, "SELECT event_id, topic, error FROM unreadable")
    assert listed == [(bad["_id"], "loan.checked-out", "ValidationError")]


async def test_a_new_field_is_a_new_column_that_is_null_in_older_rows(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def earlier(topic: str) -> Any:
        now = columns.columns_of(topic)
        at = now.get_field_index("renewals_allowed")
        return now.remove(at) if at >= 0 else now

    [old, new] = loans(2)
    with monkeypatch.context() as changed:
        changed.setattr(folder, "columns_of", earlier)
        await publish(settings, [old])
        await follow(settings, tmp_path)
        with pytest.raises(duckdb.BinderException):
            ask(tmp_path, "SELECT renewals_allowed FROM loan_checked_out")
    await follow(settings, tmp_path)
    await publish(settings, [new])
    await follow(settings, tmp_path)
    read = ask(tmp_path, "SELECT event_id, renewals_allowed FROM loan_checked_out ORDER BY 1")
    assert read == [(old["_id"], None), (new["_id"], 5)]


async def test_a_loan_is_overdue_after_its_due_date_with_or_without_a_notice(
    settings: Settings, tmp_path: Path
) -> None:
    moved = circulation.LoanDueDateChanged
    restored, renewed = date(2021, 2, 15), date(2021, 3, 3)
    changes = {
        0: samples.loan(circulation.LoanCheckedOut, 1),
        16: samples.loan(moved, 3, due_on=date(2021, 3, 1)),
        17: samples.loan(moved, 4, due_on=restored),
        18: samples.loan(circulation.LoanOverdue, 5),
        19: samples.loan(circulation.LoanRenewed, 6, due_on=renewed, renewals=1),
        20: samples.returned(7, due_on=renewed, renewals=1, returned_on=date(2021, 2, 21)),
    }
    rows = [recorded(event, hours=24 * day) for day, event in changes.items()]
    random.Random(5).shuffle(rows)  # noqa: S311
    await publish(settings, [*rows, *rows])
    await follow(settings, tmp_path)
    days = ask(tmp_path, "SELECT business_day, open_loans, overdue_loans FROM overdue_by_day")
    assert {day: overdue for day, _, overdue in days if overdue} == {
        date(2021, 2, 16): 1,
        date(2021, 2, 18): 1,
        date(2021, 2, 19): 1,
    }
    assert sorted(day for day, _, _ in days) == [date(2021, 2, day) for day in range(1, 21)]
    kept = "SELECT state, due_on, renewals, due_date_moves, days_out, days_late FROM loans"
    assert ask(tmp_path, kept) == [("returned", renewed, 1, 2, 20, 0)]


async def test_ready_tables_leave_out_what_staff_undid(settings: Settings, tmp_path: Path) -> None:
    undone = circulation.LoanUndone
    events = [
        samples.loan(circulation.LoanCheckedOut, 1, "mistake"),
        samples.loan(undone, 2, "mistake", undid="check-out", state="returned"),
        samples.loan(circulation.LoanCheckedOut, 1),
        samples.returned(2, returned_on=date(2021, 2, 3)),
        samples.loan(undone, 3, undid="return"),
    ]
    rows = [recorded(event, hours=24 * day) for day, event in enumerate(events)]
    random.Random(7).shuffle(rows)  # noqa: S311
    await publish(settings, [*rows, *rows])
    await follow(settings, tmp_path)
    assert ask(tmp_path, "SELECT loan_id, state FROM loans") == [("loan-1", "open")]
    assert ask(tmp_path, "SELECT check_outs, returns FROM lending_by_day") == [(1, 0)]
    assert ask(tmp_path, "SELECT DISTINCT open_loans FROM overdue_by_day") == [(1,)]


async def test_many_small_files_become_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MOST_SMALL_FILES", 3)
    for row in (rows := loans(3)):
        await publish(settings, [row])
        await follow(settings, tmp_path)
    assert (
        len(manifest(tmp_path)["tables"]["loan.checked-out"]["files"]) == 4
    )  # the first has no row
    await publish(settings, rows)
    assert (await follow(settings, tmp_path)).repeated == 3
    assert len(manifest(tmp_path)["tables"]["loan.checked-out"]["files"]) == 1
    assert files(tmp_path) == named(tmp_path)
    assert ask(tmp_path, "SELECT count(DISTINCT event_id), count(*) FROM events") == [(3, 3)]


async def test_a_follower_fetches_sparingly_and_keeps_what_it_has_read_when_it_is_stopped(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    async def noted(*arguments: Any) -> None:
        given.append(arguments[1])
        await rest_between_fetches(*arguments)

    monkeypatch.setattr("ops.analytics.follow.rest_between_fetches", noted)
    settings = settings.model_copy(update={"idle_poll_ms": 40})
    await publish(settings, loans(4))
    all_read = asyncio.Event()

    def advance(read: int, total: int) -> None:
        if read == 4:
            all_read.set()

    with Folder.opened(tmp_path, settings.time_zone) as opened:
        running = asyncio.create_task(Follower(settings, opened, advance).run(until_now=False))
        async with patience.within(60):
            await all_read.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert given == [40]
    assert ask(tmp_path, "SELECT count(*) FROM loan_checked_out") == [(4,)]
    assert (await follow(settings, tmp_path)).repeated == 0


async def test_after_a_lost_log_the_topics_are_read_from_their_beginning(
    settings: Settings, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = loans(9)
    await publish(settings, rows[:8])
    await follow(settings, tmp_path)
    with embedded(
        tmp_path_factory.mktemp("broker"), mongo=False, kafka_port=None, broker="embedded"
    ) as emptied:
        other = settings.model_copy(update={"kafka": emptied.kafka})
        await ensure_topics(other, NAMES)
        await publish(other, rows[8:])
        assert (await follow(other, tmp_path)).added.total() == 1
    assert ask(tmp_path, "SELECT count(DISTINCT event_id), count(*) FROM events") == [(9, 9)]


async def test_a_report_without_tables_or_without_loans_says_so(
    settings: Settings, tmp_path: Path
) -> None:
    ran = await carrel(settings, "analytics", "report", str(tmp_path / "none"))
    assert (ran.code, "has no tables. Write them: carrel analytics follow" in ran.err) == (1, True)
    await publish(settings, [])
    await follow(settings, tmp_path)
    ran = await carrel(settings, "analytics", "report", str(tmp_path))
    assert (ran.code, ran.err) == (
        1,
        "There are no loans, charges or reservations in these days.\n",
    )
    ran = await carrel(settings, "analytics", "report", str(tmp_path), "--from", "today")
    assert (ran.code, "write a day as 2021-02-19" in ran.err) == (2, True)


async def test_a_report_counts_payments_and_reservations_after_the_last_loan(
    settings: Settings, tmp_path: Path
) -> None:
    paid_at, placed_at = (samples.at(1) + timedelta(days=days) for days in (40, 60))
    sums = {"amount_cents": 450, "outstanding_cents": 0, "refund_due_cents": 0}
    paid = samples.charge(circulation.FinePaid, 2, **sums, paid_cents=450)
    placed = samples.hold(circulation.HoldPlaced, 1, placed_at=placed_at)
    lent = samples.loan(circulation.LoanCheckedOut, 1)
    rows: dict[str, list[Any]] = {}
    for event, at in ((lent, samples.at(1)), (paid, paid_at), (placed, placed_at)):
        row = columns.event_row(event, event.topic, at, HONG_KONG)
        rows[event.topic] = [row | {"recorded_at": at}]
    with Folder.opened(tmp_path, HONG_KONG.key) as opened:
        opened.add(rows, {})
    ran = await carrel(settings, "analytics", "report", str(tmp_path))
    assert "$4.50" in ran.out
    assert "waiting" in ran.out
    since, page = str(library_day(paid_at, HONG_KONG)), tmp_path / "report.html"
    given = ("analytics", "report", str(tmp_path), "--from", since, "--html", str(page))
    ran = await carrel(settings, *given)
    assert ran.out.endswith(f"{since} to {library_day(placed_at, HONG_KONG)}.\n")
    assert "$4.50" in page.read_text()


async def test_a_report_of_a_moved_folder_says_what_to_do(
    settings: Settings, tmp_path: Path
) -> None:
    await publish(settings, loans(1))
    await follow(settings, tmp_path / "tables")
    moved = (tmp_path / "tables").rename(tmp_path / "moved")
    ran = await carrel(settings, "analytics", "report", str(moved))
    assert (ran.code, "write its views again: carrel analytics follow" in ran.err) == (1, True)
    await follow(settings, moved)
    ran = await carrel(settings, "analytics", "report", str(moved))
    assert (ran.code, ran.err) == (0, "")
    assert "2021-02" in ran.out


async def test_a_folder_has_one_writer_and_one_time_zone(
    settings: Settings, tmp_path: Path
) -> None:
    await follow(settings, tmp_path)
    with Folder.opened(tmp_path, settings.time_zone):
        ran = await command(settings, tmp_path)
    assert (ran.code, "Another `carrel analytics follow` writes to" in ran.err) == (1, True)
    ran = await command(settings, tmp_path, CARREL_TIME_ZONE="Europe/Berlin")
    assert (ran.code, "not of CARREL_TIME_ZONE" in ran.err) == (1, True)


async def test_a_folder_that_cannot_be_written_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = await command(settings, tmp_path / "file")
    assert (ran.code, f"{tmp_path}/file can't be written" in ran.err) == (1, True)
    ran = await command(settings, Path("/proc/x"))
    assert ran.code == 1
    assert "/proc/x can't be written: No such file or directory. Give another place." in ran.err


def test_a_fine_suspension_has_the_days_that_it_left_free_and_what_it_forgave(
    tmp_path: Path,
) -> None:
    cause = {"kind": "suspension", "id": "suspension-1", "version": 1, "reason": "Amnesty"}
    span = {"from": "2021-02-16", "to": "2021-02-17", "amount_cents": 0, "days": 2}
    spans = [
        {**span, "disposition": "suspended", "cause": cause},
        {**span, "disposition": "closed", "cause": {**cause, "kind": "closure", "id": "closure-1"}},
    ]
    adjusted = {"amount_cents": 300, "outstanding_cents": 0, "refund_due_cents": 50}
    events = [
        samples.suspension(suspensions.FinesSuspended, 1, resumes_on=None),
        samples.suspension(suspensions.FinesResumed, 2, resumes_on=date(2021, 3, 1)),
        samples.suspension(suspensions.FinesSuspended, 1, suspension_id="suspension-2"),
        samples.fine(1, spans=spans),
        samples.fine(1, "charge-2", spans=spans[:1] * 2),
        samples.charge(circulation.FineAdjusted, 2, **adjusted, cause="suspension/suspension-1"),
        samples.charge(circulation.FineAdjusted, 3, **adjusted, cause="branch/HKCL"),
    ]
    rows: dict[str, list[Any]] = {}
    for number, event in enumerate(reversed(events)):
        row = columns.event_row(event, f"event-{number}", samples.at(number), HONG_KONG)
        rows.setdefault(event.topic, []).append(row | {"recorded_at": samples.at(number)})
    with Folder.opened(tmp_path, HONG_KONG.key) as opened:
        opened.add(rows, {})
    asked = "SELECT suspension_id, resumes_on, fines_with_free_days, free_days, forgiven_cents"
    found = ask(tmp_path, f"{asked} FROM fine_suspensions ORDER BY 1")
    assert found[0] == ("suspension-1", date(2021, 3, 1), 2, 6, 150)
    assert found[1][2:] == (0, 0, 0)
