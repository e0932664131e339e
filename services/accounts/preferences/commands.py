"""Choose preferences, change addresses and confirm them, and make links to calendar feeds."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.commands import alert_of_contact
from services.accounts.cardholders.rules import Calendar, Cardholder, ChangedBy, Patron
from services.accounts.pins.rules import is_code
from services.accounts.preferences import refusals, rules, store
from services.accounts.preferences.events import preferences_event
from services.accounts.preferences.rules import ALWAYS, IN_USE, Branch, Choices, Setting, choose
from services.accounts.refusals import NoSuchPatron
from services.accounts.sign_in import store as sign_in_store
from services.accounts.sign_in.commands.confirm_pin import record_failure
from services.accounts.sign_in.refusals import WrongPin
from shared.clock import wall_clock
from shared.contracts.accounts import AlertToConfirm
from shared.contracts.notices import BranchSnapshot
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Run, Work


def choose_preferences(work: Work, patron_id: str, choices: Choices) -> Setting:
    """Change the preferences and return them; publish them if they changed.

    Raises NoSuchPatron, NoSuchBranch for a library that is newly followed, ChannelNotInUse, or
    NoAddress if an added channel has no address on file.
    """
    patron, holder = cardholders_store.patron_and_holder(work, patron_id)
    preferences = or_refuse(store.preferences(work, patron_id), NoSuchPatron)
    added = set(choices.channels or ()) - set(preferences.channels)
    newly_followed = set(choices.followed_branches or ()) - set(preferences.followed_branches)
    if store.unknown_branches(work, newly_followed):
        raise refusals.NoSuchBranch
    if added - IN_USE:
        raise refusals.ChannelNotInUse
    if added - {ALWAYS, *holder.reachable_by}:
        raise refusals.NoAddress
    language = preferences.language or patron.language
    return _choose(work, Setting(preferences, language, holder.reachable_by), choices)


def _choose(work: Work, before: Setting, choices: Choices) -> Setting:
    chosen = choose(before.preferences, choices)
    setting = Setting(chosen, chosen.language or before.language, before.reachable_by)
    if chosen != before.preferences:
        store.save_preferences(work, chosen)
        work.record(preferences_event(setting))
    return setting


def follow_language(work: Work, patron: Patron) -> None:
    """Publish saved preferences without a language again: theirs is that of the registration."""
    saved = store.preferences(work, patron.id)
    if saved is None or saved.version == 0 or saved.language is not None:
        return
    following = replace(saved, version=saved.version + 1)
    store.save_preferences(work, following)
    work.record(preferences_event(Setting(following, patron.language)))


def turn_off_email(work: Work, patron_id: str) -> None:
    """Take e-mail out of the chosen channels. Raises BadUnsubscribeLink for an erased patron."""
    patron = cardholders_store.patron(work, patron_id)
    preferences = store.preferences(work, patron_id)
    holder = cardholders_store.cardholder(work, patron_id)
    if patron is None or preferences is None or holder is None:
        raise refusals.BadUnsubscribeLink
    kept = tuple(channel for channel in preferences.channels if channel != "email")
    language = preferences.language or patron.language
    before = Setting(preferences, language, holder.reachable_by)
    _choose(work, before, Choices(channels=kept))


def make_calendar(work: Work, patron_id: str, with_titles: bool) -> Calendar:
    """Replace the link to the patron's calendar feed, and return it. Raises NoSuchPatron."""
    calendar = Calendar(new_id(), with_titles, work.now.replace(microsecond=0))
    _replace(work, patron_id, calendar)
    return calendar


def end_calendar(work: Work, patron_id: str) -> None:
    """Delete the link if there is one. Raises NoSuchPatron."""
    _replace(work, patron_id, None)


def _replace(work: Work, patron_id: str, calendar: Calendar | None) -> None:
    """Save the cardholder, which an erasure deletes: of two at once, one is retried."""
    _, holder = cardholders_store.patron_and_holder(work, patron_id)
    if holder.calendar != calendar:
        cardholders_store.save_cardholders(work, replace(holder, calendar=calendar))


