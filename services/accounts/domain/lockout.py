"""Limits on wrong PINs: a PIN can't be guessed, and nobody can lock the owner of a card out.

Whoever knows nothing about a card but its number is a stranger. Strangers share budgets of wrong
PINs. A device on which somebody has logged in with the card has a budget of its own, and so has an
open session whose patron confirms a change.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

MOST_ATTEMPTS = 5
"""Attempts within WINDOW that lock a card for the place where they come from; a successful one
deletes the attempts before it."""
WINDOW = timedelta(minutes=15)
LOCKED_FOR = timedelta(minutes=15)
CHECKED_WITHIN = timedelta(seconds=10)
"""Longest check of an attempt: one that took longer was ended by a deadline, or with its process,
and stays counted."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOST_OF_DEVICE = 20
"""Wrong PINs a day from one known device."""
MOST_OF_CARD = 100
"""Wrong PINs an hour of all strangers with one card."""
MOST_OF_SPRAYED_CARD = 5
"""Wrong PINs a day with one card, above which strangers wait whose network has tried other cards
in vain: they may be guessing the PINs of many cards."""

MOST_RECORDED_OF_NETWORK = 100
"""Acts without a token an hour of one network that the audit trail has, each with any card."""
MOST_RECORDED_OF_CARD = 20
"""The same for one network with one card."""
MOST_RECORDED = 2_000
"""The same for all networks together."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `most` wrong PINs within `window`, counted together by all replicas."""

    key: str
    most: int | None
    """None: they are counted, and not limited."""
    window: timedelta
    card_digest: str | None = None
    """Digest of the card whose new PIN ends the count; None: it goes on."""


@dataclass(frozen=True, slots=True)
class StrangersLimits:
    """Wrong PINs an hour of all strangers of one network, and of all together; 0: no limit.

    As many codes to choose a new PIN may be asked for, and as many wrong ones entered.
    """

    network: int
    everyone: int


@dataclass(frozen=True, slots=True)
class Source:
    """The source of an attempt; the card is locked for it only."""

    kind: str
    """`device`: a known one; `session`: an open one; `network`: a stranger."""
    id: str = ""

    @property
    def is_stranger(self) -> bool:
        """True if the attempt spends the budgets that strangers share."""
        return self.kind == "network"

    def lock_of(self, card_digest: str) -> str:
        """Return the id of the lock of a card for this place."""
        return f"{card_digest} {self.kind} {self.id}".rstrip()


OWN_SESSION = Source("session")
"""A patron who is logged in and confirms a change."""


def budget_of_device(card_digest: str, device: Source) -> Budget:
    """Return the budget of a known device with a card."""
    return Budget(f"day {device.lock_of(card_digest)}", MOST_OF_DEVICE, DAY, card_digest)


def budget_of_everyone(limits: StrangersLimits, of: str = "") -> Budget:
    """Return the budget of all strangers together: `of` wrong PINs, or of something else."""
    return Budget(f"{of} everyone".lstrip(), limits.everyone or None, HOUR)


def budget_of_network(stranger: Source, limits: StrangersLimits, of: str = "") -> Budget:
    """Return the same budget of the strangers of one network."""
    return Budget(f"{of} network {stranger.id}".lstrip(), limits.network or None, HOUR)


def mark_of(card_digest: str, stranger: Source) -> str:
    """Return the mark of a card among those that a network has tried.

    It is not the card's digest, so nothing of an erased patron is left there.
    """
    return hashlib.sha256(f"{stranger.id} {card_digest}".encode()).hexdigest()[:32]


def budgets_of_card(card_digest: str, *, sprays: bool) -> tuple[Budget, ...]:
    """Return the budgets of all strangers with a card; `sprays`: they may be guessing many."""
    of_day = MOST_OF_SPRAYED_CARD if sprays else None
    return (
        Budget(f"hour {card_digest}", MOST_OF_CARD, HOUR, card_digest),
        Budget(f"day {card_digest}", of_day, DAY, card_digest),
    )


def budgets_of_record(card_digest: str, network: str) -> tuple[Budget, ...]:
    """Return the budgets of entries in the audit trail about acts without a token."""
    came_from = hashlib.sha256(network.encode()).hexdigest()[:32]
    return (
        Budget(f"recorded {came_from}", MOST_RECORDED_OF_NETWORK, HOUR),
        Budget(f"recorded {came_from} {card_digest}", MOST_RECORDED_OF_CARD, HOUR, card_digest),
        Budget("recorded", MOST_RECORDED, HOUR),
    )
