"""Settings of events: only the common ones."""

from shared.settings import Settings

__all__ = ["Settings"]
