"""Ports on the loopback address, each reserved for one process, also across checkouts."""

import random
import socket
import sys

LOOPBACK = "127.0.0.1"

# Below the range of Linux's source ports for outgoing connections: else a client that retries a
# stopped server could connect to itself and take its port.
FREE = range(20000, 32000)

_held: dict[int, tuple[socket.socket, socket.socket]] = {}


def reserve(usual: int | None = None) -> int:
    """Reserve `usual` if it is free, else a free port, for this process until `release`.

    A process listens on its port long after the port was chosen, so a second start at the same
    moment would choose the same one. An abstract socket named after the port prevents that; it
    leaves no file, and disappears with this process. On Linux a second socket is bound to the port
    until `release`, so that the system gives it to no outgoing connection and to no other program,
    unless that one asks for this very port with SO_REUSEADDR, as the servers started here do.
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
    for held in _held.pop(port, ()):
        held.close()


def _free(port: int) -> bool:
    claim, holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), socket.socket()
    try:
        if sys.platform == "linux":  # abstract names exist only there
            claim.bind(f"\0carrel/port/{port}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        if sys.platform == "linux":  # elsewhere it would keep the server away, too
            share(holder)
            holder.bind((LOOPBACK, port))
    except (OSError, OverflowError):  # above 65535
        claim.close()
        holder.close()
        return False
    _held[port] = claim, holder
    return True


def share(holder: socket.socket) -> None:
    """Let servers listen at the port of a socket that only holds it."""
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        holder.setsockopt(socket.SOL_SOCKET, option, 1)
