"""What notices is told by its environment: nothing of its own yet."""

from shared.settings import Settings

__all__ = ["Settings"]
