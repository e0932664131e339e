"""Encryption and signatures of web push (RFC 8291, RFC 8292)."""

import binascii
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import http_ece
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from joserfc import jwt
from joserfc.jwk import ECKey

from services.notices.channels.rules.devices import PushSubscription
from services.notices.settings import Settings

POINT_BYTES = 65
AUTH_BYTES = 16
TOKEN_LASTS = timedelta(hours=12)


@dataclass(frozen=True)
class Vapid:
    """The keys by which push services know the library."""

    key: EllipticCurvePrivateKey
    subject: str
    """Address at which push services reach the operator, such as `mailto:ops@example.org`."""

    @property
    def public(self) -> str:
        """The public key, in the form that browsers take."""
        return encoded(_point(self.key.public_key()))

    def authorization(self, endpoint: str, at: datetime) -> str:
        """Return the header that lets the library send to an address."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int((at + TOKEN_LASTS).timestamp()),
            "sub": self.subject,
        }
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        token = jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, ECKey.import_key(pem))
        return f"vapid t={token}, k={self.public}"


def vapid_of(settings: Settings) -> Vapid | None:
    """Return the library's keys; None without a key, or an address of the operator."""
    if not settings.vapid_private_key or not settings.operator_address:
        return None
    number = int.from_bytes(decoded(settings.vapid_private_key), "big")
    return Vapid(derive_private_key(number, SECP256R1()), settings.operator_address)


def are_keys(public_key: str, auth: str) -> bool:
    """Return whether these are the keys of a browser's subscription."""
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), decoded(public_key))
        return len(decoded(public_key)) == POINT_BYTES and len(decoded(auth)) == AUTH_BYTES
    except (ValueError, binascii.Error):
        return False


def encrypted(content: bytes, device: PushSubscription) -> bytes:
    """Return the content as only the device can read it."""
    body: bytes = http_ece.encrypt(
        content,
        salt=os.urandom(16),
        private_key=generate_private_key(SECP256R1()),
        dh=decoded(device.public_key),
        auth_secret=decoded(device.auth),
        version="aes128gcm",
    )
    return body


def encoded(raw: bytes) -> str:
    """Return bytes in URL-safe base64 without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Return the bytes of URL-safe base64, with or without padding. Raises ValueError."""
    return urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


def _point(key: EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
