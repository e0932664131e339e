"""Ask a second person to agree to a change of an account of staff, agree to it, and end a request.

The change is made by whoever agrees, with the same rules as a change by one person.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.accounts import store
from services.accounts.domain.refusals import CardTaken, NoStaffAddress, NoSuchRequest, OwnRequest
from services.accounts.domain.staff import Manager, StaffAccount, StaffRole
from services.accounts.domain.staff_request import LASTS, Act, StaffRequest
from services.accounts.usecases.add_staff import AddStaff, add_staff
from services.accounts.usecases.manage_staff import (
    ChangeRole,
    ChangeStaffEmail,
    EnableStaff,
    RemoveFactor,
    ResetStaffPin,
    change_role,
    change_staff_email,
    enable_staff,
    remove_factor,
    reset_staff_pin,
)
from shared.ids import card_digest, new_id
from shared.rights import rights_of
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NewAccount:
    """The account that a request adds."""

    card_number: str = field(repr=False)
    name: str = field(repr=False)
    role: StaffRole
    email: str = field(repr=False)


@dataclass(frozen=True)
class AskToAdd:
    """A request to add an account, at `at` by the wall clock."""

    account: NewAccount
    by: Manager
    at: datetime


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


@dataclass(frozen=True)
class Decide:
    """A request that another person agrees to, or that anybody who may manage it ends."""

    request_id: str
    by: Manager
    at: datetime
    card_keys: str = field(default="", repr=False)
    """Keys of the digest of a new account's card, which may change while a request waits."""


def ask_to_add(work: Work, command: AskToAdd) -> StaffRequest:
    """Store the request. Raises RoleNotAllowed or CardTaken."""
    account = command.account
    replace(command.by, seconded=True).check_role(account.role)
    if store.card_is_taken(work, account.card_number):
        raise CardTaken
    return _store(
        work,
        StaffRequest(
            id=new_id(),
            act="add",
            by=command.by.account_id,
            asked_at=command.at,
            expires_at=command.at + LASTS,
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
    holder = by.check_access(store.cardholder(work, command.account_id))
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
        ),
    )


def agree(work: Work, command: Decide) -> str:
    """Make the change that somebody else has asked for; return the id of the account.

    Raises NoSuchRequest, also if whoever asked may not ask any more, OwnRequest, or what the change
    raises.
    """
    request = _existing(work, command)
    if request.by == command.by.account_id:
        raise OwnRequest
    asker = store.cardholder(work, request.by)
    if asker is None or asker.disabled_at is not None:
        raise NoSuchRequest
    if not request.is_covered_by(Manager(asker.id, rights_of([asker.role])).roles):
        raise NoSuchRequest
    store.staff_requests.delete(work, request)
    by = replace(command.by, seconded=True)
    if request.account_id is None:
        return add_staff(
            work,
            AddStaff(
                card_number=request.card_number,
                card_digest=card_digest(request.card_number, command.card_keys),
                name=request.name,
                role=request.role,
                by=by,
                at=command.at,
                email=request.email,
            ),
        )
    _change(work, request, request.account_id, by, command.at)
    work.concern(request.account_id)
    return request.account_id


def end_request(work: Work, command: Decide) -> None:
    """End a request: its author withdraws it, or another person refuses. Raises NoSuchRequest."""
    store.staff_requests.delete(work, _existing(work, command))


def _store(work: Work, request: StaffRequest) -> StaffRequest:
    store.staff_requests.add(work, request)
    work.concern(request.id)
    return request


def _existing(work: Work, command: Decide) -> StaffRequest:
    request = store.staff_requests.get(work, command.request_id)
    if request is None or request.expires_at <= command.at:
        raise NoSuchRequest
    if not request.is_covered_by(command.by.roles):
        raise NoSuchRequest
    work.concern(request.id)
    return request


def _change(work: Work, request: StaffRequest, account_id: str, by: Manager, at: datetime) -> None:
    match request.act:
        case "enable":
            enable_staff(work, EnableStaff(account_id, by))
        case "role":
            change_role(work, ChangeRole(account_id, request.role, by))
        case "pin":
            reset_staff_pin(work, ResetStaffPin(account_id, by, at))
        case "second-factor":
            remove_factor(work, RemoveFactor(account_id, by))
        case "email" if request.email:
            change_staff_email(work, ChangeStaffEmail(account_id, request.email, by))
