"""kill -9 between sending an e-mail and noting that: at most one repeat, with the same id."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ops.audit.system import audit
from ops.infrastructure import ports
from ops.infrastructure.processes import System
from services.settings import Settings
from shared.clock import wall_clock
from tests.conftest import BROKER
from tests.faults.kills import armable, doomed
from tests.faults.report import record
from tests.library import Library
from tests.mail_server import MailServer, listening
from tests.support import patient_client, until
from tests.systems import started_system

pytestmark = pytest.mark.embedded

REPLICAS = {"notices": 2}


@pytest.fixture(scope="module")
def mail_port() -> Iterator[int]:
    port = ports.reserve()
    yield port
    ports.release(port)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, mail_port: int) -> Iterator[System]:
    """A system with two replicas of notices that send e-mail to the test's own server."""
    half_a_day_on = (wall_clock() + timedelta(hours=12)).astimezone(Settings().zone)
    mail = {
        "CARREL_SMTP_HOST": "127.0.0.1",
        "CARREL_SMTP_PORT": str(mail_port),
        "CARREL_SMTP_SECURITY": "none",
        "CARREL_MAIL_FROM": "library@example.org",
        "CARREL_DIGEST_AT": f"{half_a_day_on:%H:%M}",
        "CARREL_PUBLIC_URL": "https://library.example.org",
    }

    def environment(folder: Path) -> dict[str, dict[str, str]]:
        return {**armable(folder, REPLICAS), "notices": mail}

    with started_system(
        tmp_path_factory, broker=BROKER, environment=environment, replicas=REPLICAS
    ) as started:
        yield started


@pytest.fixture
async def server(mail_port: int) -> AsyncIterator[MailServer]:
    async with listening(MailServer(port=mail_port)) as server:
        yield server


@pytest.mark.parametrize("digest", [False, True], ids=["one", "digest"])
async def test_a_kill_between_sending_and_noting_leads_to_one_repeat(
    running: System, library: Library, server: MailServer, *, digest: bool
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    patron = (await library.get("/v1/me", by=card))["patron"]["id"]
    contact = {"contact": {"email": "reader@example.org"}}
    await library.call("PATCH", f"/v1/patrons/{patron}", contact, by="staff")
    chosen = {"channels": ["email"], "digest": digest}
    await library.call("PATCH", "/v1/me/preferences", chosen, by=card)
    await library.flow.settle(within=60)

    async def ask() -> None:
        question = {"subject": "Old maps", "text": "Where are they?"}
        asked = await library.post("/v1/enquiries", question, by=card)
        answer = {"text": "In the map room.", "seen": 1}
        await library.post(f"/v1/enquiries/{asked['id']}/answers", answer, by="staff")

    client = patient_client(running.settings(Settings).mongo_url)
    try:
        prefix = running.settings(Settings).database_prefix
        deliveries = client[f"{prefix}_notices"].deliveries
        alerts = {"patron_id": patron, "state": "sent"}
        alert = (await until(lambda: deliveries.find_one(alerts)))["_id"]  # of the new address
        mine = {
            "patron_id": patron,
            "kind": "digest" if digest else {"$ne": "digest"},
            "_id": {"$ne": alert},
        }

        async def sent() -> bool:
            ended = {"patron_id": patron, "state": "sent", "_id": {"$ne": alert}}
            return await deliveries.count_documents(ended) == (2 if digest else 1)

        async def held() -> bool:
            return bool(await deliveries.count_documents({"patron_id": patron, "state": "held"}))

        processes = [running.process("notices", replica) for replica in range(2)]
        if digest:
            await ask()
            await until(held)
        async with doomed(processes, "delivery.sent", 1) as death:
            if digest:  # the time of the e-mail comes
                await deliveries.update_one(mine, [{"$set": {"next_at": "$$NOW"}}])
            else:
                await ask()
        [delivery] = [one async for one in deliveries.find(mine)]
        assert delivery["state"] == "waiting"
        # The time of the try ends.
        early: list[dict[str, Any]] = [{"$set": {"next_at": "$$NOW"}}]
        await deliveries.update_one({"_id": delivery["_id"]}, early)
        await until(sent)
        await library.flow.settle(within=60)
    finally:
        client.close()

    found = await audit(running.settings(Settings))
    record(
        f"kill -9 between sending {'a digest' if digest else 'an e-mail'} and noting that",
        running,
        invariant="at most one repeat, with the same Message-ID",
        found=found,
        recovery=death.result().away,
    )
    assert found.findings == []
    assert server.recipients[1:] == ["reader@example.org"] * 2
    assert len(set(server.message_ids[1:])) == 1
