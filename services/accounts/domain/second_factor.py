"""The second factor of an account of staff, as it is stored: codes beside the PIN."""

from dataclasses import dataclass, field

from services.accounts.domain.lockout import DAY, Budget

MOST_CODES = 20
"""Wrong codes a day of all strangers who know the PIN of a card."""


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """A second factor. Either `secret` or `sealed` has the secret that the app has."""

    id: str
    secret: str | None = field(repr=False)
    """The secret in Base32; None: it is sealed."""
    sealed: str | None = field(repr=False)
    """The secret sealed with one of CARREL_SIGNING_SECRETS."""
    confirmed: bool = False
    """False until a first code has shown that the app has the secret; no code is asked for."""
    last_step: int = 0
    """Time step of the last code that was used: that code and older ones are refused."""
    recovery: tuple[str, ...] = field(default=(), repr=False)
    """Digests of the recovery codes that were not used."""


def budget_of_codes(card_digest: str) -> Budget:
    """Return the budget of wrong codes of all strangers with a card and its PIN."""
    return Budget(f"codes {card_digest}", MOST_CODES, DAY, card_digest)
