"""An authenticator of passkeys in software: it makes what browsers send."""

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from services.accounts.settings import Settings
from tests.library import PIN, Library

PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40


def base64url(content: bytes) -> str:
    """Return bytes as WebAuthn writes them in JSON."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Return the bytes that WebAuthn has written."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One passkey on one device. Each field can be wrong, as an attacker's would be."""

    origin: str
    rp_id: str = ""
    """None of its own: the host of the origin."""
    counter: int = 0
    step: int = 1
    """Number by which the counter grows with each signature."""
    flags: int = PRESENT | VERIFIED
    handle: str = ""
    """Id of the account."""
    id: bytes = field(default_factory=lambda: token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.rp_id = self.rp_id or self.origin.split("://")[1].split(":")[0]

    def create(self, options: dict[str, Any]) -> str:
        """Return a new passkey for these options."""
        self.handle = from_base64url(options["user"]["id"]).decode()
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        )
        data = self._data(HAS_KEY) + bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options)
        return self._credential(clientDataJSON=client, attestationObject=attested)

    def get(self, options: dict[str, Any]) -> str:
        """Return the proof of a log-in for these options."""
        self.counter += self.step
        data, client = self._data(), self._client("webauthn.get", options)
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._credential(
            clientDataJSON=client,
            authenticatorData=data,
            signature=signed,
            userHandle=self.handle.encode(),
        )

    def _data(self, flags: int = 0) -> bytes:
        host = hashlib.sha256(self.rp_id.encode()).digest()
        return host + struct.pack(">BI", self.flags | flags, self.counter)

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        named = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps({**named, "crossOrigin": False}).encode()

    def _credential(self, **response: bytes) -> str:
        return json.dumps(
            {
                "id": base64url(self.id),
                "rawId": base64url(self.id),
                "type": "public-key",
                "clientExtensionResults": {},
                "response": {name: base64url(one) for name, one in response.items()},
            }
        )


async def passkey_of(library: Library, card: str) -> str:
    """Add a passkey of a phone, as a patron does; return its id."""
    mine = "/v1/me/passkeys"
    asked = await library.post(f"{mine}/challenge", {"pin": PIN}, by=card)
    phone = Authenticator(library.system.settings(Settings).passkey_origin)
    body = {"name": "Phone", "credential": phone.create(asked["options"])}
    return str((await library.post(mine, body, by=card))["id"])
