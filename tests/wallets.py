"""Keys for the wallets of phones, as Apple and Google give them to a library."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

PASS_TYPE, TEAM, ISSUER = "pass.org.example.library", "A1B2C3D4E5", "3388000000022195611"
EMAIL = "wallet@library.iam.gserviceaccount.com"


@dataclass(frozen=True)
class Keys:
    """The keys of a library, and the certificate that its pass certificate comes from."""

    apple: str
    google: str
    authority: str

    @property
    def environment(self) -> dict[str, str]:
        """The gateway's settings for them."""
        return {
            "CARREL_WALLET_APPLE": self.apple,
            "CARREL_WALLET_GOOGLE": self.google,
            "CARREL_WALLET_GOOGLE_ISSUER": ISSUER,
        }


def keys() -> Keys:
    """Make such keys."""
    authority_key, key = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    authority = _certificate({NameOID.COMMON_NAME: "Authority"}, authority_key, None, authority_key)
    names = {NameOID.USER_ID: PASS_TYPE, NameOID.ORGANIZATIONAL_UNIT_NAME: TEAM}
    own = _certificate(names, key, authority, authority_key)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    issued, root = (one.public_bytes(pem).decode() for one in (own, authority))
    account = {"type": "service_account", "client_email": EMAIL, "private_key": secret}
    return Keys(secret + issued + root, json.dumps(account), root)


def _certificate(
    names: dict[x509.ObjectIdentifier, str],
    key: rsa.RSAPrivateKey,
    issuer: x509.Certificate | None,
    signer: rsa.RSAPrivateKey,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(oid, name) for oid, name in names.items()])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    return made.sign(signer, hashes.SHA256())
