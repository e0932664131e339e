"""The contracts of all events: every event type, one module for each publishing service."""

from shared.contracts import accounts, circulation, events, notices
from shared.contracts.event import Event, published, schema_uri

__all__ = ["Event", "accounts", "circulation", "events", "notices", "published", "schema_uri"]
