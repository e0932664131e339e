"""The gateway needs no settings but the chassis' own."""

from shared.settings import Settings

__all__ = ["Settings"]
