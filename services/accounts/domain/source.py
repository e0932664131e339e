"""The source of a log-in: a device on which the card has been used, or a stranger's network.

The token of a device has an entry for each of the cards that were used there last. An entry proves
that somebody logged in with the card on this device since its PIN was chosen. It names neither the
card nor the patron, and nothing of it is stored.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.accounts.domain.lockout import Source
from shared import keys as keyed

KNOWN_FOR = timedelta(days=180)
"""Time since the last log-in with a card for which a device is known."""
MOST_ENTRIES = 5
"""Number of cards for which a device is known: a family shares one, a library's does not matter."""
LONGEST_TOKEN = 1000
LENGTH = 32
"""Length of the digests here, in hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One entry of the token of a device."""

    text: str
    issued: int
    """Time of the log-in in seconds since 1970, by the wall clock."""
    device: str
    proof: str


def stranger_at(network: str, keys: str) -> Source:
    """Return the source of a stranger. A digest stands for the network, which is not stored."""
    return Source("network", keyed.digest(keys, f"network\n{network}").hex()[:LENGTH])


def known_device(
    token: str, card_digests: tuple[str, ...], pin_version: int, keys: str, at: datetime
) -> str:
    """Return the id of a device on which the card was used since its PIN was chosen, else "".

    The card is given by its digests with each key.
    """
    found = ""
    for entry in _entries(token):
        is_ours = any(
            keyed.is_digest(
                keys,
                _said(card, pin_version, entry.issued, entry.device),
                entry.proof,
                length=LENGTH,
            )
            for card in card_digests
        )
        is_young = at.timestamp() - entry.issued <= KNOWN_FOR.total_seconds()
        if is_ours and is_young:
            found = found or entry.device
    return found


def devices_in(token: str) -> tuple[str, ...]:
    """Return the ids of the devices that a token names, whether or not it was made here."""
    return tuple(entry.device for entry in _entries(token))


def token_after_log_in(
    token: str, card_digests: tuple[str, ...], pin_version: int, keys: str, at: datetime
) -> str | None:
    """Return the token of a device after a log-in; None without keys: everybody could make one.

    The device keeps its id, so that logging in many times gives nobody many budgets.
    """
    if not keys:
        return None
    device = known_device(token, card_digests, pin_version, keys, at) or secrets.token_urlsafe(12)
    issued = int(at.timestamp())
    said = _said(card_digests[0], pin_version, issued, device)
    new = f"{issued}.{device}.{keyed.digest(keys, said).hex()[:LENGTH]}"
    others = [entry.text for entry in _entries(token) if entry.device != device]
    return "~".join([new, *others[: MOST_ENTRIES - 1]])


def _entries(token: str) -> Iterator[DeviceEntry]:
    """Yield the entries of a token that have the right form."""
    for text in token[:LONGEST_TOKEN].split("~")[:MOST_ENTRIES]:
        issued, _, rest = text.partition(".")
        device, _, proof = rest.partition(".")
        if issued.isascii() and issued.isdecimal() and len(issued) < 12 and device and proof:
            yield DeviceEntry(text, int(issued), device, proof)


def _said(card_digest: str, pin_version: int, issued: int, device: str) -> str:
    return f"device\n{card_digest}\n{pin_version}\n{issued}\n{device}"
