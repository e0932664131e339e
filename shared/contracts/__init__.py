"""The contracts of all events: every event type, one module for each publishing service."""

from shared.contracts import accounts, circulation, events, notices
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
    "circulation",
    "contract_name",
    "events",
    "notices",
    "published",
    "resource_of",
    "schema_uri",
    "topic_of",
]
