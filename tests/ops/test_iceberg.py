"""Events become rows of Iceberg tables: each once, and never half of a run.

The REST catalogue is a small server that speaks the part of the interface that is used here, on a
catalogue of pyiceberg in SQLite.
"""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.schema import Schema
from pyiceberg.table import CommitTableRequest, CommitTableResponse, Table

from ops.analytics import iceberg
from ops.analytics.columns import columns_of
from ops.analytics.destination import DATABASE, InUseError
from ops.analytics.follow import Followed, Follower
from ops.analytics.iceberg import NAMESPACE, Lake
from ops.analytics.views import view_of
from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from shared.contracts import published
from tests import samples
from tests.ops.command import Ran, carrel
from tests.published import ask, every_sample, loans, publish, publish_repeatedly, recorded


@pytest.fixture
async def settings(kafka: str) -> Settings:
    settings = Settings(kafka=kafka, partitions=3)
    await ensure_topics(settings, NAMES)
    return settings


async def follow(settings: Settings, path: Path) -> Followed:
    with Lake.in_folder(path, settings.time_zone) as lake:
        follower = Follower(settings, lake)
        await follower.run(until_now=True)
    return follower.followed


async def command(settings: Settings, to: str | Path, *options: str, **environment: str) -> Ran:
    place = to if isinstance(to, str) else f"iceberg:{to}"
    arguments = ("analytics", "follow", "--to", place, "--until-now", *options)
    return await carrel(settings, *arguments, **environment)


def catalog(path: Path) -> SqlCatalog:
    return SqlCatalog(NAMESPACE, uri=f"sqlite:///{path / DATABASE}", warehouse=str(path))


def table(path: Path, topic: str) -> Table:
    return catalog(path).load_table((NAMESPACE, view_of(topic)))


