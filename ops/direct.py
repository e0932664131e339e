"""Use cases run directly on a service's database, with the same effect as through its routes.

The API can't serve these commands: it needs an account to log in with, and the first accounts are
created here. The relay of the service publishes the events.
"""

import getpass
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import cast

from ops.console import refuse
from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import StaffRole
from services.accounts.keys.commands import RevokeKeys, revoke_keys
from services.accounts.patrons.commands.erasure import erase_patron
from services.accounts.patrons.commands.records import RegisterPatron, register_patron
from services.accounts.pins.commands import new_pin_hash
from services.accounts.preferences import store as preferences_store
from services.accounts.preferences.refusals import NoSuchBranch
from services.accounts.refusals import NoSuchAccount, NoSuchPatron
from services.accounts.settings import Settings as AccountsSettings
from services.accounts.staff import store as staff_store
from services.accounts.staff.commands import AddStaff, add_staff, remove_staff
from services.accounts.staff.rules import Manager, StaffAccount
from services.settings import CardSettings, Settings
from shared.audit_trail import Act, record
from shared.clock import wall_clock
from shared.data_keys import faults_of
from shared.declared_indexes import Indexes, ensure_indexes
from shared.ids import card_digest, card_digests
from shared.indexes import chassis_indexes
from shared.mongo import connect
from shared.owners import Owners
from shared.rights import RIGHTS
from shared.unit_of_work import Origin, UnitOfWork, UseCase

OPERATOR = Manager(account_id="", rights=RIGHTS, seconded=True)
"""The operator at the database, who may manage every account that is no patron's. No second person
could keep from anything who has the database and the keys."""


@asynccontextmanager
async def unit_of_work_at(settings: Settings, service: str) -> AsyncIterator[UnitOfWork]:
    """Yield a unit of work on the database of `service`; its relay publishes the events."""
    client = connect(settings.mongo_url)
    owners = Owners(settings, service)
    try:
        database = client[f"{settings.database_prefix}_{service}"]
        await ensure_indexes(database, indexes_of(service, settings))
        yield UnitOfWork(database, service, settings, owners)
    finally:
        await owners.close()
        client.close()


def indexes_of(service: str, settings: Settings) -> Indexes:
    """Return the indexes of a service's database: its own, and those of the chassis."""
    own: Indexes = import_module(f"services.{service}.app").INDEXES
    return {**chassis_indexes(settings.outbox_days), **own}


def require_card_key(settings: CardSettings) -> None:
    """Refuse if the key is missing by which the running services recognise cards."""
    if not settings.card_key:
        refuse("The services store cards by a keyed digest: set CARREL_CARD_KEY to their key.")


@asynccontextmanager
async def accounts_with_cards(settings: CardSettings) -> AsyncIterator[UnitOfWork]:
    """Yield a unit of work on accounts' database; refuse another key than that of its cards."""
    async with unit_of_work_at(settings, "accounts") as unit_of_work:
        key = cardholders_store.card_key(settings.card_key)
        if faults := await faults_of(unit_of_work.database, [key]):
            refuse(faults[0])
        yield unit_of_work


def operator_name() -> str:
    """Return the name that is recorded as the author of a change made without an account."""
    return f"carrel: {getpass.getuser()}"


def origin_of(command: str) -> Origin:
    """Return the origin of a change by a command, for one transaction; it is recorded."""
    return Origin(now=wall_clock(), act=act_of(command))


async def record_act(settings: Settings, command: str) -> None:
    """Record in the audit trail of accounts that a command ran."""
    client = connect(settings.mongo_url)
    try:
        await record(client[f"{settings.database_prefix}_accounts"], act_of(command))
    finally:
        client.close()


async def end_all_sessions(settings: AccountsSettings) -> None:
    """End every session, and make every token invalid."""
    async with unit_of_work_at(settings, "accounts") as unit_of_work:
        await unit_of_work.database.sessions.delete_many({})
    await revoke_all_keys(settings)


async def erase_again(settings: Settings, patron_ids: Sequence[str]) -> None:
    """Erase those patrons of whom restored data has personal details.

    Consumers follow the event, as after any erasure.
    """
    async with unit_of_work_at(settings, "accounts") as unit_of_work:
        for patron_id in patron_ids:
            with suppress(NoSuchPatron):
                await unit_of_work.run(erase_patron, patron_id, origin_of("restore"))


