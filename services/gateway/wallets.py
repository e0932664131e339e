"""The library card as a pass for the wallet of a phone, signed with keys of the library.

Apple: https://developer.apple.com/documentation/walletpasses ("Building a Pass"). Google:
https://developers.google.com/wallet/generic/web and its reference of GenericObject.
"""

import hashlib
import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from typing import Any, Self
from zoneinfo import ZoneInfo

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import RSAKey

APPLE_TYPE = "application/vnd.apple.pkpass"
_GOOGLE_SAVE = "https://pay.google.com/gp/v/save/"
_GREEN, _LEFT, _RIGHT = b"\x0d\x5c\x4d", b"\xf7\xf4\xec", b"\xcf\xe3\xd8"
"""Colours of the mark, as in mark.svg."""
_ICONS = {"icon.png": 29, "icon@2x.png": 58, "icon@3x.png": 87}
"""Width in pixels of each picture that Apple's wallet needs."""


@dataclass(frozen=True)
class Card:
    """A library card as a pass shows it."""

    id: str
    """Id of the account, by which a wallet replaces a pass that it has."""
    number: str
    holder: str
    title: str
    """Name of the card in the language of the page."""
    library: str
    """Name of the libraries."""
    valid_until: tuple[str, date] | None
    """Label and last day on which the card is valid; None: it does not expire."""
    zone: ZoneInfo

    @property
    def ends_at(self) -> str | None:
        """End of the last day, in ISO 8601."""
        if not self.valid_until:
            return None
        return datetime.combine(self.valid_until[1], time(23, 59, 59), self.zone).isoformat()


@dataclass(frozen=True)
class AppleSigner:
    """A certificate for passes with its key. Its subject names the type of pass and the team."""

    key: Any
    certificate: x509.Certificate
    others: tuple[x509.Certificate, ...]
    """Apple's intermediate certificate."""

    @classmethod
    def read(cls, pem: str) -> Self:
        """Read a key, its certificate, and Apple's own, in PEM. Raises ValueError."""
        try:
            key = serialization.load_pem_private_key(pem.encode(), None)
            known = x509.load_pem_x509_certificates(pem.encode())
        except (ValueError, TypeError):
            known = []
        own = [one for one in known if one.public_key() == key.public_key()]
        others = tuple(one for one in known if one not in own)
        if not (own and others and _named(own[0], NameOID.USER_ID)):
            raise ValueError(
                "CARREL_WALLET_APPLE needs a key without a password, its certificate for passes, "
                "and Apple's intermediate certificate, in PEM"
            )
        return cls(key, own[0], others)

    def file(self, card: Card) -> bytes:
        """Return a card as a file `.pkpass`."""
        files = {name: _mark(width) for name, width in _ICONS.items()}
        files["pass.json"] = orjson.dumps(self._described(card))
        # SHA-1 is what Apple's wallet expects here; the signature below has SHA-256.
        digests = {
            name: hashlib.sha1(content, usedforsecurity=False).hexdigest()
            for name, content in files.items()
        }
        files["manifest.json"] = manifest = orjson.dumps(digests)
        signing = pkcs7.PKCS7SignatureBuilder().set_data(manifest)
        signing = signing.add_signer(self.certificate, self.key, hashes.SHA256())
        for one in self.others:
            signing = signing.add_certificate(one)
        options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
        files["signature"] = signing.sign(serialization.Encoding.DER, options)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return packed.getvalue()

    def _described(self, card: Card) -> dict[str, Any]:
        code = {"message": card.number, "messageEncoding": "iso-8859-1", "altText": card.number}
        formats = ("PKBarcodeFormatCode128", "PKBarcodeFormatQR")  # the first one that it can show
        fields: dict[str, Any] = {
            "primaryFields": [{"key": "holder", "label": card.title, "value": card.holder}]
        }
        ends: dict[str, Any] = {}
        if card.valid_until:
            ends = {"expirationDate": card.ends_at}
            shown = {"key": "until", "label": card.valid_until[0], "value": card.ends_at}
            fields["secondaryFields"] = [{**shown, "dateStyle": "PKDateStyleMedium"}]
        return {
            "formatVersion": 1,
            "passTypeIdentifier": _named(self.certificate, NameOID.USER_ID),
            "teamIdentifier": _named(self.certificate, NameOID.ORGANIZATIONAL_UNIT_NAME),
            "organizationName": card.library,
            "description": card.title,
            "logoText": card.library,
            "serialNumber": card.id,
            "barcodes": [{"format": one, **code} for one in formats],
            "generic": fields,
            "sharingProhibited": True,
            "backgroundColor": f"rgb{tuple(_GREEN)}",
            "foregroundColor": "rgb(255, 255, 255)",
            "labelColor": f"rgb{tuple(_RIGHT)}",
            **ends,
        }


@dataclass(frozen=True)
class GoogleSigner:
    """A service account at Google that may issue passes, with its key."""

    issuer: str
    """Number of the issuer in Google's console."""
    email: str
    key: RSAKey

    @classmethod
    def read(cls, account: str, issuer: str) -> Self:
        """Read the JSON of a service account. Raises ValueError."""
        try:
            read = orjson.loads(account)
            return cls(issuer, read["client_email"], RSAKey.import_key(read["private_key"]))
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                "CARREL_WALLET_GOOGLE needs the JSON of a service account, with client_email and "
                "private_key"
            ) from None

    def link(self, card: Card, language: str, now: datetime) -> str:
        """Return the address at which the holder saves a card. It tells Google what is on it."""

        def written(text: str) -> dict[str, Any]:
            return {"defaultValue": {"language": language, "value": text}}

        kind = f"{self.issuer}.library-card"
        ends = {"validTimeInterval": {"end": {"date": card.ends_at}}} if card.ends_at else {}
        number = {"type": "CODE_128", "value": card.number, "alternateText": card.number}
        shown = {
            "id": f"{self.issuer}.{card.id}",
            "classId": kind,
            "genericType": "GENERIC_LIBRARY_MEMBERSHIP",
            "state": "ACTIVE",
            "cardTitle": written(card.library),
            "subheader": written(card.title),
            "header": written(card.holder),
            "barcode": number,
            "hexBackgroundColor": f"#{_GREEN.hex()}",
            **ends,
        }
        claims = {
            "iss": self.email,
            "aud": "google",
            "typ": "savetowallet",
            "iat": int(now.timestamp()),
            "origins": [],
            "payload": {"genericClasses": [{"id": kind}], "genericObjects": [shown]},
        }
        return _GOOGLE_SAVE + jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, self.key)


def _named(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    found = certificate.subject.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


@cache
def _mark(width: int) -> bytes:
    """Return the mark, an open book, as a PNG picture (RFC 2083)."""

    def colour(at: int, down: int) -> bytes:
        x, y = (32 * (one + 0.5) / width for one in (at, down))
        top = 9.5 + (1 - abs(x - 16) / 9) ** 2
        if not (7 <= x <= 25 and top <= y <= top + 13):
            return _GREEN
        return _LEFT if x < 16 else _RIGHT

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    lines = b"".join(
        b"\0" + b"".join(colour(at, down) for at in range(width)) for down in range(width)
    )
    head = struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