async def test_every_sample_of_every_event_is_read_back_from_its_table_as_it_was(
    settings: Settings, tmp_path: Path
) -> None:
    sent = every_sample()
    await publish(settings, [row for kept in sent.values() for row, _ in kept.values()])
    ran = await command(settings, tmp_path, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json()["added"] == sum(map(len, sent.values()))
    for topic, contract in published().items():
        # Read without pyiceberg, which makes null lists of records empty (0.12).
        rows = [
            row
            for task in table(tmp_path, topic).scan().plan_files()
            for row in pq.read_table(task.file.file_path).to_pylist(maps_as_pydicts="strict")
        ]
        read = {row["event_id"]: contract.model_validate(row) for row in rows}
        assert read == {event_id: event for event_id, (_, event) in sent[topic].items()}
    assert ask(tmp_path, "SELECT count(*) FROM events") == [(ran.json()["added"],)]


async def test_repeated_late_and_replayed_events_are_one_row_each_with_the_librarys_day(
    settings: Settings, tmp_path: Path
) -> None:
    rows = loans(30)
    followed = await publish_repeatedly(settings, rows, lambda: follow(settings, tmp_path))
    assert (followed.added.total(), followed.repeated, followed.missed) == (3, 27, 0)
    assert (await follow(settings, tmp_path)).added.total() == 0
    ids = ask(tmp_path, "SELECT event_id FROM loan_checked_out ORDER BY event_id")
    assert [event_id for (event_id,) in ids] == sorted(row["_id"] for row in rows)
    # 15:00 and 16:00 UTC are 23:00 and midnight in Hong Kong.
    kept = table(tmp_path, "loan.checked-out")
    assert kept.scan().to_arrow()["business_day"].to_pylist().count(date(2021, 2, 1)) == 15
    types = {field.name: str(field.field_type) for field in kept.schema().fields}
    assert [types[name] for name in ("due_on", "event_time", "renewals")] == [
        "date",
        "timestamptz",
        "long",
    ]
    ran = await carrel(settings, "analytics", "report", str(tmp_path))
    assert (ran.code, ran.err, "2021-02" in ran.out) == (0, "", True)


@pytest.mark.parametrize(
    ("step", "passes"),
    [("analytics.committed", 1), ("analytics.files", 2), ("analytics.committed", 2)],
)
async def test_a_run_that_is_killed_at_a_step_of_any_table_changes_nothing_in_the_end(
    settings: Settings, tmp_path: Path, step: str, passes: int
) -> None:
    path, armed = tmp_path / "tables", tmp_path / "failpoint"
    [good, bad, *more] = loans(6)
    returned = [recorded(samples.returned(2, f"loan-{at}"), 30 + at) for at in range(4)]
    await publish(settings, [good, *returned[:2]])
    await follow(settings, path)
    # Three tables change: first that of unreadable messages, then those of two topics.
    await publish(settings, [{**bad, "body": b'{"patron": "a name"}'}, *more, *returned])
    armed.write_text(f"{step}:{passes}")
    killed = await command(settings, path, CARREL_FAILPOINT=str(armed))
    assert killed.code != 0
    followed = await follow(settings, path)
    assert (await follow(settings, path)).added.total() == 0
    left = 1 if (step, passes) == ("analytics.committed", 2) else 2
    assert len(followed.added.keys() - {"unreadable"}) == left, "it was not killed at the step"
    assert ask(path, "SELECT count(*), count(DISTINCT event_id) FROM events") == [(9, 9)]
    listed = ask(path, "SELECT event_id, topic, error FROM unreadable")
    assert listed == [(bad["_id"], "loan.checked-out", "ValidationError")]


async def test_a_new_field_is_a_new_column_that_is_null_in_older_rows(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def earlier(topic: str) -> Any:
        now = columns_of(topic)
        at = now.get_field_index("renewals_allowed")
        return now.remove(at) if at >= 0 else now

    [old, new] = loans(2)
    with monkeypatch.context() as changed:
        changed.setattr(iceberg, "columns_of", earlier)
        await publish(settings, [old])
        await follow(settings, tmp_path)
        assert "renewals_allowed" not in table(tmp_path, "loan.checked-out").schema().column_names
    await follow(settings, tmp_path)
    assert ask(tmp_path, "SELECT renewals_allowed FROM loan_checked_out") == [(None,)]
    await publish(settings, [new])
    await follow(settings, tmp_path)
    read = ask(tmp_path, "SELECT event_id, renewals_allowed FROM loan_checked_out ORDER BY 1")
    assert read == [(old["_id"], None), (new["_id"], 5)]
    scanned = table(tmp_path, "loan.checked-out").scan().to_arrow()["renewals_allowed"]
    assert sorted(scanned.to_pylist(), key=str) == [5, None]


async def test_snapshots_of_others_keep_the_offsets_and_a_rollback_takes_them_back(
    settings: Settings, tmp_path: Path
) -> None:
    rows = loans(6)
    await publish(settings, rows[:3])
    await follow(settings, tmp_path)
    before = table(tmp_path, "loan.checked-out").current_snapshot()
    assert before is not None
    await publish(settings, rows[3:])
    await follow(settings, tmp_path)
    # Maintenance writes snapshots without offsets, like this one.
    table(tmp_path, "loan.checked-out").append(
        table(tmp_path, "loan.checked-out").scan().to_arrow().slice(0, 0)
    )
    followed = await follow(settings, tmp_path)
    assert (followed.added.total(), followed.repeated) == (0, 0)
    changed = table(tmp_path, "loan.checked-out")
    changed.manage_snapshots().rollback_to_snapshot(before.snapshot_id).commit()
    assert (await follow(settings, tmp_path)).added.total() == 3
    assert ask(tmp_path, "SELECT count(*), count(DISTINCT event_id) FROM events") == [(6, 6)]


async def test_a_folder_has_one_writer_one_time_zone_and_one_kind_of_tables(
    settings: Settings, tmp_path: Path
) -> None:
    await follow(settings, tmp_path)
    with Lake.in_folder(tmp_path, settings.time_zone):
        ran = await command(settings, tmp_path)
    assert (ran.code, "Another `carrel analytics follow` writes to" in ran.err) == (1, True)
    ran = await command(settings, tmp_path, CARREL_TIME_ZONE="Europe/Berlin")
    assert (ran.code, "not of CARREL_TIME_ZONE" in ran.err) == (1, True)
    ran = await command(settings, str(tmp_path))
    assert (ran.code, "it has tables of Iceberg" in ran.err) == (1, True)
    ran = await command(settings, str(tmp_path / "files"))
    assert ran.code == 0
    ran = await command(settings, tmp_path / "files")
    assert (ran.code, "it has tables without Iceberg" in ran.err) == (1, True)
    (tmp_path / "file").touch()
    ran = await command(settings, tmp_path / "file")
    assert (ran.code, f"{tmp_path}/file can't be written" in ran.err) == (1, True)


async def test_the_later_of_two_writers_to_a_catalogue_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    await publish(settings, loans(3))
    with Lake.in_folder(tmp_path / "first", settings.time_zone):
        pass
    kept = catalog(tmp_path / "first")
    with (
        Lake._opened(kept, settings.time_zone) as one,
        Lake._opened(kept, settings.time_zone) as other,
    ):
        await Follower(settings, one).run(until_now=True)
        with pytest.raises(InUseError):
            await Follower(settings, other).run(until_now=True)
    assert (await follow(settings, tmp_path / "first")).added.total() == 0
    assert ask(tmp_path / "first", "SELECT count(*) FROM loan_checked_out") == [(3,)]


class Rest:
    """The routes of a REST catalogue that the follower uses."""

    def __init__(self, kept: SqlCatalog) -> None:
        self.kept = kept

    async def config(self, request: web.Request) -> web.Response:
        """Answer GET /v1/config."""
        if request.headers.get("Authorization") != "Bearer the-token":
            raise web.HTTPUnauthorized
        return web.json_response({"defaults": {}, "overrides": {}})

    async def make_namespace(self, request: web.Request) -> web.Response:
        """Answer POST /v1/namespaces."""
        body = await request.json()
        self.kept.create_namespace_if_not_exists(tuple(body["namespace"]))
        return web.json_response({"namespace": body["namespace"], "properties": {}})

    async def load(self, request: web.Request) -> web.Response:
        """Answer GET /v1/namespaces/{namespace}/tables/{table}."""
        try:
            return _loaded(self.kept.load_table(_name(request)))
        except NoSuchTableError:
            error = {"message": "no table", "type": "NoSuchTableException", "code": 404}
            return web.json_response({"error": error}, status=404)

    async def make(self, request: web.Request) -> web.Response:
        """Answer POST /v1/namespaces/{namespace}/tables."""
        asked = await request.json()
        made = self.kept.create_table(
            (request.match_info["namespace"], asked["name"]),
            Schema.model_validate(asked["schema"]),
            properties=asked["properties"],
        )
        return _loaded(made)

    async def commit(self, request: web.Request) -> web.Response:
        """Answer POST /v1/namespaces/{namespace}/tables/{table}."""
        asked = CommitTableRequest.model_validate_json(await request.read())
        done: CommitTableResponse = self.kept.commit_table(
            self.kept.load_table(_name(request)), asked.requirements, asked.updates
        )
        return web.Response(
            text=done.model_dump_json(by_alias=True), content_type="application/json"
        )


def _name(request: web.Request) -> tuple[str, str]:
    return request.match_info["namespace"], request.match_info["table"]


def _loaded(found: Table) -> web.Response:
    metadata = found.metadata.model_dump_json(by_alias=True)
    text = f'{{"metadata-location": "{found.metadata_location}", "metadata": {metadata}}}'
    return web.Response(text=text, content_type="application/json")


@pytest.fixture
async def rest(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """The address of a REST catalogue, and the folder of its tables."""
    folder = tmp_path / "warehouse"
    folder.mkdir()
    routes = Rest(catalog(folder))
    app = web.Application()
    app.router.add_get("/v1/config", routes.config)
    app.router.add_post("/v1/namespaces", routes.make_namespace)
    app.router.add_post("/v1/namespaces/{namespace}/tables", routes.make)
    app.router.add_get("/v1/namespaces/{namespace}/tables/{table}", routes.load)
    app.router.add_post("/v1/namespaces/{namespace}/tables/{table}", routes.commit)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/"), folder


async def test_a_rest_catalogue_is_named_by_the_settings_of_pyiceberg(
    settings: Settings, rest: tuple[str, Path]
) -> None:
    address, folder = rest
    await publish(settings, loans(3))
    named = {"PYICEBERG_CATALOG__CITY__URI": address, "PYICEBERG_CATALOG__CITY__TOKEN": "the-token"}
    ran = await command(settings, "catalog:city", "--json", **named)
    assert (ran.code, ran.err) == (0, "")
    assert ran.json()["added"] == 3
    again = await command(settings, "catalog:city", "--json", **named)
    assert (again.json()["added"], again.json()["repeated"]) == (0, 0)
    assert len(table(folder, "loan.checked-out").scan().to_arrow()) == 3


async def test_a_catalogue_that_is_unknown_away_or_closed_is_named(
    settings: Settings, rest: tuple[str, Path]
) -> None:
    ran = await command(settings, "catalog:")
    assert (ran.code, "write a place as iceberg:DIR or catalog:NAME" in ran.err) == (2, True)
    ran = await command(settings, "catalog:city")
    assert (ran.code, "catalog:city can't be written" in ran.err) == (1, True)
    ran = await command(settings, "catalog:city", PYICEBERG_CATALOG__CITY__URI="http://127.0.0.1:9")
    assert (ran.code, "catalog:city can't be written" in ran.err) == (1, True)
    address, _ = rest
    ran = await command(settings, "catalog:city", PYICEBERG_CATALOG__CITY__URI=address)
    assert (ran.code, "catalog:city can't be written" in ran.err) == (1, True)
