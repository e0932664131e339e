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
from shared.mongo import Database


@dataclass
class Spending:
    """The budgets that an attempt has spent at `at`."""

    at: datetime
    budgets: list[Budget] = field(default_factory=list)
    tried: tuple[Budget, str] | None = None
    """The budget of the stranger's network, and the mark of the card there."""

    async def spend(self, db: Database, *budgets: Budget) -> bool:
        """Spend these budgets; return whether all of them had something left."""
        spent = await asyncio.gather(*(store.attempts.spend(db, one, self.at) for one in budgets))
        self.budgets += [one for one, was in zip(budgets, spent, strict=True) if was]
        return all(spent)

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
    spending = Spending(at)
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
    of_all, of_network = await asyncio.gather(
        spending.spend(db, budget_of_everyone(limits)),
        store.attempts.spend_of_network(db, network, mark, spending.at),
    )
    if of_network.spent:
        spending.budgets.append(network)
        spending.tried = network, mark
    if not (of_all and of_network.spent):
        return False
    return await spending.spend(db, *budgets_of_card(card_digest, sprays=of_network.sprays))
