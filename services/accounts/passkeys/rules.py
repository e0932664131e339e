"""Passkeys, and the purposes of the challenges that they sign (https://www.w3.org/TR/webauthn-3/).

Nothing is stored of a challenge until it is used, so that showing the log-in page costs no write.
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

MOST_PASSKEYS = 10
"""Maximum number of passkeys of one account."""
VALID_FOR = timedelta(minutes=5)
"""Lifetime of a challenge: the time that people have to choose a passkey on their device."""


@dataclass(frozen=True, slots=True)
class Passkey:
    """A credential that an authenticator keeps for one account."""

    id: str
    """Digest of the authenticator's id, which may be long."""
    account_id: str
    """Id of the cardholder: a patron, or somebody of the staff."""
    credential: str = field(repr=False)
    """Id that the authenticator has given, in Base64url."""
    public_key: str = field(repr=False)
    """Public key in the form of COSE, in Base64url."""
    name: str = field(repr=False)
    """Name by which its owner recognizes it, such as the device's."""
    added_at: datetime
    counter: int
    """Number of signatures that the authenticator has counted; it counts none if it is 0."""
    used_at: datetime | None = None
    """Instant of the last log-in with it. Like the other times by the wall clock."""
    version: int = 1


def id_of(credential: str) -> str:
    """Return the id under which the passkey of an authenticator is stored."""
    return hashlib.sha256(credential.encode()).hexdigest()


def after_use(passkey: Passkey, counter: int, at: datetime) -> Passkey | None:
    """Return the passkey after a log-in; None if its counter says that it was copied.

    The counter of an authenticator that has one grows with each signature.
    """
    if (counter or passkey.counter) and counter <= passkey.counter:
        return None
    return replace(passkey, counter=counter, used_at=at, version=passkey.version + 1)


def to_add(account_id: str, pin_version: int, session_id: str) -> str:
    """Return the purpose of a challenge to add a passkey in a session that has confirmed a PIN."""
    return f"passkey\nadd\n{account_id}\n{pin_version}\n{session_id}"


def to_log_in(browser: str) -> str:
    """Return the purpose of a challenge with which one browser logs in; the text is its secret."""
    return f"passkey\nlog-in\n{browser}"
