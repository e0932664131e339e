"""Second factors: codes from an app (TOTP, RFC 6238), and recovery codes.

The secret that the app has is sealed like the key that signs tokens. Recovery codes, for somebody
who has lost the app, are stored as keyed digests.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import pyotp
import structlog

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import PEOPLE, Cardholder, SecondFactor
from services.accounts.keys.commands import resealed, secret_of, with_secret
from services.accounts.refusals import NoSuchAccount
from services.accounts.settings import Settings
from services.accounts.sign_in import refusals
from services.accounts.sign_in.commands.sessions import end_all
from shared import keys as keyed
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work

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
    digests = {digest.hex() for digest in keyed.digests(keys.digests, _said(factor.id, code))}
    left = tuple(digest for digest in factor.recovery if digest not in digests)
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


def set_up_factor(work: Work, confirmed: Cardholder, factor: SecondFactor) -> None:
    """Store a second factor that no code has confirmed yet. Raises FactorExists."""
    holder = _holder(work, confirmed)
    if holder.needs_code:
        raise refusals.FactorExists
    _save(work, holder, factor)


def confirm_factor(
    work: Work,
    confirmed: Cardholder,
    factor_id: str,
    recovery: tuple[str, ...],
    *,
    code: str,
    keys: FactorKeys,
    at: datetime,
) -> None:
    """Ask for codes from now on, and end the sessions that were opened without one.

    `recovery`: digests of the recovery codes. `at`: instant of the first code by the wall clock.
    Raises NoFactor, FactorExists or WrongCode.
    """
    holder = _holder(work, confirmed)
    factor = holder.second_factor
    if factor is None or factor.id != factor_id:
        raise refusals.NoFactor
    if factor.confirmed:
        raise refusals.FactorExists
    after = or_refuse(after_code(factor, code, keys, at), refusals.WrongCode)
    _save(work, holder, replace(after, confirmed=True, recovery=recovery))
    end_all(work, holder.id)


def remove_own_factor(
    work: Work, confirmed: Cardholder, code: str, keys: FactorKeys, at: datetime
) -> None:
    """Ask for no codes any more, such as before a change of the phone. All sessions end.

    Raises NoFactor, CodeNeeded or WrongCode.
    """
    holder = _holder(work, confirmed)
    factor = holder.second_factor
    if factor is None or not factor.confirmed:
        raise refusals.NoFactor
    if not code:
        raise refusals.CodeNeeded
    if after_code(factor, code, keys, at) is None:
        raise refusals.WrongCode
    _save(work, holder, None)
    end_all(work, holder.id)


def _holder(work: Work, confirmed: Cardholder) -> Cardholder:
    """Return the account whose PIN was confirmed, unless the PIN has been replaced since."""
    holder = cardholders_store.cardholder(work, confirmed.id)
    if holder is None or holder.pin_version != confirmed.pin_version:
        raise refusals.BadCredentials
    if holder.role not in PEOPLE:
        raise NoSuchAccount
    if holder.disabled_at is not None:
        raise refusals.AccountDisabled
    return holder


def _save(work: Work, holder: Cardholder, factor: SecondFactor | None) -> None:
    cardholders_store.save_cardholders(work, replace(holder, second_factor=factor))
