"""Published by accounts: patrons and what they prefer. No name, contact or PIN travels here."""

from typing import Literal

from pydantic import Field

from shared.contracts.event import Event


class PatronSnapshot(Event):
    """A patron without personal details."""

    patron_id: str
    category: str = Field(description="`adult` or `junior`; a library may have others.")
    home_branch: str = Field(description="Branch code.")
    language: str = Field(description="`en`, `zh-Hant` or `zh-Hans`.")
    status: Literal["active", "blocked", "erased"]
    blocked_by: tuple[Literal["staff", "money"], ...] = Field(
        default=(),
        description="Who or what blocks them. Empty if blocked: by the staff (an older event).",
    )
    card_digest: str = Field(
        description="Keyed digest of the card number (hex HMAC-SHA256 under CARREL_CARD_KEY): "
        "who holds the key can recognise a card, nobody can read it. Empty once erased."
    )


class PatronRegistered(
    PatronSnapshot,
    topic="patron.registered",
    publisher="accounts",
    key="patron_id",
    subject="patron_id",
):
    """Published when a patron is registered."""


class PatronUpdated(
    PatronSnapshot,
    topic="patron.updated",
    publisher="accounts",
    key="patron_id",
    subject="patron_id",
):
    """Published when category, home branch, language, card or the reasons of a block change."""


class PatronBlocked(
    PatronSnapshot,
    topic="patron.blocked",
    publisher="accounts",
    key="patron_id",
    subject="patron_id",
):
    """Published when a patron may no longer borrow, renew or reserve: by the staff, or by debt."""


class PatronUnblocked(
    PatronSnapshot,
    topic="patron.unblocked",
    publisher="accounts",
    key="patron_id",
    subject="patron_id",
):
    """Published when a blocked patron may borrow again."""


class PatronErased(
    PatronSnapshot,
    topic="patron.erased",
    publisher="accounts",
    key="patron_id",
    subject="patron_id",
):
    """Published when a patron is erased: each service forgets them and leaves a tombstone."""


class PreferencesChanged(
    Event,
    topic="preferences.changed",
    publisher="accounts",
    key="patron_id",
    subject="patron_id",
):
    """Published when a patron saves My Setting; `version` counts the preferences."""

    patron_id: str
    followed_branches: tuple[str, ...] = Field(description="Branch codes, sorted.")
    activity_types: tuple[str, ...] = Field(description="As `talk`, `exhibition`; sorted.")
    language: str
    channels: tuple[str, ...] = Field(description="`inbox` always; later `email`, `sms`.")
    keep_history: bool = Field(description="Whether returned loans stay linked to the patron.")
