"""Choose a new PIN: one's own, by a code from an e-mail, or a first one of staff.

A request for a code is one write, whether or not there is such a card; the job `pin-resets` then
looks for its holder. So neither the answer nor its duration tells which cards exist.
"""

import asyncio
import math
from dataclasses import dataclass, field
from datetime import date, datetime

from zxcvbn import zxcvbn

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.commands import alert_of_pin, keep_address
from services.accounts.cardholders.rules import Cardholder
from services.accounts.passkeys import store as passkeys_store
from services.accounts.pins import refusals, rules, store
from services.accounts.pins.rules import LOCAL_WORDS, PinReset, easiness, with_signs_read, word_of
from services.accounts.sign_in import store as sign_in_store
from services.accounts.sign_in.commands.confirm_pin import (
    Spending,
    logging_in,
    record_attempt,
    record_failure,
    spend_patiently,
)
from services.accounts.sign_in.commands.hashes import THREADS, hash_pin, pin_matches
from services.accounts.sign_in.commands.sessions import end, end_all, end_of
from services.accounts.sign_in.refusals import WrongPin
from services.accounts.sign_in.rules import Source, StrangersLimits
from shared.contracts.accounts import PinIssued, PinResetRequested
from shared.contracts.accounts import PinReset as PinResetEvent
from shared.ids import new_id
from shared.unit_of_work import Run, Work

ASK = "POST /v1/pin-resets"
ENTER = "PUT /v1/pin-resets/{reset_id}"


async def new_pin_hash(pin: str, card_number: str = "", born_on: date | None = None) -> str:
    """Return the stored form of a PIN that somebody chose for a card.

    Raises CommonPin, SequentialPin, CardInPin or DateAsPin.
    """
    await refuse_easy_pin(pin, card_number, born_on)
    return await hash_pin(pin)


async def refuse_easy_pin(pin: str, card_number: str = "", born_on: date | None = None) -> None:
    """Raise a refusal of EASY_PINS if a PIN is too easy to guess."""
    guesses = await asyncio.get_running_loop().run_in_executor(THREADS, _guesses, pin)
    too_easy = easiness(pin, card_number, guesses, born_on)
    if too_easy:
        raise too_easy


def _guesses(pin: str) -> float:
    """Return how many guesses a PIN takes, or the word in it: digits beside a word add nothing."""
    found = zxcvbn(with_signs_read(pin), user_inputs=LOCAL_WORDS)
    word = word_of(pin)
    return min(float(found["guesses"]), _guesses_of_word(word) if word else math.inf)


def _guesses_of_word(word: str) -> float:
    """Return how many guesses a word takes; infinity if it is in no list and follows no pattern."""
    found = zxcvbn(word, user_inputs=LOCAL_WORDS)
    [*patterns] = (part["pattern"] for part in found["sequence"])
    is_known = len(patterns) == 1 and patterns != ["bruteforce"]
    return float(found["guesses"]) if is_known else math.inf


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


async def ask_for_code(run: Run, command: RequestPinReset) -> PinReset:
    """Store the request and return it. Raises TooManyResets.

    The limits are those of log-ins, counted apart: asking for codes does not lock the card, and
    keeps nobody in the network from logging in. Beside them a card has a budget of each day.
    """
    try:
        reset = await _ask_for_code(run, command)
    except refusals.TooManyResets as refusal:
        await record_failure(run, command.card_digest, command.address, refusal, ASK)
        raise
    await record_attempt(run, command.card_digest, command.address, ASK)
    return reset


async def _ask_for_code(run: Run, command: RequestPinReset) -> PinReset:
    of_strangers = rules.budgets_of_asking(command.stranger, command.limits)
    for budget in of_strangers:  # the network's first: it then costs one write
        if not (await sign_in_store.spend(run.database, budget)).spent:
            raise refusals.TooManyResets
    counted = store.resets_of(command.card_digest)
    attempt = await sign_in_store.take_attempt(run.database, counted, command.card_digest)
    if not attempt.taken:
        raise refusals.TooManyResets
    await sign_in_store.note_failure(run.database, counted)
    budget = rules.budget_of_resets(command.card_digest)
    if not (await sign_in_store.spend(run.database, budget)).spent:
        raise refusals.TooManyResets
    return await run(request_pin_reset, command.card_digest, command.at)


def request_pin_reset(work: Work, card_digest: str, at: datetime) -> PinReset:
    """Store a request for a code."""
    reset = PinReset(new_id(), card_digest, at + rules.VALID_FOR)
    store.save(work, reset)
    return reset


