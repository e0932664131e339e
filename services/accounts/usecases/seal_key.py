"""Seal what signs tokens and the secrets of second factors: a copy of the database has neither."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace

import orjson
import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from services.accounts.domain.second_factor import SecondFactor
from services.accounts.domain.signing_key import SigningKey
from shared.keys import each_of
from shared.owners import OwnerAway

log = structlog.get_logger()


def sealed_half(private: Mapping[str, str], secrets: str) -> str | None:
    """Return a private half sealed with the first secret; None if no secret is set."""
    return _sealed(orjson.dumps(private), secrets)


def with_secret(factor: SecondFactor, secret: str, secrets: str) -> SecondFactor:
    """Return a second factor with the secret that the app has, sealed if `secrets` are set."""
    seal = _sealed(secret.encode(), secrets)
    return replace(factor, secret=secret if seal is None else None, sealed=seal)


def secret_of(factor: SecondFactor, secrets: str) -> str | None:
    """Return the secret that the app has; None if none of `secrets` has sealed it."""
    if factor.sealed is None:
        return factor.secret
    content = _opened(factor.sealed, secrets)
    return None if content is None else content.decode()


def resealed(factor: SecondFactor, secrets: str) -> SecondFactor:
    """Return the factor with its secret sealed by the first of `secrets`, if it can be read."""
    secret = secret_of(factor, secrets)
    return factor if secret is None else with_secret(factor, secret, secrets)


def can_sign(key: SigningKey, secrets: str) -> bool:
    """Return whether the private half of the key can be read with one of the secrets."""
    return _private_half(key, secrets) is not None


def private_half(key: SigningKey, secrets: str) -> dict[str, str]:
    """Return the private half of the signing key as a JWK.

    Raises OwnerAway if none of the secrets has sealed it: nobody can log in until that is mended.
    """
    private = _private_half(key, secrets)
    if private is None:
        log.error("the signing key can't be read: CARREL_SIGNING_SECRETS lacks its secret")
        raise OwnerAway("accounts")
    return private


def _private_half(key: SigningKey, secrets: str) -> dict[str, str] | None:
    if key.sealed is None:
        return key.private
    content = _opened(key.sealed, secrets)
    if content is None:
        return None
    private: dict[str, str] = orjson.loads(content)
    return private


def _sealed(content: bytes, secrets: str) -> str | None:
    """Return content sealed with the first of these secrets; None if no secret is set."""
    box = _box(secrets)
    return box.encrypt(content).decode() if box else None


def _opened(seal: str, secrets: str) -> bytes | None:
    """Return sealed content; None if none of these secrets has sealed it."""
    box = _box(secrets)
    try:
        return box.decrypt(seal) if box else None
    except InvalidToken:
        return None


def _box(secrets: str) -> MultiFernet | None:
    given = [_fernet(one) for one in each_of(secrets)]
    return MultiFernet(given) if given else None


def _fernet(secret: str) -> Fernet:
    digest = hashlib.sha256(f"carrel signing\n{secret}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))
