"""The published language: every event type, one file for each publishing service."""

from shared.contracts import accounts, circulation, events, notices
from shared.contracts.event import Event, published

__all__ = ["Event", "accounts", "circulation", "events", "notices", "published"]
