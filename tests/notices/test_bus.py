"""The path from the API to the inbox and back to the bus, through a real broker."""

from typing import Any

from aiokafka import AIOKafkaProducer

from services.notices.app import create_app
from services.notices.settings import Settings
from services.registry import NAMES
from shared.bus.topics import ensure_topics
from tests.notices.library import close, inbox, prefers, register, reopening
from tests.support import served, until


async def test_a_reopening_event_on_kafka_notifies_a_follower(
    settings: Settings, kafka: str
) -> None:
    on_bus = settings.model_copy(update={"kafka": kafka, "roles": ("api", "consumers", "relay")})
    await ensure_topics(on_bus, NAMES)
    chosen = prefers("p", 1, ("TPO",))
    headers = [("ce_id", b"e-1"), ("ce_time", b"2021-02-01T10:00:00Z")]
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(
            chosen.topic, chosen.body(), key=chosen.key.encode(), headers=headers
        )
    async with served(create_app, on_bus) as api:
        await register(api)
        closed = await close(api, "2020-12-09T18:00:00+08:00", kinds=["district"], **FROM)
        announced = await reopening(
            api, closed.json()["id"], "2021-02-17T16:00:00+08:00", reopened_on="2021-02-19"
        )
        assert announced.status == 200

        async def told() -> Any:
            return await inbox(api, "p")

        (item,) = await until(told, within=30)
        assert item["text"] == "Tai Po Public Library reopens on 19 February 2021."
        assert item["at"] == "2021-02-17T08:00:00Z"
        ready = await api.operations("/health/ready")
        assert ready.status == 200, ready.body


FROM = {"from": "2020-12-10"}
