"""Alerts: the holder of an account is told of a change at the address that was valid before it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.accounts.domain.lockout import DAY, Budget

KEPT_FOR = timedelta(days=2)
"""Time for which the address of an alert is kept; notices tries to send it for a day."""
MOST_DEVICES = 20
"""Devices that an account remembers, those that were used last."""
MOST_NEW_DEVICES = 10
"""Alerts a day about new devices: a program that keeps no `device_token` is always a new one."""


@dataclass(frozen=True, slots=True)
class KeptAddress:
    """The address at which the holder of an account is told of one change."""

    id: str
    """Id of the alert."""
    patron_id: str
    email: str = field(repr=False)
    expires_at: datetime
    """Wall clock; the database deletes it then."""
    version: int = 1


def remembered(device: str) -> str:
    """Return the form in which an account remembers the id of a device."""
    return hashlib.sha256(device.encode()).hexdigest()[:32]


def with_device(devices: Sequence[str], device: str) -> tuple[str, ...]:
    """Return the remembered devices with one that was used just now."""
    return (*(one for one in devices if one != device), device)[-MOST_DEVICES:]


def budget_of_new_devices(card_digest: str) -> Budget:
    """Return the budget of alerts about new devices."""
    return Budget(f"devices {card_digest}", MOST_NEW_DEVICES, DAY, card_digest)
