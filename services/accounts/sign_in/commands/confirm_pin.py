"""Confirm a PIN within the budgets of wrong ones, and record what is done without a token.

A PIN is confirmed at log-in, and before somebody changes what protects their account.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Cardholder, SecondFactor
from services.accounts.refusals import Refusal
from services.accounts.settings import Settings
from services.accounts.sign_in import store
from services.accounts.sign_in.commands.hashes import pin_matches
from services.accounts.sign_in.refusals import Locked, StrangersWait, WrongCode, WrongPin
from services.accounts.sign_in.rules import (
    OWN_SESSION,
    Budget,
    Source,
    StrangersLimits,
    budget_of_codes,
    budget_of_device,
    budget_of_everyone,
    budget_of_network,
    budget_of_station,
    budgets_of_card,
    budgets_of_record,
    mark_of,
)
from shared.audit_trail import Act, record
from shared.deadlines import allowed
from shared.http.client_address import truncated
from shared.ids import new_id
from shared.mongo import Database
from shared.unit_of_work import Busy, Run

PATIENCE_SECONDS = 0.8
"""Time to wait for attempts that are being checked, in seconds. Checking a PIN takes about 0.03 s,
and a caller gets an answer in 1.5 s."""
LOOK_SECONDS = 0.05

LOG_IN = "POST /v1/sessions"

NO_LIMITS = StrangersLimits(network=0, everyone=0)


def limits_of(settings: Settings) -> StrangersLimits:
    """Return the limits of wrong PINs, and of codes to choose a new one."""
    return StrangersLimits(settings.wrong_pins_per_network, settings.wrong_pins_of_strangers)


class Spent(Exception):
    """A budget has nothing left."""

    def __init__(self, by_others_now: bool) -> None:
        super().__init__()
        self.by_others_now = by_others_now
        """True if it may have something left once the attempts of others have been checked."""


@dataclass
class Spending:
    """The budgets that an attempt has spent."""

    strangers_card: str | None = field(default=None, repr=False)
    """Digest of the card that a stranger tries; None: it is no stranger."""
    attempt: str = field(default_factory=new_id)
    budgets: list[tuple[Budget, datetime]] = field(default_factory=list)
    """Each budget with the slot in which the attempt is counted."""
    tried: tuple[Budget, str] | None = None
    """The budget of the stranger's network, and the mark of the card there."""

    async def spend(self, db: Database, *budgets: Budget, sprays_now: bool = False) -> None:
        """Spend these budgets. Raises Spent unless all of them had something left.

        `sprays_now`: one of them is small because of attempts that are being checked.
        """
        found = await asyncio.gather(*(store.spend(db, budget, self.attempt) for budget in budgets))
        each = list(zip(budgets, found, strict=True))
        self.budgets += [(budget, counted.slot) for budget, counted in each if counted.spent]
        refused = [counted for counted in found if not counted.spent]
        if refused:
            raise Spent(sprays_now or all(counted.others_checked for counted in refused))

    async def spend_of_codes(self, db: Database) -> bool:
        """Spend the budget of codes with the right PIN; return whether it had something left.

        A known device has none: its budget of wrong PINs is as small.
        """
        if self.strangers_card is None:
            return True
        try:
            await self.spend(db, budget_of_codes(self.strangers_card))
        except Spent:
            return False
        return True

    async def give_back(self, db: Database) -> None:
        """Uncount the attempt: its PIN was right, or is not checked."""
        await asyncio.gather(*(store.give_back(db, *one, self.attempt) for one in self.budgets))

    async def keep(self, db: Database) -> None:
        """Leave the attempt counted, because its PIN was wrong."""
        await asyncio.gather(
            self.keep_card(db),
            *(store.keep_counted(db, one, self.attempt) for one, _ in self.budgets),
        )

    async def keep_card(self, db: Database) -> None:
        """Note that the network has tried the card in vain."""
        if self.tried is not None:
            await store.keep_card(db, *self.tried)

    async def forgive_card(self, db: Database) -> None:
        """Forget that the network has tried the card, because the PIN was right."""
        if self.tried is not None:
            await store.forgive_card(db, *self.tried)


