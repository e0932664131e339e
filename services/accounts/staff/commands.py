"""Manage accounts of staff and machines, alone or with the consent of a second person.

The change is made by whoever agrees, with the same rules as a change by one person.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Cardholder, ProviderLink, StaffRole, normal_card
from services.accounts.passkeys import store as passkeys_store
from services.accounts.pins import store as pins_store
from services.accounts.pins.commands import issue_pin
from services.accounts.pins.refusals import NoStaffAddress
from services.accounts.refusals import CardTaken
from services.accounts.sign_in import store as sign_in_store
from services.accounts.sign_in.commands.sessions import end_all
from services.accounts.staff import refusals, store
from services.accounts.staff.rules import LASTS, Act, Manager, StaffAccount, StaffRequest
from shared.ids import card_digest, new_id
from shared.rights import rights_of
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AddStaff:
    """A new account, at `at` by the wall clock."""

    card_number: str = field(repr=False)
    card_digest: str = field(repr=False)
    name: str = field(repr=False)
    role: StaffRole
    by: Manager
    at: datetime
    email: str | None = field(default=None, repr=False)
    pin_hash: str | None = field(default=None, repr=False)
    """Hash of a PIN that an operator at the database has chosen; None: a code is sent."""


def add_staff(work: Work, command: AddStaff) -> str:
    """Create the account and return its id.

    Raises RoleNotAllowed, SecondPersonNeeded, CardTaken or NoStaffAddress.
    """
    command.by.check_role(command.role)
    if cardholders_store.card_is_taken(work, command.card_number):
        raise CardTaken
    cardholder = Cardholder(
        id=new_id(),
        role=command.role,
        card_digest=command.card_digest,
        card_number=normal_card(command.card_number),
        name=command.name,
        pin_hash=command.pin_hash or "",
        email=command.email,
    )
    cardholders_store.add_cardholders(work, cardholder)
    if command.pin_hash is None:
        issue_pin(work, cardholder, command.at)
    work.concern(cardholder.id)
    return cardholder.id


def disable_staff(work: Work, account_id: str, by: Manager, at: datetime) -> StaffAccount:
    """Disable the account, at `at` by the wall clock, and end all its sessions.

    Raises NoSuchAccount or OwnAccount.
    """
    holder = _managed(work, account_id, by)
    if holder.disabled_at is not None:
        return StaffAccount.of(holder)
    return _changed(work, replace(holder, disabled_at=at))


def enable_staff(work: Work, account_id: str, by: Manager) -> StaffAccount:
    """Let the account's holder log in again.

    Raises NoSuchAccount, OwnAccount or SecondPersonNeeded.
    """
    holder = _accessed(work, account_id, by)
    if holder.disabled_at is None:
        return StaffAccount.of(holder)
    return _changed(work, replace(holder, disabled_at=None))


def change_role(work: Work, account_id: str, role: StaffRole, by: Manager) -> StaffAccount:
    """Give the account another role and end all its sessions, whose tokens have the former one.

    Raises NoSuchAccount, OwnAccount, RoleNotAllowed or SecondPersonNeeded.
    """
    holder = _managed(work, account_id, by)
    by.check_role(role)
    if holder.role == role:
        return StaffAccount.of(holder)
    return _changed(work, replace(holder, role=role))


def reset_staff_pin(
    work: Work, account_id: str, by: Manager, at: datetime, pin_hash: str | None = None
) -> StaffAccount:
    """End the account's PIN, passkeys and sessions, unlock its card, and let a code be sent.

    No code is sent with the hash of a PIN that an operator at the database has chosen. Raises
    NoSuchAccount, OwnAccount, SecondPersonNeeded or NoStaffAddress.
    """
    holder = _accessed(work, account_id, by)
    sign_in_store.delete_attempts(work, holder.card_digest)
    passkeys_store.delete_of_account(work, holder.id)
    if pin_hash is None:
        issue_pin(work, holder, at)
    return _changed(work, holder.with_pin(pin_hash or ""))


def change_staff_email(work: Work, account_id: str, email: str, by: Manager) -> StaffAccount:
    """Send codes for a new PIN to another address from now on; codes that were sent end.

    Nobody does this alone: they could get a code, and act in the name of the account. Raises
    NoSuchAccount, OwnAccount or SecondPersonNeeded.
    """
    holder = _managed(work, account_id, by)
    if not by.seconded:
        raise refusals.SecondPersonNeeded
    pins_store.delete_of_card(work, holder.card_digest)
    changed = replace(holder, email=email)
    cardholders_store.save_cardholders(work, changed)
    return StaffAccount.of(changed)


def link_provider(work: Work, account_id: str, login: str, by: Manager) -> StaffAccount:
    """Let a log-in at the identity provider open the account; it replaces the former one.

    One person alone links an account with its own e-mail address only, at which codes for its PIN
    arrive too. Raises NoSuchAccount, OwnAccount, SecondPersonNeeded or LoginTaken.
    """
    holder = _accessed(work, account_id, by)
    if not by.seconded and login != (holder.email or "").casefold():
        raise refusals.SecondPersonNeeded
    if cardholders_store.login_is_taken(work, login, holder.id):
        raise refusals.LoginTaken
    return _changed(work, replace(holder, provider_link=ProviderLink(login)))


def unlink_provider(work: Work, account_id: str, by: Manager) -> StaffAccount:
    """Let no log-in at the identity provider open the account, and end all its sessions.

    Raises NoSuchAccount or OwnAccount.
    """
    return _changed(work, replace(_managed(work, account_id, by), provider_link=None))


def remove_factor(work: Work, account_id: str, by: Manager) -> StaffAccount:
    """Remove the account's second factor and passkeys, and end all its sessions.

    The app and the passkeys are often on the same phone, which is lost.
    Raises NoSuchAccount, OwnAccount or SecondPersonNeeded.
    """
    holder = _accessed(work, account_id, by)
    passkeys_store.delete_of_account(work, holder.id)
    return _changed(work, replace(holder, second_factor=None))


def _managed(work: Work, account_id: str, by: Manager) -> Cardholder:
    return by.check_account(cardholders_store.cardholder(work, account_id))


def _accessed(work: Work, account_id: str, by: Manager) -> Cardholder:
    return by.check_access(cardholders_store.cardholder(work, account_id))


def _changed(work: Work, holder: Cardholder) -> StaffAccount:
    """Save the account and end its sessions: a log-in at the same time is retried after that."""
    cardholders_store.save_cardholders(work, holder)
    end_all(work, holder.id)
    return StaffAccount.of(holder)


def remove_staff(work: Work, card_digest: str, by: Manager) -> str:
    """Delete the account with a card, end all its sessions, and return its id.

    What the account has done keeps its id. Raises NoSuchAccount, also for the card of a patron, who
    is erased instead, or OwnAccount.
    """
    holder = by.check_account(cardholders_store.with_card(work, card_digest))
    cardholders_store.delete_cardholder(work, holder.id)
    passkeys_store.delete_of_account(work, holder.id)
    sign_in_store.delete_attempts(work, holder.card_digest)
    work.concern(holder.id)
    end_all(work, holder.id)
    return holder.id


@dataclass(frozen=True)
class NewAccount:
    """The account that a request adds."""

    card_number: str = field(repr=False)
    name: str = field(repr=False)
    role: StaffRole
    email: str = field(repr=False)


@dataclass(frozen=True)
class AskToChange:
    """A request to change an account, at `at` by the wall clock."""

    act: Act
    account_id: str
    by: Manager
    at: datetime
    role: StaffRole | None = None
    """The new role, for the act `role`."""
    email: str | None = field(default=None, repr=False)
    """The new address, for the act `email`."""
    provider_login: str | None = field(default=None, repr=False)
    """The log-in at the identity provider, for the act `provider`."""


def ask_to_add(work: Work, account: NewAccount, by: Manager, at: datetime) -> StaffRequest:
    """Store the request. Raises RoleNotAllowed or CardTaken."""
    replace(by, seconded=True).check_role(account.role)
    if cardholders_store.card_is_taken(work, account.card_number):
        raise CardTaken
    return _store(
        work,
        StaffRequest(
            id=new_id(),
            act="add",
            by=by.account_id,
            asked_at=at,
            expires_at=at + LASTS,
            account_id=None,
            card_number=account.card_number,
            name=account.name,
            role=account.role,
            email=account.email,
        ),
    )


def ask_to_change(work: Work, command: AskToChange) -> StaffRequest:
    """Store the request. Raises NoSuchAccount, OwnAccount, RoleNotAllowed or NoStaffAddress."""
    by = replace(command.by, seconded=True)
    holder = by.check_access(cardholders_store.cardholder(work, command.account_id))
    account = StaffAccount.of(holder)
    if command.role is not None:
        by.check_role(command.role)
    if command.act == "pin" and not holder.email:
        raise NoStaffAddress
    work.concern(holder.id)
    return _store(
        work,
        StaffRequest(
            id=new_id(),
            act=command.act,
            by=by.account_id,
            asked_at=command.at,
            expires_at=command.at + LASTS,
            account_id=holder.id,
            card_number=holder.card_number,
            name=holder.name,
            role=command.role or account.role,
            former_role=account.role if command.role else None,
            email=command.email,
            provider_login=command.provider_login,
        ),
    )


def agree(work: Work, request_id: str, by: Manager, at: datetime, card_keys: str) -> str:
    """Make the change that somebody else has asked for; return the id of the account.

    `card_keys` are those of the digest of a new account's card, which may change while a request
    waits. Raises NoSuchRequest, also if whoever asked may not ask any more, OwnRequest, or what the
    change raises.
    """
    request = _existing(work, request_id, by, at)
    if request.by == by.account_id:
        raise refusals.OwnRequest
    asker = cardholders_store.cardholder(work, request.by)
    if asker is None or asker.disabled_at is not None:
        raise refusals.NoSuchRequest
    if not request.is_covered_by(Manager(asker.id, rights_of([asker.role])).roles):
        raise refusals.NoSuchRequest
    store.delete_request(work, request)
    seconded = replace(by, seconded=True)
    if request.account_id is None:
        return add_staff(
            work,
            AddStaff(
                card_number=request.card_number,
                card_digest=card_digest(request.card_number, card_keys),
                name=request.name,
                role=request.role,
                by=seconded,
                at=at,
                email=request.email,
            ),
        )
    _change(work, request, request.account_id, seconded, at)
    work.concern(request.account_id)
    return request.account_id


def end_request(work: Work, request_id: str, by: Manager, at: datetime) -> None:
    """End a request: its author withdraws it, or another person refuses. Raises NoSuchRequest."""
    store.delete_request(work, _existing(work, request_id, by, at))


def _store(work: Work, request: StaffRequest) -> StaffRequest:
    store.add_request(work, request)
    work.concern(request.id)
    return request


def _existing(work: Work, request_id: str, by: Manager, at: datetime) -> StaffRequest:
    request = store.request(work, request_id)
    if request is None or request.expires_at <= at:
        raise refusals.NoSuchRequest
    if not request.is_covered_by(by.roles):
        raise refusals.NoSuchRequest
    work.concern(request.id)
    return request


def _change(work: Work, request: StaffRequest, account_id: str, by: Manager, at: datetime) -> None:
    match request.act:
        case "enable":
            enable_staff(work, account_id, by)
        case "role":
            change_role(work, account_id, request.role, by)
        case "pin":
            reset_staff_pin(work, account_id, by, at)
        case "second-factor":
            remove_factor(work, account_id, by)
        case "email" if request.email:
            change_staff_email(work, account_id, request.email, by)
        case "provider" if request.provider_login:
            link_provider(work, account_id, request.provider_login, by)
