"""The network address of a client, which the gateway passes on to a service.

The header has a digest under the secret that the services share: a caller who reaches a service
without the gateway can't invent addresses.
"""

import hmac
from functools import lru_cache

from starlette.types import Scope

from shared.networks import KNOWN_ADDRESSES, truncated

HEADER = "carrel-client"


def client_header(address: str, secret: str, *, whole: bool) -> str:
    """Return the header that passes the address of a client on.

    Only a service that counts log-ins gets the `whole` address, the others its network.
    """
    said = address if whole else truncated(address)
    return f"{said} {_digest(said, secret)}"


def client_address(scope: Scope) -> str:
    """Return the address or network that the gateway passed on, else the connection's address."""
    sent: bytes = next((value for name, value in scope["headers"] if name == HEADER.encode()), b"")
    address, _, digest = sent.decode("latin-1").rpartition(" ")
    secret: str = scope["app"].state.settings.service_secret
    ours = _digest(address, secret)
    if secret and address and hmac.compare_digest(ours.encode(), digest.encode()):
        return address
    client = scope.get("client")
    return client[0] if client else ""


@lru_cache(KNOWN_ADDRESSES)
def _digest(address: str, secret: str) -> str:
    # Begins with a purpose, so that a digest made here is never valid elsewhere.
    return hmac.digest(secret.encode(), f"client\n{address}".encode(), "sha256").hex()
