"""A device with a browser's subscription, which reads the messages that are encrypted for it."""

import os
from typing import Any

import http_ece
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.notices.channels.clients.push import encoded

VAPID_PRIVATE_KEY = encoded(bytes(range(1, 33)))
VAPID = {
    "vapid_private_key": VAPID_PRIVATE_KEY,
    "vapid_subject": "mailto:library@example.org",
}
"""Settings of notices with the library's keys."""
ENVIRONMENT = {"notices": {f"CARREL_{name.upper()}": value for name, value in VAPID.items()}}
"""The same as the environment of a system."""


class Device:
    """A browser with the private key of its subscription."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._key = generate_private_key(SECP256R1())
        self._auth = os.urandom(16)

    @property
    def subscription(self) -> dict[str, str]:
        """The body of the request that adds it."""
        public = self._key.public_key()
        return {
            "endpoint": self.endpoint,
            "p256dh": encoded(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
            "auth": encoded(self._auth),
            "name": "Firefox, Android",
        }

    def read(self, content: bytes) -> dict[str, Any]:
        """Return an encrypted message, as only this device can read it."""
        plain = http_ece.decrypt(
            content, private_key=self._key, auth_secret=self._auth, version="aes128gcm"
        )
        message: dict[str, Any] = orjson.loads(plain)
        return message


def subscribed(name: str) -> dict[str, str]:
    """Return the subscription of a device whose push service is never there."""
    return Device(f"http://127.0.0.1:9/push/{name}").subscription
