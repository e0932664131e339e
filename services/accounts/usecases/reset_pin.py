"""Give a patron a new PIN by a code that is sent to their e-mail address, or staff a first one.

A request is one write, whether or not there is such a card; the job `pin-resets` then looks for its
holder. So neither the answer nor its duration tells which cards exist.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts import store
from services.accounts.domain import pin_reset as rules
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.lockout import Source, StrangersLimits
from services.accounts.domain.pin_reset import PinReset
from services.accounts.domain.refusals import TooManyCodes, TooManyResets, WrongResetCode
from services.accounts.usecases.alert_holder import keep_address
from services.accounts.usecases.check_pin import new_pin_hash, pin_matches, refuse_easy_pin
from services.accounts.usecases.end_sessions import end, end_of
from services.accounts.usecases.record_log_in import logging_in, record_attempt, record_failure
from services.accounts.usecases.spend_budgets import Spending, spend_patiently
from shared.contracts.accounts import PinReset as PinResetEvent
from shared.contracts.accounts import PinResetRequested
from shared.ids import new_id
from shared.unit_of_work import Run, Work

ASK = "POST /v1/pin-resets"
ENTER = "PUT /v1/pin-resets/{reset_id}"


@dataclass(frozen=True)
class RequestPinReset:
    """A request for a code, for a card given by its digest, at `at` by the wall clock."""

    card_digest: str = field(repr=False)
    at: datetime
    stranger: Source
    limits: StrangersLimits
    address: str = field(repr=False)
    """Network address of the client."""


@dataclass(frozen=True)
class EnterCode:
    """A code as typed, and the new PIN, at `at` by the wall clock."""

    reset_id: str
    code: str = field(repr=False)
    new_pin: str = field(repr=False)
    at: datetime
    stranger: Source
    limits: StrangersLimits
    address: str = field(repr=False)
    """Network address of the client."""


@dataclass(frozen=True)
class ReplacePin:
    """The new PIN of a patron who has entered the code; it is already hashed."""

    reset_id: str
    pin_hash: str = field(repr=False)


async def ask_for_code(run: Run, command: RequestPinReset) -> PinReset:
    """Store the request and return it. Raises TooManyResets.

    The limits are those of log-ins, counted apart: asking for codes does not lock the card, and
    keeps nobody in the network from logging in. Beside them a card has a budget of each day.
    """
    try:
        reset = await _ask_for_code(run, command)
    except TooManyResets as refusal:
        await record_failure(run, command.card_digest, command.address, refusal, ASK)
        raise
    await record_attempt(run, command.card_digest, command.address, ASK)
    return reset


async def _ask_for_code(run: Run, command: RequestPinReset) -> PinReset:
    of_strangers = rules.budgets_of_asking(command.stranger, command.limits)
    for budget in of_strangers:  # the network's first: it then costs one write
        if not (await store.attempts.spend(run.database, budget)).spent:
            raise TooManyResets
    counted = store.pin_resets.resets_of(command.card_digest)
    attempt = await store.attempts.take(run.database, counted, command.card_digest)
    if not attempt.taken:
        raise TooManyResets
    await store.attempts.note_failure(run.database, counted)
    budget = rules.budget_of_resets(command.card_digest)
    if not (await store.attempts.spend(run.database, budget)).spent:
        raise TooManyResets
    return await run(request_pin_reset, command)


def request_pin_reset(work: Work, command: RequestPinReset) -> PinReset:
    """Store a request for a code."""
    reset = PinReset(new_id(), command.card_digest, command.at + rules.VALID_FOR)
    store.pin_resets.save(work, reset)
    return reset


def send_code(work: Work, reset_id: str) -> bool:
    """Publish that a code is to be sent to the card's holder; return False if it can't be.

    Only patrons with an e-mail address get one. The event does not have the code: the service that
    sends it asks for address and code together.
    """
    reset = store.pin_resets.get(work, reset_id)
    if reset is None or reset.state != "requested":
        return False
    holder = store.with_card(work, reset.card_digest)
    patron = store.patron(work, holder.id) if holder and holder.email else None
    sent = rules.found(reset, patron.id if patron else None)
    store.pin_resets.save(work, sent)
    if patron is None:
        return False
    work.record(PinResetRequested(patron_id=patron.id, reset_id=reset.id, version=1))
    return True


async def enter_code(run: Run, command: EnterCode, keys: str) -> Cardholder:
    """Give the holder the new PIN if the code is right; return them with it.

    Raises CommonPin, SequentialPin or DateAsPin before the try is counted, TooManyCodes or Busy,
    WrongResetCode, or CardInPin. The try is counted before the code is compared. The same code with
    the same PIN succeeds again, so that a repeated request gets the same answer, and the gateway
    the ends of the sessions.
    """
    await refuse_easy_pin(command.new_pin)
    try:
        return await _enter_code(run, command, keys)
    except (WrongResetCode, TooManyCodes) as refusal:
        reset = await store.pin_resets.find_one(run.database, command.reset_id)
        card = reset.card_digest if reset else ""
        await record_failure(run, card, command.address, refusal, ENTER)
        raise


async def _enter_code(run: Run, command: EnterCode, keys: str) -> Cardholder:
    async def spend(spending: Spending) -> None:
        for budget in rules.budgets_of_entering(command.stranger, command.limits):
            await spending.spend(run.database, budget)

    spending = await spend_patiently(run.database, spend, TooManyCodes)
    reset = await store.pin_resets.take_try(run.database, command.reset_id, command.at)
    if reset is None or not rules.is_code(command.code, rules.PURPOSE, reset.id, keys):
        await spending.keep(run.database)
        raise WrongResetCode
    await spending.give_back(run.database)
    holder = await store.find_cardholder(run.database, reset.patron_id or "")
    if holder is None:
        raise WrongResetCode
    if reset.state == "used":
        if not await pin_matches(command.new_pin, holder.pin_hash):
            raise WrongResetCode
        await run(show_replaced, reset.id)
        return holder
    pin_hash = await new_pin_hash(command.new_pin, holder.card_number, holder.born_on)
    recording = logging_in(run, holder, command.address, ENTER)
    changed = await recording(replace_pin, ReplacePin(reset.id, pin_hash))
    run.events.extend(recording.events)  # the gateway ends the sessions before it answers
    return changed


def replace_pin(work: Work, command: ReplacePin) -> Cardholder:
    """Replace the PIN, unlock the card, end other requests and all sessions; return the holder.

    Raises WrongResetCode.
    """
    reset = store.pin_resets.get(work, command.reset_id)
    if reset is None or reset.state != "sent" or reset.patron_id is None:
        raise WrongResetCode
    holder = store.cardholder(work, reset.patron_id)
    if holder is None or reset.card_digest not in (holder.card_digest, holder.former_digest):
        raise WrongResetCode
    changed = replace(holder.with_pin(command.pin_hash), version=holder.version + 1)
    store.save_cardholders(work, changed)
    store.pin_resets.delete_of_card(work, holder.card_digest, but=reset.id)
    sessions = store.sessions.of_account(work, holder.id)
    store.pin_resets.save(work, rules.used(reset, sessions))
    store.attempts.delete_of_card(work, holder.card_digest)
    end(work, sessions)
    if holder.role == "patron":
        keep_address(work, holder, reset.id)
        work.record(_chosen(holder.id, reset.id))
    return changed


def show_replaced(work: Work, reset_id: str) -> None:
    """Show the caller what `replace_pin` recorded."""
    reset = store.pin_resets.get(work, reset_id)
    if reset is None or reset.patron_id is None:
        return
    for session in reset.ended:
        work.show(end_of(session))
    if store.patron(work, reset.patron_id):
        work.show(_chosen(reset.patron_id, reset.id))


def _chosen(patron_id: str, reset_id: str) -> PinResetEvent:
    return PinResetEvent(patron_id=patron_id, reset_id=reset_id, alert_id=reset_id, version=2)