def change_contact(
    work: Work,
    holder: Cardholder,
    email: str | None,
    phone: str | None,
    by: ChangedBy,
    *,
    postal: bool = False,
) -> Cardholder:
    """Return the holder with the addresses that are in use from now on. The caller saves it.

    With `postal` the caller changes the postal address too, of which the holder is told with this.
    The former address stays in use until a new one is confirmed with the code that is sent there. A
    request that is made again within some minutes sends no second code.
    """
    step = rules.step_to(holder.email, email, by)
    new, at = holder.new_address, wall_clock()
    if step == "asked" and email is not None and rules.is_repeat(new, email, at):
        step = "kept"
    elif step == "asked" and email is not None:
        new = rules.asked(new_id(), email, by, at)
        work.record(AlertToConfirm(patron_id=holder.id, alert_id=new.id, by=by, version=1))
    else:
        new = None
    former = holder.email
    in_use = email if step in ("changed", "removed") else former
    changes = {"asked": step == "asked" and former is not None, "phone": phone != holder.phone}
    changes |= {"changed": step == "changed", "removed": step == "removed", "postal": postal}
    if any(changes.values()):
        before = holder if former is not None else replace(holder, email=in_use)
        alert_of_contact(work, before, by, **changes)
    return replace(holder, email=in_use, phone=phone, new_address=new)


@dataclass(frozen=True)
class Contact:
    """A patron's e-mail address and telephone number; None: not known."""

    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)


async def change_own_contact(run: Run, confirmed: Cardholder, contact: Contact) -> None:
    """Change the addresses of a patron whose PIN was confirmed.

    Raises TooManyAddresses, or as `change_own_data`.
    """
    email, new = contact.email, confirmed.new_address
    asks = email is not None and rules.step_to(confirmed.email, email, "patron") == "asked"
    if asks and not rules.is_repeat(new, email or "", wall_clock()):
        budget = rules.budget_of_new_addresses(confirmed.card_digest)
        if not (await sign_in_store.spend(run.database, budget)).spent:
            raise refusals.TooManyAddresses
    await run(change_own_data, confirmed, contact)


def change_own_data(work: Work, confirmed: Cardholder, contact: Contact) -> None:
    """Change the patron's addresses.

    Raises NoSuchPatron, or WrongPin if the PIN that was confirmed has been replaced since.
    Addresses are published nowhere. The patron is told of the change, and a new e-mail address
    waits until it is confirmed.
    """
    _, holder = cardholders_store.patron_and_holder(work, confirmed.id)
    if holder.pin_version != confirmed.pin_version:
        raise WrongPin
    changed = change_contact(work, holder, contact.email, contact.phone, "patron")
    if changed != holder:
        cardholders_store.save_cardholders(work, changed)


async def confirm_address(run: Run, patron_id: str, code: str, at: datetime, key: str) -> None:
    """Use the patron's new address if the code is right, at `at` by the wall clock.

    Raises NoSuchPatron or WrongAddressCode. The try is counted before the code is compared. The
    same code is right again once the address is used, so that a repeated request gets the same
    answer.
    """
    live = await store.take_try(run.database, patron_id, at)
    holder = await cardholders_store.find_cardholder(run.database, patron_id)
    if holder is None:
        raise NoSuchPatron
    new = holder.new_address
    if not live or new is None or not is_code(code, rules.PURPOSE, new.id, key):
        if (act := run.origin.act) is not None:
            refusal = refusals.WrongAddressCode()
            await record_failure(run, holder.card_digest, act.address, refusal, act.act)
        raise refusals.WrongAddressCode
    await run(use_address, holder.id, new.id)


def use_address(work: Work, patron_id: str, request_id: str) -> None:
    """Replace the address in use, and tell the former one. Raises NoSuchPatron, WrongAddressCode.

    Nothing changes if the new one is in use already.
    """
    _, holder = cardholders_store.patron_and_holder(work, patron_id)
    new = holder.new_address
    if new is None or new.id != request_id:
        raise refusals.WrongAddressCode
    if new.confirmed:
        return
    used = replace(holder, email=new.email, new_address=replace(new, confirmed=True))
    cardholders_store.save_cardholders(work, used)
    alert_of_contact(work, holder, "patron", changed=True)


def note_branch(work: Work, event: BranchSnapshot) -> None:
    """Store the branch, so that commands can name it."""
    store.note_branch(work, Branch(event.branch, event.version))
