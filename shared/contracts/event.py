"""The base of all events: a snapshot of a resource after a change, with a topic for each type."""

import re
from datetime import date
from typing import Annotated, Any, ClassVar, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.clock import bounded

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
"""Id of a resource, safe as a part of a path and as the name of a field."""
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,40}$")]
"""Code of a branch or a kind, such as `adult`; empty after erasure."""
Short = Annotated[str, Field(max_length=200)]
"""A name, a number as people write it, or a reference."""
Text = Annotated[str, Field(max_length=2_000)]
"""A title, a reason or a sentence."""
Cents = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""The amount of one charge."""
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
"""A number of things, or an ordinal."""

_published: dict[str, type["Event"]] = {}


def dollars(cents: int) -> str:
    """Format an amount of cents as people write it: `$13.50`, `-$1.50`."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}${whole:,}.{rest:02d}"


FIRST_VERSION = ".v1"
_LATER_VERSION = re.compile(r"\.v[0-9]+$")


def contract_name(topic: str) -> str:
    """Return the name of a topic's contract, which has its version.

    A change that would break consumers needs a topic of its own, whose name has the version:
    `loan.overdue.v2` beside `loan.overdue`, which is version 1.
    """
    return topic if _LATER_VERSION.search(topic) else topic + FIRST_VERSION


def topic_of(contract: str) -> str:
    """Return the topic of a contract by its name."""
    return contract.removesuffix(FIRST_VERSION)


def schema_uri(topic: str) -> str:
    """Return the absolute URI of a contract for CloudEvents' `dataschema`: a name, not an address.

    The schema itself is `contracts/<contract name>.json`.
    """
    return f"urn:carrel:contracts:{contract_name(topic)}"


RESOURCES = {
    "recording": "activity",
    "branch.occupancy": "occupancy",
    "admission.drawn": "season",
    "patron.applied": "application",
    "admission.promoted": "seat",
    "admission.checked-in": "seat",
    "admission.lapsed": "seat",
}
"""Kinds of resources that are not the first word of their topic, by the topic or that word."""


def resource_of(topic: str) -> str:
    """Return the kind of resource whose versions a topic's events count, such as `loan`."""
    kind = topic.partition(".")[0]
    return RESOURCES.get(topic) or RESOURCES.get(kind, kind)


class Value(BaseModel):
    """A part of an event. A date too far from today is refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="after")
    def _bounded_dates(self) -> Self:
        for value in self.__dict__.values():
            if isinstance(value, date):
                bounded(value, derived=True)
        return self


class Event(Value):
    """The base of every contract.

    A subclass that is published names its topic, the service that publishes it, the field whose
    value is the Kafka key, and the field that identifies the resource. What the events of a
    resource have in common stands at their base:

        class LoanSnapshot(Event, publisher="circulation", key="patron_id", subject="loan_id"): ...
        class LoanOverdue(LoanSnapshot, topic="loan.overdue"): ...

    The payload is the resource's snapshot after the change. `version` counts the changes of that
    resource from 1; a consumer keeps the highest it has seen and ignores older ones. Unknown
    fields are ignored, so that a contract may gain optional fields.
    """

    topic: ClassVar[str] = ""
    publisher: ClassVar[str] = ""
    key_field: ClassVar[str] = ""
    subject_field: ClassVar[str] = ""

    version: int = Field(
        ge=1, le=1_000_000_000, description="Counts the changes of the resource, from 1."
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Accept the keywords; they are used once pydantic has collected the fields."""

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
        cls.publisher = publisher or cls.publisher
        cls.key_field, cls.subject_field = key or cls.key_field, subject or cls.subject_field
        if not topic:
            return
        if topic in _published:
            raise TypeError(f"two contracts claim the topic {topic}")
        missing = {cls.key_field, cls.subject_field} - set(cls.model_fields)
        if missing:
            raise TypeError(f"{cls.__name__} lacks the fields {sorted(missing)}")
        cls.topic = topic
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
        """Return the payload as plain JSON."""
        return orjson.dumps(self.model_dump(mode="json", by_alias=True))


def published(publisher: str | None = None) -> dict[str, type[Event]]:
    """Return every contract by topic, in the order of services, or those of one service only."""
    contracts = sorted(_published.items(), key=lambda each: each[1].publisher)
    return {topic: one for topic, one in contracts if publisher in (None, one.publisher)}
