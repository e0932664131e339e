"""Keys for accounts in tests, one for each purpose."""

from typing import Any

CARD_KEY = "key of these tests"
DERIVING: dict[str, Any] = {
    "reset_keys": "the key of codes for PINs",
    "device_keys": "the key of known devices",
    "renewal_keys": "the key of renewal tokens",
    "calendar_keys": "the key of calendar links",
    "unsubscribe_keys": "the key of links in e-mails",
    "recovery_keys": "the key of recovery codes",
}
"""Settings with the keys from which accounts derives what clients get."""
