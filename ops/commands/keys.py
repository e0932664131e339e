"""`carrel keys`: make keys, and revoke the keys that sign tokens, in the database.

Whoever has stolen a key can also sign a token of an operator, so a revocation needs no token.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Annotated

import typer

from ops.audit.security import lasting_keys
from ops.console import explain_outages, refuse, show_status
from ops.databases import databases_of
from ops.direct import accounts_with_cards, act_of, require_card_key, revoke_all_keys
from ops.target import Data, settings_to_write
from services.accounts.cardholders import store as cardholders_store
from services.accounts.patrons.commands.records import (
    RenewDigests,
    forget_former_digests,
    renew_digests,
)
from services.accounts.settings import Settings
from services.circulation.borrowers.store import find_digests
from services.registry import NAMES
from services.settings import Settings as CommonSettings
from shared.assertions import make_key, public_halves
from shared.audit_trail import record
from shared.auth import RENEW_SECONDS
from shared.clock import wall_clock
from shared.data_keys import DataKey, accept, accepts, note_made_with
from shared.failpoint import failpoint
from shared.ids import card_digest
from shared.keys import each_of
from shared.mongo import Database
from shared.unit_of_work import Origin, UnitOfWork

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def keys() -> None:
    """The keys of a system, of its services, and those that sign tokens."""


@app.command()
def services() -> None:
    """Print a new key for each service as variables, and the public halves for accounts."""
    made = {name: make_key() for name in NAMES}
    for name, key in made.items():
        typer.echo(f"CARREL_SERVICE_KEY_{name.upper()}={key}")
    typer.echo(f"CARREL_SERVICE_KEYS={public_halves(made)}")


@app.command()
def cards(data: Data = None) -> None:
    """Replace the key of cards: make each digest with the newest key, while the system runs.

    CARREL_CARD_KEY is new,old, here and for all processes of accounts and circulation. It
    may be interrupted and run again. It ends when the old key can be removed.
    """
    settings = settings_to_write(data, Settings)
    require_card_key(settings)
    with explain_outages(settings), show_status("Making digests of cards") as update:
        try:
            done = asyncio.run(replace_digests(settings, update))
        except NotReady as error:
            refuse(str(error))
    typer.echo(
        f"Made the digests of {done} cards anew; circulation has them too. Every digest is made "
        "with the first key of CARREL_CARD_KEY now: remove the others, in accounts and circulation."
    )


@app.command()
def revoke(data: Data = None) -> None:
    """Revoke all keys that sign or verify tokens, and make a new one.

    Sessions last on: pages renew their tokens, clients renew them or log in again.
    """
    settings = settings_to_write(data, Settings)
    with explain_outages(settings):
        kid = asyncio.run(revoke_all_keys(settings))
    typer.echo(
        f"Revoked all keys; {kid} signs from now on. Within {RENEW_SECONDS:.0f} seconds no service "
        "accepts a token that was signed before."
    )


@app.command(name="accept")
def accept_command(
    variable: Annotated[
        str, typer.Argument(metavar="VARIABLE", help="Such as CARREL_WEBHOOK_KEYS.")
    ],
    data: Data = None,
) -> None:
    """Let services start with the present keys of VARIABLE, because the former ones are lost.

    What was made with those stays unreadable; docs/security.md says what it is.
    With CARREL_CARD_KEY, run carrel keys cards next.
    """
    settings = settings_to_write(data)
    given = {
        service: key
        for service, keys in lasting_keys().items()
        for key in keys
        if key.variable == variable and key.keys
    }
    if not given:
        refuse(f"{variable} is not set here, or is not compared. Set it as the services have it.")
    with explain_outages(settings):
        asyncio.run(_accept(settings, given))
    typer.echo(f"With the present {variable} start: {', '.join(given)}.")


async def _accept(settings: CommonSettings, keys: Mapping[str, DataKey]) -> None:
    with databases_of(settings) as databases:
        for service, key in keys.items():
            await accept(databases[service], key)


VARIABLE = "CARREL_CARD_KEY"
BATCH = 20
"""Cards of one transaction: log-ins and changes of their holders wait for it."""
LOOK_SECONDS = 1.0
CHUNK = 1000


class NotReady(Exception):
    """The services could not go on with other digests; the text says what to do first."""


async def replace_digests(settings: Settings, update: Callable[[str], None]) -> int:
    """Make all digests of cards with the newest key; return how many accounts made anew.

    Returns once circulation has followed, so that the former key can be removed. Raises NotReady.
    """
    async with accounts_with_cards(settings) as unit:
        accounts = unit.database
        circulation = accounts.client[f"{settings.database_prefix}_circulation"]
        await _check(accounts, circulation, settings)
        await record(accounts, act_of("keys cards"))
        new, done = each_of(settings.card_key)[0], 0
        while renewed := await _renew_all(unit, settings, done, update):
            done += renewed
        await note_made_with(accounts, VARIABLE, new)
        failpoint("cards.renewed")
        behind = await _behind(accounts, circulation, None)
        while behind:
            update(f"{done} cards done; circulation has {len(behind)} patrons to follow")
            await asyncio.sleep(LOOK_SECONDS)
            behind = await _behind(accounts, circulation, behind)
        await note_made_with(circulation, VARIABLE, new)
        await _forget_all(unit)
        return done


async def _check(accounts: Database, circulation: Database, settings: Settings) -> None:
    """Refuse keys that the data was not made with, or that the services do not accept yet."""
    each = each_of(settings.card_key)
    for database in (accounts, circulation):
        for key in each:
            if not await accepts(database, VARIABLE, key):
                raise NotReady(
                    f"{database.name}: the service does not accept each key of {VARIABLE} yet. "
                    "Start all its processes with new,old first, as here."
                )


async def _renew_all(
    unit: UnitOfWork, settings: Settings, before: int, update: Callable[[str], None]
) -> int:
    """Renew all digests of another key that are found in one pass; return how many."""
    done = 0

    async def others() -> AsyncIterator[str]:
        async for holder_id, card_number, stored in cardholders_store.find_cards(unit.database):
            if stored != card_digest(card_number, settings.card_key):
                yield holder_id

    async for batch in _batches(others()):
        command = RenewDigests(batch, settings.card_key)
        renewed, _ = await unit.run(renew_digests, command, Origin(now=wall_clock()), within=60)
        done += renewed or 0
        failpoint("cards.batch")
        update(f"{before + done} cards done")
    return done


async def _forget_all(unit: UnitOfWork) -> None:
    async for batch in _batches(cardholders_store.find_with_former_digest(unit.database)):
        await unit.run(forget_former_digests, batch, Origin(now=wall_clock()), within=60)


async def _batches(found: AsyncIterator[str]) -> AsyncIterator[tuple[str, ...]]:
    batch: list[str] = []
    async for one in found:
        batch.append(one)
        if len(batch) == BATCH:
            yield tuple(batch)
            batch = []
    if batch:
        yield tuple(batch)


async def _behind(
    accounts: Database, circulation: Database, patron_ids: Sequence[str] | None
) -> list[str]:
    """Return the patrons, of all or of these, who have another digest in circulation."""
    behind: list[str] = []
    parts: Iterable[Sequence[str] | None] = [None]
    if patron_ids is not None:
        parts = [patron_ids[at : at + CHUNK] for at in range(0, len(patron_ids), CHUNK)]
    for part in parts:
        async for chunk in find_digests(circulation, part, CHUNK):
            own = await cardholders_store.find_digests(accounts, chunk)
            behind += [one for one, digest in chunk.items() if own.get(one, digest) != digest]
    return behind
