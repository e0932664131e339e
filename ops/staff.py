"""`carrel staff`: accounts of staff, stations and operators, made at the database itself.

The first operator can't be made through the API, which asks for one.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from pymongo.errors import PyMongoError
from rich.console import Console

from ops.direct import unit_of_work_at, with_card_key
from services.accounts import store
from services.accounts.domain.cardholder import acceptable_card, acceptable_pin
from services.accounts.domain.refusals import CardTaken
from services.accounts.settings import Settings
from services.accounts.usecases.add_staff import AddStaff, add_staff
from services.accounts.usecases.check_pin import hash_pin
from shared.clock import wall_clock
from shared.ids import card_digest
from shared.settings import load
from shared.unit_of_work import Origin

DATA = Path(".data/up")
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)

Role = Literal["staff", "station", "ops"]


@app.callback()
def staff() -> None:
    """Accounts of staff, stations and operators."""


@app.command()
def add(
    card: Annotated[str, typer.Argument(help="The card number.")],
    role: Annotated[Role, typer.Option(help="What the account may do.")],
    name: Annotated[str, typer.Option(help="As it is shown; the card number if not given.")] = "",
    pin_stdin: Annotated[
        bool, typer.Option("--pin-stdin", help="Read the PIN from standard input.")
    ] = False,
    data: Annotated[
        Path, typer.Option(help="Of `carrel up`: the card key is there, if none is set.")
    ] = DATA,
) -> None:
    """Make an account. The database is CARREL_MONGO_URL, and must be running."""
    if not acceptable_card(card):
        raise typer.BadParameter("3 to 40 characters of ASCII", param_hint="CARD")
    settings = with_card_key(load(Settings), data)
    pin = (
        sys.stdin.readline().rstrip("\r\n")
        if pin_stdin
        else typer.prompt("PIN", hide_input=True, confirmation_prompt=True)
    )
    if not acceptable_pin(pin):
        _refuse("A PIN has 6 to 64 printable characters. Choose another.")
    try:
        account_id = asyncio.run(add_account(settings, card, pin, name or card.strip(), role))
    except CardTaken:
        _refuse("This card number has an account already. Nothing was changed.")
    except PyMongoError as error:
        _refuse(
            f"The database is away ({type(error).__name__}). Start it, or set CARREL_MONGO_URL to "
            "where it is."
        )
    typer.echo(f"Made the {role} account {account_id}.")


async def add_account(settings: Settings, card: str, pin: str, name: str, role: Role) -> str:
    """Make an account on the database of accounts, and give its id. Raises CardTaken."""
    command = AddStaff(
        card_number=card,
        card_digest=card_digest(card, settings.card_key),
        pin_hash=await hash_pin(pin),
        name=name,
        role=role,
    )
    async with unit_of_work_at(settings, "accounts", store.INDEXES) as unit_of_work:
        account_id, _ = await unit_of_work.run(add_staff, command, Origin(now=wall_clock()))
        return str(account_id)


def _refuse(sentence: str) -> NoReturn:
    _errors.print(sentence, markup=False)
    raise typer.Exit(1)