async def spend_budgets(
    db: Database, card_digest: str, source: Source, limits: StrangersLimits
) -> Spending:
    """Spend the budgets that apply to an attempt.

    Raises StrangersWait, or Locked for a known device or a station; then nothing is spent. An open
    session of a patron has no budget but its lock. The steps do not depend on whether there is such
    a card. Raises Busy too, as `spend_patiently`.
    """

    async def spend(spending: Spending) -> None:
        if source.is_stranger:
            spending.strangers_card = card_digest
            await _spend_of_stranger(db, spending, card_digest, source, limits)
        elif source.kind == "station":
            of_card = budget_of_device(card_digest, source)
            await spending.spend(db, of_card, budget_of_station(source))
        elif source.kind == "device":
            await spending.spend(db, budget_of_device(card_digest, source))

    return await spend_patiently(db, spend, StrangersWait if source.is_stranger else Locked)


async def spend_patiently(
    db: Database, spend: Callable[[Spending], Awaitable[None]], refusal: type[Refusal]
) -> Spending:
    """Return what `spend` has spent; raise the refusal if it could not spend everything.

    Attempts that are being checked may all be right, such as when a whole library logs in again.
    An attempt that is refused because of them waits for their outcome, and raises Busy if it is
    not known in time.
    """
    patience = time.monotonic() + allowed(PATIENCE_SECONDS)
    while True:
        spending = Spending()
        try:
            await spend(spending)
        except Spent as spent:
            await spending.give_back(db)
            if not spent.by_others_now:
                await spending.keep_card(db)
                raise refusal from None
        else:
            return spending
        if time.monotonic() > patience:
            raise Busy
        await asyncio.sleep(LOOK_SECONDS)


async def _spend_of_stranger(
    db: Database, spending: Spending, card_digest: str, source: Source, limits: StrangersLimits
) -> None:
    network, mark = budget_of_network(source, limits), mark_of(card_digest, source)
    spending.tried = network, mark
    found = await store.spend_of_network(db, network, mark, spending.attempt)
    if not found.spent:  # one write is all that a bot costs once its network has to wait
        raise Spent(found.others_checked)
    spending.budgets.append((network, found.slot))
    await spending.spend(db, budget_of_everyone(limits))
    of_card = budgets_of_card(card_digest, sprays=found.sprays)
    sprays_now = found.sprays and not found.sprays_in_vain
    await spending.spend(db, *of_card, sprays_now=sprays_now)


def logging_in(run: Run, holder: Cardholder, address: str, what: str = LOG_IN) -> Run:
    """Return a run whose first transaction records the log-in.

    It has no Idempotency-Key: a repeated log-in is a new attempt.
    """
    network = truncated(address)
    act = Act(holder.id, [holder.role], what, [], network, run.origin.correlation_id)
    return run.because_of(replace(run.origin, act=act))


async def record_failure(
    run: Run, card_digest: str, address: str, refusal: Refusal, what: str = LOG_IN
) -> None:
    """Record a log-in that was refused, as `record_attempt` does."""
    await record_attempt(run, card_digest, address, f"{what} ({refusal.code})")


async def record_attempt(run: Run, card_digest: str, address: str, what: str) -> None:
    """Record an act of somebody without a token, with the id of the account if there is one.

    Further ones of an hour are left out, so that nobody can fill the trail. The steps do not depend
    on whether there is such a card.
    """
    network = truncated(address)
    for budget in budgets_of_record(card_digest, network):
        if not (await store.spend(run.database, budget)).spent:
            return
    holder = await cardholders_store.holder_of_card(run.database, card_digest)
    act = Act(
        by=holder.id if holder else "",
        roles=[holder.role] if holder else [],
        act=what,
        address=network,
        correlation_id=run.origin.correlation_id,
    )
    await record(run.database, act)


