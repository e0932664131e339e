"""Settings of the notices service: none of its own yet."""

from services.settings import Settings

__all__ = ["Settings"]
