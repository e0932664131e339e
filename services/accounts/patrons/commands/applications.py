"""Self-registration: apply for a card, confirm the e-mail address, and show a document at the desk.

An application is stored without looking for its address, so neither the answer nor its duration
tells which addresses are known. The database deletes it if nobody confirms it within a day.
"""

from dataclasses import dataclass, field
from datetime import date, datetime

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import PROVISIONAL, Cardholder, Patron
from services.accounts.patrons import refusals, rules, store
from services.accounts.patrons.commands.records import (
    AmendPatron,
    RegisterPatron,
    amend_patron,
    register_patron,
)
from services.accounts.patrons.rules import Application, category_by_age, expiry
from services.accounts.pins.rules import is_code
from services.accounts.sign_in import store as sign_in_store
from services.accounts.sign_in.rules import Source, StrangersLimits
from shared.contracts.accounts import PatronApplied
from shared.refusals import or_refuse
from shared.unit_of_work import Run, Work


@dataclass(frozen=True)
class Stranger:
    """Somebody without an account, who sends a request."""

    source: Source
    limits: StrangersLimits


async def check_may_apply(run: Run, stranger: Stranger, address_digest: str) -> None:
    """Spend the budgets of applications: of the network, of all together, of the address.

    Raises SelfRegistrationOff or TooManyApplications.
    """
    if await store.find_terms_of(run.database, PROVISIONAL) is None:
        raise refusals.SelfRegistrationOff
    for budget in rules.budgets_of_applying(stranger.source, stranger.limits, address_digest):
        if not (await sign_in_store.spend(run.database, budget)).spent:
            raise refusals.TooManyApplications


def apply_for_card(work: Work, application: Application) -> None:
    """Store the application and let its code be sent; neither name nor address is published."""
    store.save_application(work, application)
    work.record(PatronApplied(application_id=application.id, version=1))


@dataclass(frozen=True)
class ConfirmApplication:
    """A code as typed at `at` by the wall clock, and the number of the card that it gives."""

    application_id: str
    code: str = field(repr=False)
    card_number: str = field(repr=False)
    card_digest: str = field(repr=False)
    on: date
    at: datetime


async def confirm_application(
    run: Run, command: ConfirmApplication, stranger: Stranger, keys: str
) -> tuple[Patron, Cardholder]:
    """Give the applicant a provisional card if the code is right; return them with it.

    The try is counted before the code is compared. The same code succeeds again with the same card,
    so that a repeated request gets the same answer.

    Raises TooManyApplications, WrongApplicationCode, SelfRegistrationOff or OneCardForAddress.
    """
    for budget in rules.budgets_of_confirming(stranger.source, stranger.limits):
        if not (await sign_in_store.spend(run.database, budget)).spent:
            raise refusals.TooManyApplications
    found = await store.take_try(run.database, command.application_id, command.at)
    if found is None or not is_code(command.code, rules.APPLICATION, found.id, keys):
        raise refusals.WrongApplicationCode
    await run(give_provisional_card, command)
    return await cardholders_store.find_patron_and_holder(run.database, found.id)


def give_provisional_card(work: Work, command: ConfirmApplication) -> None:
    """Register the applicant with a provisional card, once.

    Raises WrongApplicationCode, SelfRegistrationOff, OneCardForAddress or CardTaken.
    """
    application = or_refuse(
        store.application(work, command.application_id), refusals.WrongApplicationCode
    )
    if application.confirmed:
        return
    until = or_refuse(
        expiry(store.card_terms(work, PROVISIONAL), command.on), refusals.SelfRegistrationOff
    )
    if store.has_card(work, application.address_digest):
        raise refusals.OneCardForAddress
    register_patron(
        work,
        RegisterPatron(
            id=application.id,
            card_number=command.card_number,
            card_digest=command.card_digest,
            pin_hash=application.pin_hash,
            name=application.name,
            category=PROVISIONAL,
            home_branch=application.home_branch,
            language=application.language,
            email=application.email,
            phone=None,
            born_on=application.born_on,
            card_expires_on=until,
        ),
    )
    store.save_application(work, rules.confirmed(application, command.at + (until - command.on)))


@dataclass(frozen=True)
class Verify:
    """A provisional patron who has shown a document; another card is optional."""

    patron_id: str
    on: date
    adult_age: int
    card_number: str | None = field(default=None, repr=False)
    card_digest: str | None = field(default=None, repr=False)


def verify_patron(work: Work, command: Verify) -> Patron:
    """Turn a provisional card into a full one of the category by age; return the patron.

    Raises NoSuchPatron, NotProvisional or CardTaken.
    """
    patron, holder = cardholders_store.patron_and_holder(work, command.patron_id)
    if patron.category != PROVISIONAL:
        raise refusals.NotProvisional
    category = category_by_age(holder.born_on, command.on, command.adult_age)
    store.delete_application(work, patron.id)
    return amend_patron(
        work,
        AmendPatron(
            patron.id,
            category=category,
            card_number=command.card_number,
            card_digest=command.card_digest,
            sets_expiry=True,
            card_expires_on=expiry(store.card_terms(work, category), command.on),
        ),
    )
