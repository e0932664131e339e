"""A backup taken under load is restored: lost changes are listed, and the system goes on."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ops.commands.restore import KEPT_IN, collection_of
from ops.direct import indexes_of
from ops.infrastructure.child import start_all, stop_all
from ops.infrastructure.processes import System, system
from services.registry import OWNERS
from services.settings import Settings
from shared.contracts import published
from tests import patience
from tests.faults.load import Load
from tests.library import Library
from tests.ops.command import Ran, carrel
from tests.support import patient_client

pytestmark = pytest.mark.embedded

Versions = dict[tuple[str, str], set[int]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("restored")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[System]:
    """A system of this file's own, since its database is replaced."""
    with system(folder, simulation=True, usual_ports=False) as started:
        yield started


async def test_a_restored_system_continues_and_lists_the_lost_changes(
    running: System, library: Library, folder: Path
) -> None:
    branch = await library.branch()
    await library.flow.settle(within=60)  # circulation lends only at branches that it knows
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    [loan] = await library.lend(card, [barcode], branch)
    question = {"subject": "A book that I read as a child", "text": "Who wrote it?"}
    enquiry = (await library.post("/v1/enquiries", question, by=card))["id"]
    async with Load(library, rate=8.0) as load:
        await successes(load, 30, since=0.0)
        await asyncio.to_thread(back_up, running, folder)
        began = time.monotonic()
        await take_back(library, barcode, branch)
        await close(library, branch)
        await answer(library, enquiry)
        await successes(load, 30, since=began)
    await library.flow.settle(within=120)
    before = await published_by(running)

    await asyncio.to_thread(restore, running, folder)
    assert (await finding(running))["level"] == "fail"
    listed = await command(running, "restore", "check", "--json")
    assert listed.code == 1, listed.err
    kept = await published_by(running)
    lost = {event["event_id"] for event in listed.json()["lost"]}
    assert lost == before.keys() - kept.keys()
    lost_topics = {event["topic"] for event in listed.json()["lost"]}
    assert {"loan.returned", "branch.closed", "enquiry.answered"} <= lost_topics
    finished = await command(running, "restore", "finish", "--json")
    assert finished.code == 0, finished.err
    assert {event["event_id"] for event in finished.json()["lost"]} == lost
    repeated = await command(running, "restore", "finish", "--json")
    assert (repeated.code, repeated.json()["lost"]) == (0, []), "they are recorded"

    await asyncio.to_thread(start_all, list(running.processes.values()))
    assert (await library.try_("GET", "/v1/me", by=card))[0] == 401, "sessions have ended"
    await library.log_in_again(card)
    rebuilt = await command(running, "rebuild", "gateway")
    assert rebuilt.code == 0, rebuilt.err
    view = await library.get("/v1/me", by=card)
    assert [one["id"] for one in view["loans"]] == [loan["id"]]
    await take_back(library, barcode, branch)
    await close(library, branch)
    await answer(library, enquiry)
    async with Load(library, rate=8.0) as load:
        await successes(load, 30, since=0.0)
    found = await load.audited(within=120)
    assert found.findings == []
    assert found.counts["events lost before a restore"] == len(lost)

    given = versions([event for key, event in (await published_by(running)).items()])
    gone = versions([event for key, event in before.items() if key in lost])
    for resource in (("loan", loan["id"]), ("branch", branch), ("enquiry", enquiry)):
        assert max(given[resource]) > max(gone[resource]), resource
    # A notification's id is derived from its event, so it is the same again.
    twice = {one for one in given.keys() & gone.keys() if given[one] & gone[one]}
    assert {kind for kind, _ in twice} <= {"notification"}
    assert (await command(running, "restore", "check")).code == 0
    assert (await finding(running))["level"] == "ok"


def test_the_versions_of_every_published_resource_can_be_raised() -> None:
    topics = published()
    assert set(KEPT_IN) <= {*topics, *(topic.partition(".")[0] for topic in topics)}
    for topic, contract in topics.items():
        collection = collection_of(topic)
        assert collection in indexes_of(contract.publisher, Settings()), topic


async def test_nothing_is_changed_while_a_service_still_consumes(
    running: System, library: Library
) -> None:
    await library.branch()
    refused = await command(running, "restore", "finish")
    assert refused.code == 1
    assert "still consumes. Stop all services first." in refused.err


async def successes(load: Load, count: int, *, since: float) -> None:
    """Wait until `count` commands have succeeded since a moment."""
    async with patience.within(180):
        while load.succeeded(since) < count:  # noqa: ASYNC110 - attempts are only counted
            await asyncio.sleep(0.1)


async def take_back(library: Library, barcode: str, branch: str) -> None:
    body = {"barcodes": [barcode], "branch": branch, "channel": "desk"}
    answer = await library.call("POST", "/v1/returns", body, by="staff", within=120)
    assert [result["ok"] for result in answer["results"]] == [True], answer


async def close(library: Library, branch: str) -> None:
    body = {
        "branches": [branch],
        "from": "2021-06-01",
        "reopened_on": "2021-06-03",
        "reason": "A pipe burst",
    }
    await library.call("POST", "/v1/closures", body, by="staff", within=120)


async def answer(library: Library, enquiry: str) -> None:
    path = f"/v1/enquiries/{enquiry}"
    seen = (await library.get(path, by="staff"))["version"]
    body = {"text": "Which words do you remember?", "seen": seen}
    await library.call("POST", f"{path}/answers", body, by="staff", within=120)


def back_up(running: System, folder: Path) -> None:
    """Copy the database's files at one instant, like a file system snapshot."""
    mongod = running.infrastructure.mongod
    assert mongod
    mongod.suspend()
    try:
        shutil.copytree(folder / "mongo", folder / "backup")
    finally:
        mongod.resume()


def restore(running: System, folder: Path) -> None:
    """Stop the services, and replace the database by the backup."""
    stop_all(list(running.processes.values()))
    mongod = running.infrastructure.mongod
    assert mongod
    mongod.stop()
    shutil.rmtree(folder / "mongo")
    shutil.copytree(folder / "backup", folder / "mongo")
    mongod.start()


async def command(running: System, *arguments: str) -> Ran:
    return await carrel(running.settings(Settings), *arguments, **running.environment)


async def finding(running: System) -> dict[str, Any]:
    """Return the finding of `carrel doctor` about topics and outboxes."""
    report = (await command(running, "doctor", "--json")).json()
    [found] = [f for f in report["findings"] if f["check"] == "topics and outboxes"]
    return dict(found)


async def published_by(running: System) -> dict[str, dict[str, Any]]:
    """Return topic, subject and version of each event in the outboxes, by event id."""
    settings = running.settings(Settings)
    client = patient_client(settings.mongo_url)
    found = {}
    try:
        for service in OWNERS:
            outbox = client[f"{settings.database_prefix}_{service}"].outbox
            async for row in outbox.find({}):
                found[row["_id"]] = {
                    "topic": row["topic"],
                    "key": row["key"],
                    "subject": row["headers"]["ce_subject"],
                    "version": orjson.loads(row["body"])["version"],
                }
    finally:
        client.close()
    return found


def versions(events: list[dict[str, Any]]) -> Versions:
    """Return the published versions of each resource."""
    found: Versions = {}
    for event in events:
        word = event["topic"].partition(".")[0]
        kind = "activity" if word == "recording" else word
        found.setdefault((kind, event["subject"]), set()).add(event["version"])
    return found
