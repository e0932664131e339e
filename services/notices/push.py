"""Sending notifications to devices by web push: encrypted for the device, signed by the library.

RFC 8030 (the protocol), RFC 8291 (the encryption) and RFC 8292 (VAPID, the signature).
"""

import binascii
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import http_ece
import orjson
import structlog
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
from prometheus_client import Counter

from services.notices import receivers, store
from services.notices.domain.outgoing import (
    LASTS,
    dropped,
    given_up,
    is_too_late,
    postponed,
    sent,
)
from services.notices.domain.push import ENDED, PushMessage, PushSubscription
from services.notices.kinds import frame
from services.notices.kinds.language import language_of
from services.notices.queries.notifications import as_it_is, with_texts
from services.notices.receivers import NotAllowed, ReceiverAway
from services.notices.settings import Settings
from services.notices.usecases.note_push_message import NotePushMessage, note_push_message
from shared.clock import wall_clock
from shared.failpoint import failpoint
from shared.unit_of_work import Run

log = structlog.get_logger()

MESSAGES = Counter("carrel_push_messages_total", "Tries to send a message to a device", ["state"])
POINT_BYTES = 65
AUTH_BYTES = 16
MOST_CHARACTERS = 1000
"""Length of a text; push services take 4096 bytes at most, encrypted."""
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
    """Return the library's keys; None if none are set."""
    if not settings.vapid_private_key:
        return None
    number = int.from_bytes(decoded(settings.vapid_private_key), "big")
    return Vapid(derive_private_key(number, SECP256R1()), settings.vapid_subject)


def are_keys(public_key: str, auth: str) -> bool:
    """Return whether these are the keys of a browser's subscription."""
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), decoded(public_key))
        return len(decoded(public_key)) == POINT_BYTES and len(decoded(auth)) == AUTH_BYTES
    except (ValueError, binascii.Error):
        return False


async def send_next(run: Run, settings: Settings, service: str, vapid: Vapid) -> bool | None:
    """Send the message by a push service that has waited longest; return whether that did well.

    None if no message is due.
    """
    claimed = await store.devices.claim(run.database, service)
    if claimed is None:
        return None
    after = await _try(claimed, run, settings, vapid)
    MESSAGES.labels(after.state).inc()
    if after.service_failed:
        log.warning(
            "push message not sent", message=after.id, reason=after.reason, status=after.status
        )
    await run(note_push_message, NotePushMessage(after))
    return not after.service_failed


async def _try(message: PushMessage, run: Run, settings: Settings, vapid: Vapid) -> PushMessage:
    """Send a message if it still is to be sent; return what became of it."""
    if is_too_late(message.queued_at, wall_clock()):
        return given_up(message, wall_clock())
    device = await store.devices.find_one(run.database, message.subscription_id)
    told = await store.notifications.find_one(run.database, message.notification_id)
    if device is None or device.patron_id != message.patron_id:
        return dropped(message, "outdated", wall_clock())
    if told is None or told.withdrawn:
        return dropped(message, "withdrawn", wall_clock())
    current = await as_it_is(told, run)
    if current is None:
        return dropped(message, "outdated", wall_clock())
    [shown] = await with_texts(run.database, message.patron_id, [current], settings.zone)
    patron = await store.patrons.find_one(run.database, message.patron_id)
    code = patron.speaks if patron else "en"
    content = {
        "title": language_of(code).say(frame.SUBJECT_WITHOUT_TITLE),
        "text": shown.text[:MOST_CHARACTERS],
        "language": code,
        "tag": told.id,
        "url": "/inbox",
    }
    headers = {
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "ttl": str(int(LASTS.total_seconds())),
        "authorization": vapid.authorization(device.endpoint, wall_clock()),
    }
    try:
        status = await receivers.post(
            device.endpoint,
            encrypted(orjson.dumps(content), device),
            headers,
            loopback=settings.simulation,
        )
    except NotAllowed:
        return postponed(message, "not-allowed", wall_clock())
    except ReceiverAway:
        return postponed(message, "away", wall_clock())
    failpoint("push.sent")
    if status in ENDED:
        return dropped(message, "gone", wall_clock(), status)
    if 200 <= status < 300:
        return sent(message, wall_clock(), status)
    return postponed(message, "refused", wall_clock(), status)


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
