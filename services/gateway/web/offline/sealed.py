"""Scans that a browser keeps without a network: encrypted there, opened here alone.

The browser has the public half of a key, so that it cannot read what it keeps, and neither can a
thief of its storage. Each scan has a key of its own: ECDH on P-256 with a key pair that the browser
makes and forgets, then HKDF and AES-GCM, which every browser has.
"""

import base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import AwareDatetime, TypeAdapter
from pydantic.dataclasses import dataclass as checked

from shared.keys import digest, each_of

PURPOSE = b"carrel-offline-scan"
_POINT, _NONCE = 65, 12
"""Bytes of the browser's public key and of the nonce, which stand before the encrypted scan."""
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of the group of P-256 (SEC 2, section 2.4.2)."""


@checked(frozen=True)
class Scan:
    """An item that was lent or taken back without a network."""

    act: Literal["lend", "return"]
    at: AwareDatetime
    """Time of the scan."""
    branch: str
    """Code of the library of the desk."""
    barcode: str
    card: str = ""
    """Number of the borrower's card; empty for a return."""


@dataclass(frozen=True)
class Entry:
    """An entry of a browser's queue."""

    id: str
    """Given by the browser, and the same whenever it is sent."""
    scan: Scan | None
    """None: no key of ours opens it."""


_SCAN = TypeAdapter(Scan)


def public_key(keys: str) -> str:
    """Return the public half of the newest key, as a point in base64; "" without a key."""
    if not each_of(keys):
        return ""
    public = _private(each_of(keys)[0]).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.b64encode(point).decode()


def opened(keys: str, entry_id: str, sealed: str) -> Entry:
    """Return an entry with its scan, opened with one of the keys.

    The id is authenticated: no other one can be given to the scan.
    """
    for key in each_of(keys):
        try:
            return Entry(entry_id, _opened(_private(key), entry_id, sealed))
        except (InvalidTag, ValueError):  # also of base64, of points, and of pydantic
            continue
    return Entry(entry_id, None)


def _opened(private: ec.EllipticCurvePrivateKey, entry_id: str, sealed: str) -> Scan:
    parts = base64.b64decode(sealed, validate=True)
    point, nonce = parts[:_POINT], parts[_POINT : _POINT + _NONCE]
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    shared = private.exchange(ec.ECDH(), theirs)
    key = HKDF(SHA256(), 32, salt=point, info=PURPOSE).derive(shared)
    text = AESGCM(key).decrypt(nonce, parts[_POINT + _NONCE :], entry_id.encode())
    return _SCAN.validate_json(text)


@lru_cache(maxsize=8)
def _private(key: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(digest(key, "offline scans\n"))
    return ec.derive_private_key(number % (_ORDER - 1) + 1, ec.SECP256R1())
