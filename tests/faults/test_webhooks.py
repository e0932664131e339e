"""kill -9 between sending a message and noting that: at most one repeat, with the same id."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from ops.audit.system import audit
from ops.infrastructure.processes import System
from services.settings import Settings
from tests.conftest import BROKER
from tests.device import ENVIRONMENT, Device
from tests.faults.kills import armable, doomed
from tests.faults.report import record
from tests.library import Library
from tests.receiver import Receiver, receiving
from tests.support import patient_client, until
from tests.systems import started_system

pytestmark = pytest.mark.embedded

REPLICAS = {"notices": 2}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with two replicas of notices."""

    def environment(folder: Path) -> dict[str, dict[str, str]]:
        return {**armable(folder, REPLICAS), **ENVIRONMENT}

    with started_system(
        tmp_path_factory, broker=BROKER, environment=environment, replicas=REPLICAS
    ) as started:
        yield started


@dataclass(frozen=True)
class Way:
    """A way in which messages leave."""

    name: str
    collection: str
    failpoint: str
    same: str
    """The name of what is the same in a repeated message."""


WEBHOOK = Way("a webhook message", "webhook_messages", "webhook.sent", "webhook-id")
DEVICE = Way("a message to a device", "push_messages", "push.sent", "tag")


@pytest.mark.parametrize("way", [WEBHOOK, DEVICE], ids=lambda way: way.collection)
async def test_a_kill_between_sending_and_noting_leads_to_one_repeat(
    running: System, library: Library, way: Way
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    client = patient_client(running.settings(Settings).mongo_url)
    try:
        async with receiving(Receiver()) as receiver:
            webhook = {"url": receiver.url, "topics": ["enquiry.answered"]}
            device = Device(f"http://127.0.0.1:{receiver.port}/push")
            if way is WEBHOOK:
                added = await library.post("/v1/webhooks", webhook, by="staff")
            else:
                await library.post("/v1/me/push-subscriptions", device.subscription, by=card)
            question = {"subject": "Old maps", "text": "Where are they?"}
            asked = await library.post("/v1/enquiries", question, by=card)
            await library.flow.settle(within=60)
            prefix = running.settings(Settings).database_prefix
            messages = client[f"{prefix}_notices"][way.collection]

            async def sent() -> bool:
                return bool(await messages.count_documents({"state": "sent"}))

            processes = [running.process("notices", replica) for replica in range(2)]
            async with doomed(processes, way.failpoint, 1) as death:
                answer = {"text": "In the map room.", "seen": 1}
                await library.post(f"/v1/enquiries/{asked['id']}/answers", answer, by="staff")
            [message] = [one async for one in messages.find()]
            assert message["state"] == "waiting"
            # The time of the try ends.
            early = {"next_at": message["queued_at"]}
            await messages.update_one({"_id": message["_id"]}, {"$set": early})
            await until(sent)
            await library.flow.settle(within=60)
            if way is WEBHOOK:
                await library.call("DELETE", f"/v1/webhooks/{added['id']}", by="staff")
    finally:
        client.close()

    found = await audit(running.settings(Settings))
    record(
        f"kill -9 between sending {way.name} and noting that",
        running,
        invariant=f"at most one repeat, with the same `{way.same}`",
        found=found,
        recovery=death.result().away,
    )
    assert found.findings == []
    if way is WEBHOOK:
        assert receiver.ids == [message["_id"]] * 2
        for request in receiver.requests:
            Webhook(added["secret"]).verify(request.content, request.headers)
    else:
        tags = [device.read(request.content)["tag"] for request in receiver.requests]
        assert tags == [message["notification_id"]] * 2