async def record_look(settings: Settings, command: str, patron_id: str) -> None:
    """Record that a command shows a patron's account, in the audit trail of accounts."""
    async with unit_of_work_at(settings, "accounts") as unit_of_work:
        await record(unit_of_work.database, act_of(command, patron_id))


def act_of(command: str, *objects: str) -> Act:
    """Return the entry of the audit trail for a command."""
    return Act(by=operator_name(), roles=["ops"], act=f"carrel {command}", objects=objects)


async def add_account(
    settings: AccountsSettings,
    card: str,
    pin: str,
    name: str,
    role: StaffRole,
    *,
    email: str | None = None,
) -> str:
    """Create an account in the database of accounts, and return its id.

    Raises CardTaken or a refusal of EASY_PINS.
    """
    command = AddStaff(
        card_number=card,
        card_digest=card_digest(card, settings.card_key),
        pin_hash=await new_pin_hash(pin, card),
        name=name,
        role=role,
        by=OPERATOR,
        at=wall_clock(),
        email=email,
    )
    async with accounts_with_cards(settings) as unit_of_work:
        account_id, _ = await unit_of_work.run(add_staff, command, origin_of("staff add"))
        return str(account_id)


async def add_synthetic_patron(settings: AccountsSettings, branch: str) -> str:
    """Register a patron for the gateway's job, and return its card and PIN as `CARD:PIN`.

    Raises NoSuchBranch.
    """
    card, pin = f"SYNTHETIC-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
    command = RegisterPatron(
        card_number=card,
        card_digest=card_digest(card, settings.card_key),
        pin_hash=await new_pin_hash(pin, card),
        name="Synthetic patron",
        category="synthetic",
        home_branch=branch,
        language="en",
        email=None,
        phone=None,
    )
    async with accounts_with_cards(settings) as unit_of_work:
        if not await preferences_store.is_branch(unit_of_work.database, branch):
            raise NoSuchBranch
        await unit_of_work.run(register_patron, command, origin_of("synthetic-patron"))
    return f"{card}:{pin}"


async def remove_account(settings: AccountsSettings, card: str) -> str:
    """Remove an account from the database of accounts, and return its id. Raises NoSuchAccount."""
    async with accounts_with_cards(settings) as unit_of_work:
        digests = card_digests(card, settings.card_key)
        digest = await cardholders_store.find_stored_digest(unit_of_work.database, digests)
        account_id, _ = await unit_of_work.run(
            lambda work, digest: remove_staff(work, digest, OPERATOR),
            digest,
            origin_of("staff remove"),
        )
        return str(account_id)


async def list_accounts(settings: AccountsSettings) -> Sequence[StaffAccount]:
    """Return the accounts of staff, machines, administrators and operators."""
    async with unit_of_work_at(settings, "accounts") as unit_of_work:
        return await staff_store.find_accounts(unit_of_work.database, OPERATOR.roles, None, 0)


async def change_account(
    settings: AccountsSettings,
    card: str,
    change: UseCase[[str], StaffAccount],
    act: str,
) -> StaffAccount:
    """Change the account with a card; `change` gets its id. Raises NoSuchAccount.

    `act` is the name of the command, for the audit trail.
    """
    async with accounts_with_cards(settings) as unit_of_work:
        digests = card_digests(card, settings.card_key)
        digest = await cardholders_store.find_stored_digest(unit_of_work.database, digests)
        holder = await cardholders_store.holder_of_card(unit_of_work.database, digest)
        if holder is None:
            raise NoSuchAccount
        origin = origin_of(f"staff {act} {holder.id}")
        changed, _ = await unit_of_work.run(change, holder.id, origin)
        return cast(StaffAccount, changed)  # not None: no inbox was given


async def revoke_all_keys(settings: AccountsSettings) -> str:
    """Revoke all keys in the database of accounts, and return the id of the new one."""
    command = RevokeKeys(settings.signing_secrets)
    async with unit_of_work_at(settings, "accounts") as unit_of_work:
        kid, _ = await unit_of_work.run(revoke_keys, command, origin_of("keys revoke"))
        return str(kid)
