"""The contracts of all events: every event type, by publishing service and subject."""

from shared.contracts import accounts, catalogue, circulation, events, notices, suspensions
from shared.contracts.event import (
    Event,
    contract_name,
    published,
    resource_of,
    schema_uri,
    topic_of,
)

__all__ = [
    "Event",
    "accounts",
    "catalogue",
    "circulation",
    "contract_name",
    "events",
    "notices",
    "published",
    "resource_of",
    "schema_uri",
    "suspensions",
    "topic_of",
]
