"""Ports on the loopback address, each reserved for one process, also across checkouts."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the range of Linux's source ports for outgoing connections: else a client that retries a
# stopped server could connect to itself and take its port.
FREE = range(20000, 32000)

_held: dict[int, socket.socket] = {}


def reserve(usual: int | None = None) -> int:
    """Reserve `usual` if it is free, else a free port, for this process until `release`.

    A process listens on its port long after the port was chosen, so a second start at the same
    moment would choose the same one. An abstract socket named after the port prevents that; it
    leaves no file, and disappears with this process.
    """
    candidates = random.sample(FREE, 200)
    if usual is not None:
        candidates.insert(0, usual)
    for port in candidates:
        if _free(port):
            return port
    raise OSError("no free port between 20000 and 32000: end what holds them and try again")


def release(port: int) -> None:
    """Release a port to others. A port that was not reserved here is ignored."""
    held = _held.pop(port, None)
    if held:
        held.close()


def _free(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_PEERCRED"):  # Linux: abstract names exist only there
            claim.bind(f"\0carrel/port/{port}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            probe.listen(1)
    except OSError:
        claim.close()
        return False
    _held[port] = claim
    return True
