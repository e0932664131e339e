"""The library card in the wallets of phones: signed, whole, and in the form that they document."""

import hashlib
import io
import json
import struct
import subprocess
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from edutap.wallet_apple.models.passes import Pass
from edutap.wallet_google.models.passes.generic import GenericClass, GenericObject
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import ValidationError

from services.gateway.settings import Settings
from services.gateway.wallets import AppleSigner, Card, GoogleSigner
from tests import patience
from tests.wallets import EMAIL, ISSUER, PASS_TYPE, TEAM, keys
from tests.warm import settings_of

NOW = datetime(2021, 3, 5, 9, tzinfo=UTC)
CARD = Card(
    id="01a2387f-78f7-72f2-9f9c-7ed08d1fa909",
    number="HK0001",
    holder="陳大文 Chan Tai Man",
    title="Library card",
    library="Public Libraries",
    valid_until=("Valid until", date(2022, 3, 5)),
    zone=ZoneInfo("Asia/Hong_Kong"),
)
UNENDING = replace(CARD, valid_until=None)


LIBRARY = keys()


def unpacked(content: bytes) -> dict[str, bytes]:
    """Return the files of a pass by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def verified(signature: bytes, manifest: bytes, authority: str, folder: Path) -> bool:
    """Return whether OpenSSL finds the signature right and its certificate of the authority."""
    (folder / "signature").write_bytes(signature)
    (folder / "manifest").write_bytes(manifest)
    (folder / "authority").write_text(authority)
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "signature"]
    command += ["-content", "manifest", "-CAfile", "authority", "-purpose", "any"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, timeout=patience.stretched(60), check=False
    )
    return done.returncode == 0


def test_a_pass_for_apple_is_whole_and_signed(tmp_path: Path) -> None:
    parts = unpacked(AppleSigner.read(LIBRARY.apple).file(CARD))
    signature, manifest = parts.pop("signature"), parts.pop("manifest.json")
    digests = {name: hashlib.sha1(part).hexdigest() for name, part in parts.items()}  # noqa: S324
    assert json.loads(manifest) == digests
    assert verified(signature, manifest, LIBRARY.authority, tmp_path)
    assert not verified(signature, manifest + b" ", LIBRARY.authority, tmp_path)
    assert not verified(signature, manifest, keys().authority, tmp_path)
    for name, width in (("icon.png", 29), ("icon@2x.png", 58), ("icon@3x.png", 87)):
        assert parts[name].startswith(b"\x89PNG")
        assert struct.unpack(">II", parts[name][16:24]) == (width, width)


def test_a_pass_for_apple_has_the_documented_form() -> None:
    signer = AppleSigner.read(LIBRARY.apple)
    shown = json.loads(unpacked(signer.file(CARD))["pass.json"])
    Pass.model_validate(shown)
    assert (shown["passTypeIdentifier"], shown["teamIdentifier"]) == (PASS_TYPE, TEAM)
    assert shown["serialNumber"] == CARD.id
    assert {code["message"] for code in shown["barcodes"]} == {CARD.number}
    assert shown["expirationDate"] == "2022-03-05T23:59:59+08:00"
    unending = json.loads(unpacked(signer.file(UNENDING))["pass.json"])
    Pass.model_validate(unending)
    assert "expirationDate" not in unending


@pytest.mark.parametrize("card", [CARD, UNENDING])
def test_a_link_for_google_is_signed_and_has_the_documented_form(card: Card) -> None:
    link = GoogleSigner.read(LIBRARY.google, ISSUER).link(card, "zh-Hant", NOW)
    assert link.startswith("https://pay.google.com/gp/v/save/")
    assert len(link) < 1800  # the longest that Google promises to read
    key = load_pem_private_key(json.loads(LIBRARY.google)["private_key"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    read = jwt.decode(link.rpartition("/")[2], RSAKey.import_key(key.public_key()))
    claims = read.claims
    assert read.header == {"alg": "RS256", "typ": "JWT"}
    assert (claims["iss"], claims["aud"], claims["typ"]) == (EMAIL, "google", "savetowallet")
    [kind], [shown] = (claims["payload"][name] for name in ("genericClasses", "genericObjects"))
    GenericClass.model_validate(kind)
    GenericObject.model_validate(shown)
    assert shown["classId"] == kind["id"]
    assert shown["id"] == f"{ISSUER}.{CARD.id}"
    assert shown["barcode"]["value"] == CARD.number
    assert ("validTimeInterval" in shown) == (card is CARD)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"wallet_apple": "no key"}, "CARREL_WALLET_APPLE needs"),
        ({"wallet_apple": LIBRARY.authority}, "CARREL_WALLET_APPLE needs"),
        ({"wallet_google": LIBRARY.google}, "need each other"),
        ({"wallet_google_issuer": ISSUER}, "need each other"),
        (
            {"wallet_google": LIBRARY.apple, "wallet_google_issuer": ISSUER},
            "CARREL_WALLET_GOOGLE needs",
        ),
    ],
)
def test_a_process_with_a_bad_key_does_not_start(given: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings_of(Settings, **given)
