"""What an event is: a snapshot of a resource after a change, under the topic of its type."""

from typing import Any, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict, Field

_published: dict[str, type["Event"]] = {}


class Event(BaseModel):
    """The base of every contract.

    A subclass that is published names its topic, the service that publishes it, the field whose
    value is the Kafka key, and the field that identifies the resource:

        class LoanOverdue(LoanSnapshot, topic="loan.overdue", publisher="circulation",
                          key="patron_id", subject="loan_id"): ...

    The payload is the resource's snapshot after the change. `version` counts the changes of that
    resource from 1; a consumer keeps the highest it has seen and ignores older ones. Unknown
    fields are ignored, so that a contract may gain optional fields.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str] = ""
    publisher: ClassVar[str] = ""
    key_field: ClassVar[str] = ""
    subject_field: ClassVar[str] = ""

    version: int = Field(ge=1, description="Counts the changes of the resource, from 1.")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the keywords; they are used once pydantic has collected the fields."""

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        topic: str = "",
        publisher: str = "",
        key: str = "",
        subject: str = "",
        **kwargs: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not topic:
            return
        if topic in _published:
            raise TypeError(f"two contracts claim the topic {topic}")
        missing = {key, subject} - set(cls.model_fields)
        if missing:
            raise TypeError(f"{cls.__name__} lacks the fields {sorted(missing)}")
        cls.topic, cls.publisher, cls.key_field, cls.subject_field = topic, publisher, key, subject
        _published[topic] = cls

    @property
    def key(self) -> str:
        """The Kafka key: events of one key stay in order within their topic."""
        return str(getattr(self, self.key_field))

    @property
    def subject(self) -> str:
        """The id of the resource that changed."""
        return str(getattr(self, self.subject_field))

    def body(self) -> bytes:
        """The payload as plain JSON."""
        return orjson.dumps(self.model_dump(mode="json", by_alias=True))


def published(publisher: str | None = None) -> dict[str, type[Event]]:
    """Every contract by topic, or only those of one publishing service."""
    return {
        topic: contract
        for topic, contract in _published.items()
        if publisher is None or contract.publisher == publisher
    }
