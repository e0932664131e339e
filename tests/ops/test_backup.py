"""A drill: a day of a library is cut at three places, and its backup restored."""

import asyncio
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from pymongo import MongoClient

from ops.audit.system import audit
from ops.backups import archive
from ops.infrastructure.child import start_all, stop_all
from ops.infrastructure.processes import System, system
from services.registry import NAMES
from services.settings import Settings
from tests.faults.load import Load
from tests.library import PIN, Library
from tests.ops.command import Ran, carrel
from tests.ops.test_restore import answer, close, finding, published_by, successes, take_back

log = structlog.get_logger()
pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drill")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[System]:
    """A system of this file's own, since its databases are dropped."""
    with system(folder, simulation=True, usual_ports=False) as started:
        yield started


@pytest.fixture(scope="module")
def identity(folder: Path) -> tuple[Path, str]:
    """The file of a private key, and the public key."""
    private, public = archive.new_identity()
    file = folder / "backup.key"
    file.write_text(f"# public key: {public}\n{private}\n")
    return file, public


@dataclass
class Day:
    """A day of a library, with what its backup has and what follows."""

    library: Library
    branch: str = ""
    card: str = ""
    barcode: str = ""
    loan: str = ""
    enquiry: str = ""
    leaver: str = ""
    leavers_card: str = ""
    leavers_barcode: str = ""
    backup: Path = Path()
    taken: float = 0.0
    before: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def begin(self) -> None:
        library = self.library
        self.branch = await library.branch()
        await library.flow.settle(within=60)  # circulation lends only at branches that it knows
        self.card = await library.patron(self.branch)
        self.leavers_card = await library.patron(self.branch)
        me = await library.get("/v1/me", by=self.leavers_card)
        self.leaver = me["patron"]["id"]
        self.barcode, self.leavers_barcode = await library.copies(self.branch, 2)
        await library.lend(self.leavers_card, [self.leavers_barcode], self.branch)
        [loan] = await library.lend(self.card, [self.barcode], self.branch)
        self.loan = loan["id"]
        question = {"subject": "A book that I read as a child", "text": "Who wrote it?"}
        self.enquiry = (await library.post("/v1/enquiries", question, by=self.card))["id"]

    async def go_on(self) -> None:
        """Change what the backup has: a return, a closure, an answer and an erasure."""
        await take_back(self.library, self.barcode, self.branch)
        await close(self.library, self.branch)
        await answer(self.library, self.enquiry)
        await self.library.settle(self.leavers_card, self.branch)
        await self.library.call("DELETE", f"/v1/patrons/{self.leaver}", by="staff")


@pytest.mark.parametrize("cut", ["at once", "events waiting", "broker too"])
async def test_a_day_is_cut_and_its_backup_restored(
    running: System, library: Library, folder: Path, identity: tuple[Path, str], cut: str
) -> None:
    settings = running.settings(Settings)
    key, recipient = identity
    client: MongoClient[dict[str, Any]] = MongoClient(settings.mongo_url)
    day = Day(library)
    await library.log_in_again()  # the restore before has ended the sessions of staff
    await day.begin()
    broker = running.infrastructure.broker
    assert broker is not None
    under_load = Load(library, rate=20.0) if cut == "at once" else nullcontext()
    async with under_load as load:
        if load:
            await successes(load, 10, since=0.0)
        if cut == "events waiting":  # in outboxes, and for a consumer, as the backup is taken
            running.process("notices").kill()
            broker.suspend()
        await library.lend(day.card, await library.copies(day.branch, 1), day.branch)
        to = str(folder / "backups")
        ran = await command(
            running, "backup", "take", "--to", to, "--recipient", recipient, "--json"
        )
        assert ran.code == 0, ran.err
        if cut == "events waiting":
            broker.resume()
            await asyncio.to_thread(running.process("notices").start)
        day.taken, day.backup = time.monotonic(), Path(ran.json()["folder"])
        await day.go_on()
        if load:
            await successes(load, 10, since=day.taken)
    await library.flow.settle(within=60)
    before = await published_by(running)
    cut_at = time.monotonic()
    if cut == "broker too":
        for child in (*running.processes.values(), broker):
            child.kill()
        shutil.rmtree(folder / "kafka")
        (folder / "kafka").mkdir()
        await asyncio.to_thread(broker.start)
    else:  # in order: this broker never drops a member that was killed
        await asyncio.to_thread(stop_all, list(running.processes.values()))
    if cut == "at once":
        full = await command(running, "restore", "from", str(day.backup), "--identity", str(key))
        assert (full.code, "has data already" in full.err) == (1, True), full.err
        assert "dropDatabase()" in full.err
    for name in NAMES:
        client.drop_database(f"{settings.database_prefix}_{name}")
    again_from = ("restore", "from", str(day.backup), "--identity", str(key), "--json")
    if cut == "events waiting":
        armed = folder / "failpoint"
        armed.write_text("restore.protected:1")
        environment = {**running.environment, "CARREL_FAILPOINT": str(armed)}
        killed = await carrel(settings, *again_from, **environment)
        assert killed.code == -signal.SIGKILL, killed.err
    restored = await command(running, *again_from)
    assert restored.code == 0, restored.err
    told = restored.json()
    lost = [event for events in told["lost_by_patron"].values() for event in events]
    kept = await published_by(running)
    if cut == "broker too":
        assert (lost, told["erased"]) == ([], []), "nothing tells of them any more"
        assert "topics do not reach back" in told["warning"]
    else:
        assert {event["event_id"] for event in lost} == before.keys() - kept.keys()
        of_reader = {
            event["topic"] for event in told["lost_by_patron"][str(patron_of(before, day.loan))]
        }
        assert {"loan.returned", "enquiry.answered"} <= of_reader
        assert "branch.closed" in {event["topic"] for event in told["lost_by_patron"][""]}
        assert (told["erased"], told["warning"]) == ([day.leaver], "")
        accounts = client[f"{settings.database_prefix}_accounts"]
        assert accounts.cardholders.count_documents({"_id": day.leaver}) == 0
    client.close()

    old = dict(library.tokens)
    await asyncio.to_thread(start_all, list(running.processes.values()))
    async with Library(running) as again:
        await again.log_in_again(day.card)
        view = await again.get("/v1/me", by=day.card)
        recovered = time.monotonic() - cut_at
        assert day.loan in [one["id"] for one in view["loans"]]
        again.tokens["former"] = old[day.card]
        assert (await again.try_("GET", "/v1/me", by="former"))[0] == 401
        log_in = {"card_number": day.leavers_card, "pin": PIN}
        status, _ = await again.try_("POST", "/v1/sessions", log_in)
        assert status == (200 if cut == "broker too" else 401)
        for barcode in (day.barcode, day.leavers_barcode):
            await take_back(again, barcode, day.branch)
        await close(again, day.branch)
        await answer(again, day.enquiry)
        await again.lend(day.card, [day.barcode], day.branch)
        await again.flow.settle(within=60)
        assert (await audit(settings)).findings == []
        assert (await finding(running))["level"] == "ok"
    times = {"since the backup": cut_at - day.taken, "until an account is shown": recovered}
    log.info("drill", cut=cut, lost=len(lost), restore=told["seconds"], **times)


def patron_of(events: dict[str, dict[str, Any]], loan: str) -> Any:
    """Return the key of the events of a loan."""
    return next(event["key"] for event in events.values() if event["subject"] == loan)


async def command(running: System, *arguments: str) -> Ran:
    return await carrel(running.settings(Settings), *arguments, **running.environment)