async def confirm_pin(
    db: Database,
    card_digest: str,
    pin: str,
    *,
    source: Source,
    limits: StrangersLimits = NO_LIMITS,
    matches_code: Callable[[SecondFactor], bool] | None = None,
) -> Cardholder | None:
    """Return the card's holder, or None if there is no such card or the PIN is wrong.

    `matches_code` checks the code of a second factor that was typed beside the PIN; None: there was
    none. Raises StrangersWait, Locked, WrongCode or Busy.

    This is not one transaction, because checking a PIN takes too long for one. Each step is one
    atomic read or write, in a safe order: the attempt counts before PIN and code are checked, and
    an attempt that is never finished stays counted. So it is finished, and uncounted if the PIN is
    right, even if the deadline of the request ends it.
    """
    checking = asyncio.create_task(
        _confirm(db, card_digest, pin, source, limits=limits, matches_code=matches_code)
    )
    checking.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(checking)


async def _confirm(
    db: Database,
    card_digest: str,
    pin: str,
    source: Source,
    *,
    limits: StrangersLimits,
    matches_code: Callable[[SecondFactor], bool] | None,
) -> Cardholder | None:
    lock = source.lock_of(card_digest)
    spending = await spend_budgets(db, card_digest, source, limits)
    try:
        await _take_attempt(db, lock, card_digest)
    except (Locked, Busy):
        await spending.give_back(db)
        raise
    holder = await cardholders_store.holder_of_card(db, card_digest)
    matches = await pin_matches(pin, holder.pin_hash if holder else None)
    # Read again: the patron may have been erased, or the PIN changed, in the meantime.
    still = await cardholders_store.holder_of_card(db, card_digest) if matches else None
    if holder is None or still is None or still.pin_version != holder.pin_version:
        await _keep_counted(db, lock, spending)
        return None
    factor = still.second_factor if still.needs_code and source != OWN_SESSION else None
    if factor is not None and not await _confirm_code(db, lock, spending, factor, matches_code):
        return still
    await _forget(db, lock, spending)
    return still


async def _confirm_code(
    db: Database,
    lock: str,
    spending: Spending,
    factor: SecondFactor,
    matches_code: Callable[[SecondFactor], bool] | None,
) -> bool:
    """Return True after a right code, and False if there was none. Raises StrangersWait, WrongCode.

    A right PIN alone forgets no attempts before it: somebody who knows it could go on guessing
    codes. A wrong code counts as a wrong PIN does, and among those of the card.
    """
    if matches_code is None:
        await asyncio.gather(spending.give_back(db), store.note_failure(db, lock))
        return False
    if not await spending.spend_of_codes(db):
        await asyncio.gather(spending.give_back(db), store.note_failure(db, lock))
        raise StrangersWait
    if not matches_code(factor):
        await _keep_counted(db, lock, spending)
        raise WrongCode
    return True


async def _keep_counted(db: Database, lock: str, spending: Spending) -> None:
    await asyncio.gather(spending.keep(db), store.note_failure(db, lock))


async def _forget(db: Database, lock: str, spending: Spending) -> None:
    """Uncount an attempt whose PIN was right, and forget the wrong ones of its source before it."""
    await asyncio.gather(
        store.clear_attempts(db, lock),
        spending.give_back(db),
        spending.forgive_card(db),
    )


async def _take_attempt(db: Database, lock: str, card_digest: str) -> None:
    """Count the attempt. Raises Locked, or Busy if the outcome is not known in time.

    Attempts that are still being checked may all have the right PIN, for example the repeated
    clicks of an impatient patron. A caller refused because of them waits for their outcome.
    """
    patience = time.monotonic() + allowed(PATIENCE_SECONDS)
    while True:
        attempt = await store.take_attempt(db, lock, card_digest)
        if attempt.taken:
            return
        if not attempt.under_way:
            raise Locked
        while await store.are_under_way(db, lock):
            if time.monotonic() > patience:
                raise Busy
            await asyncio.sleep(LOOK_SECONDS)


async def confirm_own_pin(run: Run, holder: Cardholder, pin: str) -> Cardholder:
    """Return the holder, whose PIN was right. Raises WrongPin or Locked, which is recorded."""
    try:
        confirmed = await confirm_pin(run.database, holder.card_digest, pin, source=OWN_SESSION)
        if confirmed is None:
            raise WrongPin
    except (WrongPin, Locked) as refusal:
        if (act := run.origin.act) is not None:
            await record_failure(run, holder.card_digest, act.address, refusal, act.act)
        raise
    return confirmed
