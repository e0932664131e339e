"""Codes of a second factor: from an app (TOTP, RFC 6238), and recovery codes.

The secret that the app has is sealed like the key that signs tokens. Recovery codes, for somebody
who has lost the app, are stored as keyed digests.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyotp
import structlog

from services.accounts.domain.second_factor import SecondFactor
from services.accounts.settings import Settings
from services.accounts.usecases.seal_key import resealed, secret_of, with_secret
from shared import keys as keyed
from shared.ids import new_id

ISSUER = "Carrel"
RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_STEPS_AROUND = 1
"""Time steps of 30 seconds before and after the present one whose codes are accepted, for the clock
of the phone and for slow typing."""

log = structlog.get_logger()


@dataclass(frozen=True)
class FactorKeys:
    """The keys of second factors."""

    digests: str = field(repr=False)
    """Keys of the digests of recovery codes: CARREL_RECOVERY_KEYS."""
    seals: str = field(repr=False)
    """Secrets that seal what apps have, the newest first: CARREL_SIGNING_SECRETS, or empty."""

    @classmethod
    def of(cls, settings: Settings) -> "FactorKeys":
        """Return the keys of these settings."""
        return cls(settings.recovery_keys, settings.signing_secrets)


def new_factor(secret: str, keys: FactorKeys) -> SecondFactor:
    """Return a second factor with this secret, which no code has confirmed yet."""
    return with_secret(SecondFactor(new_id(), None, None), secret, keys.seals)


def new_secret() -> str:
    """Return a secret for an app, in Base32."""
    return pyotp.random_base32()


def address_of(secret: str, name: str) -> str:
    """Return the address with the secret that apps read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def new_recovery_codes() -> list[str]:
    """Return codes that can be used once each, instead of one from the app."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(2))
        for _ in range(RECOVERY_CODES)
    ]


def recovery_digests(factor_id: str, codes: Sequence[str], keys: FactorKeys) -> tuple[str, ...]:
    """Return what is stored of recovery codes."""
    return tuple(keyed.digest(keys.digests, _said(factor_id, code)).hex() for code in codes)


def after_code(
    factor: SecondFactor, typed: str, keys: FactorKeys, at: datetime
) -> SecondFactor | None:
    """Return the factor after a code was used, at `at` by the wall clock; None: it is wrong.

    Each code of the app is accepted once, and so is each recovery code. Case, blanks and dashes
    don't count.
    """
    code = "".join(typed.lower().split()).replace("-", "")
    if not (code.isascii() and code.isalnum()):
        return None
    step = _step_of(factor, code, keys, at)
    if step is not None:
        return replace(resealed(factor, keys.seals), last_step=step)
    digests = {one.hex() for one in keyed.digests(keys.digests, _said(factor.id, code))}
    left = tuple(one for one in factor.recovery if one not in digests)
    return replace(factor, recovery=left) if left != factor.recovery else None


def _step_of(factor: SecondFactor, code: str, keys: FactorKeys, at: datetime) -> int | None:
    """Return the time step of an unused code of the app; None: it is none."""
    secret = secret_of(factor, keys.seals)
    if secret is None:
        log.error("a second factor can't be read: CARREL_SIGNING_SECRETS lacks its secret")
        return None
    app = pyotp.TOTP(secret)
    try:
        step = app.verify_and_get_timecode(code, for_time=at, valid_window=_STEPS_AROUND)
    except pyotp.OTPVerificationError:
        return None
    return step if step > factor.last_step else None


def _said(factor_id: str, code: str) -> str:
    return f"recovery\n{factor_id}.{code.replace('-', '')}"
