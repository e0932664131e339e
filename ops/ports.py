"""Ports on the loopback address, given to one process at a time even between two checkouts."""

import random
import socket

LOOPBACK = "127.0.0.1"

# Below the range from which Linux takes the source ports of outgoing connections: a client that
# retries a stopped server can then not connect to itself and take its port.
FREE = range(20000, 32000)

_held: dict[int, socket.socket] = {}


def reserve(usual: int | None = None) -> int:
    """`usual` if nobody has it, else a free port; kept for this process until `release`.

    A port is looked for long before the process that is to have it listens, so a second start at
    the same moment would find the same one. An abstract socket named after the port keeps it apart;
    it leaves no file, and goes when this process does.
    """
    candidates = random.sample(FREE, 200)
    if usual is not None:
        candidates.insert(0, usual)
    for port in candidates:
        if _free(port):
            return port
    raise OSError("no free port between 20000 and 32000: end what holds them and try again")


def release(port: int) -> None:
    """Lets others have the port. Nothing happens if it was not reserved here."""
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
