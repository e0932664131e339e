"""Settings of events: only the common ones."""

from services.settings import Settings

__all__ = ["Settings"]