def send_code(work: Work, reset_id: str) -> bool:
    """Publish that a code is to be sent to the card's holder; return False if it can't be.

    Only patrons with an e-mail address get one. The event does not have the code: the service that
    sends it asks for address and code together.
    """
    reset = store.get(work, reset_id)
    if reset is None or reset.state != "requested":
        return False
    holder = cardholders_store.with_card(work, reset.card_digest)
    patron = cardholders_store.patron(work, holder.id) if holder and holder.email else None
    sent = rules.sent_to(reset, patron.id if patron else None)
    store.save(work, sent)
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
    except (refusals.WrongResetCode, refusals.TooManyCodes) as refusal:
        reset = await store.find_one(run.database, command.reset_id)
        card = reset.card_digest if reset else ""
        await record_failure(run, card, command.address, refusal, ENTER)
        raise


async def _enter_code(run: Run, command: EnterCode, keys: str) -> Cardholder:
    async def spend(spending: Spending) -> None:
        for budget in rules.budgets_of_entering(command.stranger, command.limits):
            await spending.spend(run.database, budget)

    spending = await spend_patiently(run.database, spend, refusals.TooManyCodes)
    reset = await store.take_try(run.database, command.reset_id, command.at)
    if reset is None or not rules.is_code(command.code, rules.PURPOSE, reset.id, keys):
        await spending.keep(run.database)
        raise refusals.WrongResetCode
    await spending.give_back(run.database)
    holder = await cardholders_store.find_cardholder(run.database, reset.patron_id or "")
    if holder is None:
        raise refusals.WrongResetCode
    if reset.state == "used":
        if not await pin_matches(command.new_pin, holder.pin_hash):
            raise refusals.WrongResetCode
        await run(show_replaced, reset.id)
        return holder
    pin_hash = await new_pin_hash(command.new_pin, holder.card_number, holder.born_on)
    recording = logging_in(run, holder, command.address, ENTER)
    changed = await recording(replace_pin, reset.id, pin_hash)
    run.events.extend(recording.events)  # the gateway ends the sessions before it answers
    return changed


def replace_pin(work: Work, reset_id: str, pin_hash: str) -> Cardholder:
    """Replace the PIN, unlock the card, end other requests and all sessions; return the holder.

    Passkeys end too: somebody who knew the PIN until now may have added one. Raises WrongResetCode.
    """
    reset = store.get(work, reset_id)
    if reset is None or reset.state != "sent" or reset.patron_id is None:
        raise refusals.WrongResetCode
    holder = cardholders_store.cardholder(work, reset.patron_id)
    if holder is None or reset.card_digest not in (holder.card_digest, holder.former_digest):
        raise refusals.WrongResetCode
    changed = holder.with_pin(pin_hash)
    cardholders_store.save_cardholders(work, changed)
    store.delete_of_card(work, holder.card_digest, but=reset.id)
    sessions = sign_in_store.sessions_of(work, holder.id)
    store.save(work, rules.used(reset, sessions))
    sign_in_store.delete_attempts(work, holder.card_digest)
    passkeys_store.delete_of_account(work, holder.id)
    end(work, sessions)
    if holder.role == "patron":
        keep_address(work, holder, reset.id)
        work.record(_chosen(holder.id, reset.id))
    return changed


def show_replaced(work: Work, reset_id: str) -> None:
    """Show the caller what `replace_pin` recorded."""
    reset = store.get(work, reset_id)
    if reset is None or reset.patron_id is None:
        return
    for session in reset.ended:
        work.show(end_of(session))
    if cardholders_store.patron(work, reset.patron_id):
        work.show(_chosen(reset.patron_id, reset.id))


def _chosen(patron_id: str, reset_id: str) -> PinResetEvent:
    return PinResetEvent(patron_id=patron_id, reset_id=reset_id, alert_id=reset_id, version=2)


def issue_pin(work: Work, holder: Cardholder, at: datetime) -> None:
    """Let a code be sent, valid from `at` on by the wall clock; earlier ones end.

    Raises NoStaffAddress.
    """
    if not holder.email:
        raise refusals.NoStaffAddress
    reset = rules.issued(new_id(), holder.card_digest, holder.id, at)
    store.delete_of_card(work, holder.card_digest)
    store.save(work, reset)
    work.record(PinIssued(account_id=holder.id, reset_id=reset.id, version=1))


def change_own_pin(work: Work, confirmed: Cardholder, pin_hash: str, session_id: str) -> None:
    """Replace the PIN, and end open requests for codes and all sessions but the caller's.

    Raises WrongPin if the PIN that was confirmed has been replaced since.
    Passkeys stay: whoever is logged in sees and removes them.
    The end of the sessions is published, and that a patron is to be told: no other service knows
    PINs.
    """
    holder = cardholders_store.cardholder(work, confirmed.id)
    if holder is None or holder.pin_version != confirmed.pin_version:
        raise WrongPin
    cardholders_store.save_cardholders(work, holder.with_pin(pin_hash))
    if holder.role == "patron":
        alert_of_pin(work, holder, "patron")
    store.delete_of_card(work, holder.card_digest)
    end_all(work, holder.id, but=session_id)
