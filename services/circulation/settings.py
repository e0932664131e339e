"""Settings of circulation: those of every service."""

from shared.settings import Settings

__all__ = ["Settings"]
