"""The topics of the system: their names, their settings, and their creation on the broker."""

from collections.abc import Collection, Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.bus.connection import client_arguments
from shared.contracts import published
from shared.names import Names
from shared.settings import Settings

DEAD_LETTER_BYTES = 16 * 1024 * 1024
"""The largest dead letter."""


def dead_letter_topic(service: str) -> str:
    """Return the topic in which a service keeps its dead letters."""
    return f"dead-letter.{service}"


def all_topics(services: Iterable[str]) -> list[str]:
    """Return every event type, and the dead-letter topics of these services."""
    return [*published(), *(dead_letter_topic(service) for service in services)]


def declared_topics(
    settings: Settings, services: Iterable[str], events: Collection[str] | None = None
) -> list[NewTopic]:
    """Return the topics with the settings to create them with; existing topics keep theirs.

    They are those of `events`, by default every event type, and the services' dead-letter topics.
    """
    names = Names(settings.topic_prefix)
    safe = {
        "min.insync.replicas": "2" if settings.replication >= 3 else "1",
        # An event has the time of its recording. Kafka 4 refuses one more than an hour ahead, and a
        # service whose clock was wrong could publish nothing until that time came.
        "message.timestamp.after.max.ms": str(2**63 - 1),
    }
    of_events = {**safe, "retention.ms": str(settings.retention_days * 86_400_000)}
    # A dead letter waits for a person without limit, and is larger than its message was.
    dead_letters = {**safe, "retention.ms": "-1", "max.message.bytes": str(DEAD_LETTER_BYTES)}
    return [
        NewTopic(
            names.on_kafka(topic),
            num_partitions=settings.partitions,
            replication_factor=settings.replication,
            topic_configs=of_events if topic in published() else dead_letters,
        )
        for topic in all_topics(services)
        if events is None or topic in events or topic not in published()
    ]


async def ensure_topics(
    settings: Settings, services: Iterable[str], events: Collection[str] | None = None
) -> list[str]:
    """Create the missing of `declared_topics`; return which. Other processes may do so at once.

    Raises KafkaError if the broker refuses a topic, for example with too few brokers for its
    replicas, or to a user who may not create or even see it.
    """
    declared = declared_topics(settings, services, events)
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in declared if topic.name not in existing]
        if missing:
            answer = await admin.create_topics(missing)
            # The broker refuses each topic separately, and aiokafka raises nothing by itself.
            for topic, code, *reason in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise for_code(code)(f"{topic}: {reason[0] if reason else 'refused'}")
        return [topic.name for topic in missing]
    finally:
        await admin.close()
