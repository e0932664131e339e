"""Each benchmark still measures what it says, in small. Nothing here looks at the times."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks import (
    at_rest,
    city,
    closure_sweep,
    desk,
    event_throughput,
    growth,
    guessing,
    handlers,
    hot_paths,
    marc_import,
    overview,
    pages,
    pushes,
    search,
    secured_commands,
)
from ops.infrastructure.embedded import Infrastructure, embedded
from ops.infrastructure.processes import System
from services.notices.settings import Settings
from tests.patience import stretched
from tests.systems import started_system


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with started_system(tmp_path_factory, replicas={"gateway": 2}) as system:
        yield system


@pytest.fixture
def infrastructure(tmp_path: Path) -> Iterator[Infrastructure]:
    """Start a database and a broker without any topic."""
    with embedded(tmp_path / "infrastructure", mongo_port=None, kafka_port=None) as found:
        yield found


def settings_for(infrastructure: Infrastructure) -> Settings:
    return Settings(mongo_url=infrastructure.mongo_url, kafka=infrastructure.kafka, partitions=3)


def shrink(monkeypatch: pytest.MonkeyPatch, module: ModuleType, **sizes: Any) -> None:
    for name, value in sizes.items():
        assert hasattr(module, name)
        monkeypatch.setattr(module, name, value)


async def test_desk(running: System, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, desk, TITLES=4, PATRONS=4, WARM_UP=2, COMMANDS={1: 4, 4: 8})
    found = await desk.measure(running)
    assert set(found) == {
        "check-out, 1",
        "return, 1",
        "check-out, 4",
        "return, 4",
        "return by titles, 4",
    }
    assert all(figures["processor_ms"] >= 0 for figures in found.values())


async def test_pages(running: System, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, pages, LOANS=6, SECONDS=2)
    shrink(monkeypatch, city, LEAST_PATRONS=10)
    found = await pages.measure(running, 10.0, 1)
    assert len(found) == 4
    assert set(found["desk, alone (ms)"]["each: p50, greatest"]) > set(pages.PAGES)
    assert set(found["patron, beside the city (ms)"]["each: p50, greatest"]) > set(
        pages.PATRON_PAGES
    )


async def test_city(running: System, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of 40 copies half are on loan, so that no order of 20 commands lacks a copy.
    shrink(monkeypatch, city, LEAST_PATRONS=10)
    found = await city.measure(running, [10.0], 2.0, overload=0.5)
    assert [figures["rate"] for figures in found] == [10.0, 5.0]
    assert sum(found[0]["outcomes"].values()) == 20 * (1 + city.LOOKS)
    assert set(found[0]["outcomes"]) <= {"200", "201"}


async def test_hot_paths(running: System, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, hot_paths, ROUNDS=1, CALLS=8, LENT=8, EVENTS=3)
    found = await hot_paths.measure(running)
    assert set(found["paths"]) == {
        "GET /v1/me",
        "POST /v1/checkouts",
        "POST /v1/checkouts, lean",
        "answer to event",
    }


async def test_secured_commands(running: System) -> None:
    """A system is compared with itself; no test starts two, one of them on secured servers."""
    found = await secured_commands.measure(running, running, rounds=1, commands=2)
    assert all(found[kind]["plain_processor_ms"] >= 0 for kind in ("check-out", "return"))


async def test_pushes(running: System, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, pushes, COMMITS=4, OTHERS=8, EACH=4, PATIENCE=stretched(30))
    assert len(await pushes.measure(running)) == 12


def test_at_rest(running: System, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, at_rest, CALM_SECONDS=0)
    found = at_rest.measure(running, 0.5)
    assert found["megabytes"]["all"] > found["megabytes"]["mongod"] > 0


async def test_growth(running: System, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, growth, COMMANDS=4, WARM_UP=1, FEW_PATRONS=10)
    assert len(await growth.measure(running, 2_000, 100)) == 4


async def test_event_throughput(
    infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, event_throughput, ROUNDS=1)
    found = await event_throughput.measure(settings_for(infrastructure), 1_000)
    assert found["batches_per_second"] > 0


async def test_handlers(infrastructure: Infrastructure, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, handlers, ROUNDS=1)
    found = await handlers.measure(infrastructure, settings_for(infrastructure), 10)
    assert len(found) == 1 + len(handlers.CASES)


async def test_closure_sweep(
    infrastructure: Infrastructure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch, closure_sweep, QUIET=0.5, PATIENCE=60.0)
    [found] = await closure_sweep.run((20,), infrastructure.mongo_url, tmp_path)
    assert found["loans"] == 20


def test_overview(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shrink(monkeypatch, overview, LOANS=(0, 2), ROUNDS=1, SECONDS=0.2, ACCOUNTS=2)
    monkeypatch.setattr(sys, "argv", ["overview", "--views", "20"])
    overview.main()
    assert "2 loans, 32 callers: " in capsys.readouterr().out


async def test_guessing(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    shrink(monkeypatch, guessing, ROUNDS=1, LOG_INS=2, OWNERS=2)
    monkeypatch.setattr(guessing, "say", said.append)
    await guessing.main(cards=20, addresses=2, hours=1)
    assert any("owners refused: 0 of 4" in line for line in said)


def test_marc_import(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["marc_import", "--records", "30", "--repeat", "--export"]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(marc_import, "VARIED", 10)
    marc_import.main()
    printed = capsys.readouterr().out
    assert all(f"{name}: seconds" in printed for name in ("import", "repeat", "export"))


async def test_search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shrink(monkeypatch, search, SEARCHES=8, AT_ONCE=20)
    found = await search.measure(tmp_path, 60)
    assert found["searches"] == 16
    assert found["found_most"] > 0
