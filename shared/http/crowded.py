"""The mark of a log-in from an address that has sent more of them than it may.

The gateway lets those pass that have the token of a device. The service that checks PINs, and that
alone can tell whether the token is one of ours, refuses all others before it checks anything. A
caller who sets the mark restricts nobody else.
"""

from starlette.types import Scope

HEADER = "carrel-crowded"
SCOPE = "carrel.crowded"
"""Entry in the scope of such a request at the gateway."""


def is_crowded(scope: Scope) -> bool:
    """Return whether only a known device may log in with this request."""
    return any(name == HEADER.encode() for name, _ in scope["headers"])
