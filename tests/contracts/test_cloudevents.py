"""Messages on the topics are valid CloudEvents 1.0 for the CloudEvents SDK."""

from urllib.parse import urlsplit

import jsonschema_rs
import orjson
import pytest
from aiokafka import ConsumerRecord
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from ops.broker.offsets import Positions
from ops.commands.contracts import FOLDER, kept_in
from services.notices.messages.consumers import subscriptions
from services.settings import Settings
from shared.contracts import contract_name, published, schema_uri
from shared.ids import new_id
from tests.contracts.test_samples import samples_of
from tests.library import Library

TOPIC = "patron.registered"


async def test_messages_on_the_topics_are_cloudevents_of_their_contracts(library: Library) -> None:
    branch = await library.branch()
    await library.flow.settle(within=60)  # circulation lends only at branches it has heard of
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    await library.lend(card, [barcode], branch)
    await library.take_back([barcode], branch)
    await library.activity(places=3)
    await library.flow.settle(within=60)

    schemas = kept_in(FOLDER)
    seen = set()
    async with Positions(library.system.settings(Settings)) as positions:
        for topic, contract in published().items():
            async for record in positions.records(topic):
                message = KafkaMessage(dict(record.headers), record.key, record.value or b"")
                event = from_binary(message, JSONFormat(), CloudEvent)
                assert event.get_specversion() == "1.0"
                assert event.get_type() == topic
                assert event.get_datacontenttype() == "application/json"
                assert event.get_source() == f"/services/{contract.publisher}"
                assert event.get_dataschema() == schema_uri(topic)
                payload = event.get_data()
                assert isinstance(payload, dict)
                assert event.get_subject() == str(payload[schemas[topic]["x-subject"]])
                assert event.get_extension("partitionkey") == str(payload[schemas[topic]["x-key"]])
                jsonschema_rs.validate(schemas[topic], payload)
                seen.add(topic)
    assert {"branch.registered", "patron.registered", "loan.returned", "activity.published"} <= seen


def test_a_contract_is_named_by_an_absolute_uri() -> None:
    for topic in published():
        assert urlsplit(schema_uri(topic)).scheme == "urn"
        assert schema_uri(topic).endswith(f":{contract_name(topic)}")


@pytest.mark.parametrize("dataschema", [schema_uri(TOPIC), contract_name(TOPIC)])
def test_events_with_either_form_of_the_schema_uri_are_read(dataschema: str) -> None:
    event, _, _ = subscriptions.read(told(dataschema))
    assert event.key == samples_of(TOPIC)[-1]["patron_id"]


@pytest.mark.parametrize("dataschema", [schema_uri(f"{TOPIC}.v2"), f"{TOPIC}.v2"])
def test_an_event_of_an_unknown_later_version_is_faulty(dataschema: str) -> None:
    with pytest.raises(ValueError, match="another type or version"):
        subscriptions.read(told(dataschema))


def told(dataschema: str) -> ConsumerRecord[bytes, bytes]:
    """A message as a consumer reads it from its topic."""
    headers = {
        "ce_id": new_id(),
        "ce_type": TOPIC,
        "ce_time": "2021-03-08T02:15:00Z",
        "ce_dataschema": dataschema,
    }
    return ConsumerRecord(
        topic=TOPIC,
        partition=0,
        offset=0,
        timestamp=0,
        timestamp_type=0,
        key=b"patron",
        value=orjson.dumps(samples_of(TOPIC)[-1]),
        checksum=None,
        serialized_key_size=6,
        serialized_value_size=0,
        headers=[(name, value.encode()) for name, value in headers.items()],
    )
