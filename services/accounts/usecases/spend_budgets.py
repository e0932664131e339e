"""Spend the budgets of wrong PINs of an attempt, before its PIN is checked."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from services.accounts import store
from services.accounts.domain.lockout import (
    Budget,
    Source,
    StrangersLimits,
    budget_of_device,
    budget_of_everyone,
    budget_of_network,
    budgets_of_card,
    mark_of,
)
from services.accounts.domain.refusals import Locked, StrangersWait
from services.accounts.domain.second_factor import budget_of_codes
from shared.mongo import Database


@dataclass
class Spending:
    """The budgets that an attempt has spent at `at`."""

    at: datetime
    strangers_card: str | None = field(default=None, repr=False)
    """Digest of the card that a stranger tries; None: it is no stranger."""
    budgets: list[Budget] = field(default_factory=list)
    tried: tuple[Budget, str] | None = None
    """The budget of the stranger's network, and the mark of the card there."""

    async def spend(self, db: Database, *budgets: Budget) -> bool:
        """Spend these budgets; return whether all of them had something left."""
        spent = await asyncio.gather(*(store.attempts.spend(db, one, self.at) for one in budgets))
        self.budgets += [one for one, was in zip(budgets, spent, strict=True) if was]
        return all(spent)

    async def spend_of_codes(self, db: Database) -> bool:
        """Spend the budget of codes with the right PIN; return whether it had something left.

        A known device has none: its budget of wrong PINs is as small.
        """
        card = self.strangers_card
        return card is None or await self.spend(db, budget_of_codes(card))

    async def give_back(self, db: Database) -> None:
        """Uncount the attempt: its PIN was right, or is not checked."""
        await asyncio.gather(*(store.attempts.give_back(db, one, self.at) for one in self.budgets))

    async def forgive_card(self, db: Database) -> None:
        """Forget that the network has tried the card, because the PIN was right."""
        if self.tried is not None:
            await store.attempts.forgive_card(db, *self.tried)


async def spend_budgets(
    db: Database, card_digest: str, source: Source, limits: StrangersLimits, at: datetime
) -> Spending:
    """Spend the budgets that apply to an attempt.

    Raises StrangersWait, or Locked for a known device; then nothing is spent. An open session of a
    patron has no budget but its lock. The steps do not depend on whether there is such a card.
    """
    spending = Spending(at, card_digest if source.is_stranger else None)
    if source.is_stranger:
        if not await _spend_of_stranger(db, spending, card_digest, source, limits):
            await spending.give_back(db)
            raise StrangersWait
    elif source.kind == "device" and not await spending.spend(
        db, budget_of_device(card_digest, source)
    ):
        raise Locked
    return spending


async def _spend_of_stranger(
    db: Database, spending: Spending, card_digest: str, source: Source, limits: StrangersLimits
) -> bool:
    network, mark = budget_of_network(source, limits), mark_of(card_digest, source)
    of_network = await store.attempts.spend_of_network(db, network, mark, spending.at)
    if not of_network.spent:  # one write is all that a bot costs once its network has to wait
        return False
    spending.budgets.append(network)
    spending.tried = network, mark
    if not await spending.spend(db, budget_of_everyone(limits)):
        return False
    return await spending.spend(db, *budgets_of_card(card_digest, sprays=of_network.sprays))
