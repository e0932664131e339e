"""The network address of a client, which the gateway passes on to a service.

The header has a digest under the secret that the services share: a caller who reaches a service
without the gateway can't invent addresses.
"""

import hmac

from fastapi import Request

HEADER = "carrel-client"


def client_header(address: str, secret: str) -> str:
    """Return the header that passes the address of a client on."""
    return f"{address} {_digest(address, secret)}"


def client_address(request: Request, secret: str) -> str:
    """Return the address that the gateway passed on, else that of the connection."""
    address, _, digest = request.headers.get(HEADER, "").rpartition(" ")
    ours = _digest(address, secret)
    if secret and address and hmac.compare_digest(ours.encode(), digest.encode()):
        return address
    return request.client.host if request.client else ""


def _digest(address: str, secret: str) -> str:
    # Begins with a purpose, so that a digest made here is never valid elsewhere.
    return hmac.new(secret.encode(), f"client\n{address}".encode(), "sha256").hexdigest()
