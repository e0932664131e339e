"""The table of a bad night in the runbook, played: what is seen, what is done, and how it ends."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from ops.infrastructure.child import StartFailed, start_all, stop_all
from ops.infrastructure.processes import System, system
from services.registry import NAMES
from services.settings import Settings
from tests.library import Library
from tests.ops.command import Ran, carrel
from tests.poison import POISONS, send_all
from tests.support import until

PAGE = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
[TABLE] = re.findall(r"^## A bad night\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
NIGHTS = {
    night: cells
    for night, *cells in (
        line.strip("| ").split(" | ") for line in re.findall(r"^\| .*", TABLE, re.MULTILINE)[1:]
    )
}
"""The cells of each night: seen, done, over."""

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("night")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[System]:
    """A system of this file's own, since its databases are dropped."""
    with system(folder / "data", simulation=True, usual_ports=False) as started:
        yield started


@dataclass(frozen=True)
class Night:
    """A row of the table, with the words of its commands that stand for places."""

    name: str
    running: System
    places: tuple[tuple[str, str], ...] = ()

    async def is_seen(self) -> None:
        await self._shows(NIGHTS[self.name][0])

    async def is_over(self) -> None:
        await self._shows(NIGHTS[self.name][2])

    async def act(self) -> None:
        """Run the first command that the table says."""
        ran = await self._run(re.findall(r"`carrel ([^`]+)`", NIGHTS[self.name][1])[0])
        assert ran.code == 0, ran.err

    async def _shows(self, cell: str) -> None:
        """Wait until each command of a cell prints its text, or exits as the cell says."""
        expected = re.findall(r"`carrel ([^`]+)`: (?:`([^`]+)`|exit (\d))", cell)
        assert expected
        for command, text, code in expected:

            async def is_true(command: str = command, text: str = text, code: str = code) -> bool:
                ran = await self._run(command)
                said = " ".join(f"{ran.out} {ran.err}".split())
                return ran.code == int(code) if code else text in said

            await until(is_true, within=150, every=0.5)

    async def _run(self, command: str) -> Ran:
        for word, place in self.places:
            command = command.replace(word, place)
        settings = self.running.settings(Settings)
        return await carrel(settings, *command.split(), **self.running.environment)


def test_the_table_has_five_nights() -> None:
    played = {"a replica died", "a dead letter", "a wrong key", "databases are lost"}
    assert NIGHTS.keys() - {"---"} - played == {"a full disk"}


async def test_a_replica_dies(running: System) -> None:
    night = Night("a replica died", running)
    await asyncio.to_thread(running.process("events").kill)
    await night.is_seen()
    await asyncio.to_thread(running.process("events").start)
    await night.is_over()


async def test_a_dead_letter_is_discarded(running: System, library: Library) -> None:
    await library.branch()
    night = Night("a dead letter", running)
    wrong = [poison for poison in POISONS if poison.name == "wrong schema"]
    await send_all(running.settings(Settings), poisons=wrong)
    await night.is_seen()
    await library.flow.settle(within=60)  # every service has its dead letter
    await night.act()
    await night.is_over()


async def test_a_service_has_a_wrong_key(running: System) -> None:
    night = Night("a wrong key", running)
    accounts = running.process("accounts")
    await asyncio.to_thread(accounts.stop)
    other = {**accounts.environment, "CARREL_CARD_KEY": "the key of another library's cards"}
    [said] = re.findall(r"its log: `([^`]+)`", NIGHTS[night.name][0])
    with pytest.raises(StartFailed, match=said):
        await asyncio.to_thread(replace(accounts, environment=other).start)
    await night.is_seen()
    await asyncio.to_thread(accounts.start)
    await night.is_over()


async def test_lost_databases_are_restored(running: System, library: Library, folder: Path) -> None:
    branch = await library.branch()
    await library.flow.settle(within=60)
    card = await library.patron(branch)
    key, backups = folder / "backup.key", folder / "backups"
    public = (await Night("", running)._run(f"backup key {key}")).out.strip()
    take = f"backup take --to {backups} --recipient {public}"
    assert (await Night("", running)._run(take)).code == 0
    [backup] = backups.iterdir()
    places = (("FOLDER", str(backup)), ("backup.key", str(key)))
    night = Night("databases are lost", running, places)
    processes = list(running.processes.values())
    await asyncio.to_thread(drop, running)
    await night.is_seen()
    await asyncio.to_thread(stop_all, processes)
    await asyncio.to_thread(drop, running)  # what the services have made since
    await night.act()
    await asyncio.to_thread(start_all, processes)
    await night.is_over()
    async with Library(running) as again:
        await again.log_in_again(card)
        assert (await again.get("/v1/me", by=card))["loans"] == []


def drop(running: System) -> None:
    settings = running.settings(Settings)
    with MongoClient[Any](settings.mongo_url) as client:
        for name in NAMES:
            client.drop_database(f"{settings.database_prefix}_{name}")
