"""Settings of the notices service: none of its own yet."""

from shared.settings import Settings

__all__ = ["Settings"]
