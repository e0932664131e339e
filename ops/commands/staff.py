"""`carrel staff`: create and remove accounts of staff, stations, tracers and operators.

It works on the database: the API can't create the first operator, because it asks for one, and an
operator whose card was stolen must be removable without theirs.
"""

import asyncio
import sys
from typing import Annotated

import typer

from ops.console import explain_outages, refuse
from ops.direct import Role, add_account, remove_account, require_card_key
from ops.target import Data, settings_to_write
from services.accounts.domain.cardholder import acceptable_card
from services.accounts.domain.pin_rules import acceptable_pin
from services.accounts.domain.refusals import EASY_PINS, CardTaken, NoSuchAccount
from services.accounts.settings import Settings

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def staff() -> None:
    """Accounts of staff, stations, contact tracers and operators."""


@app.command()
def add(
    card: Annotated[str, typer.Argument(help="The card number.")],
    role: Annotated[Role, typer.Option(help="Role of the account.")],
    name: Annotated[str, typer.Option(help="Displayed name; default: the card number.")] = "",
    pin_stdin: Annotated[
        bool, typer.Option("--pin-stdin", help="Read the PIN from standard input.")
    ] = False,
    data: Data = None,
) -> None:
    """Create an account directly in the database, which must be running."""
    if not acceptable_card(card):
        raise typer.BadParameter("3 to 40 characters of ASCII", param_hint="CARD")
    settings = settings_to_write(data, Settings)
    require_card_key(settings)
    pin = (
        sys.stdin.readline().rstrip("\r\n")
        if pin_stdin
        else typer.prompt("PIN", hide_input=True, confirmation_prompt=True)
    )
    if not acceptable_pin(pin):
        refuse("A PIN has 6 to 64 printable characters. Choose another.")
    try:
        with explain_outages(settings):
            account_id = asyncio.run(add_account(settings, card, pin, name or card.strip(), role))
    except EASY_PINS as error:
        refuse(str(error))
    except CardTaken:
        refuse("This card number has an account already. Nothing was changed.")
    typer.echo(f"Created the {role} account {account_id}.")


@app.command()
def remove(
    card: Annotated[str, typer.Argument(help="The card number.")],
    data: Data = None,
) -> None:
    """Remove an account directly from the database, and end all its sessions."""
    settings = settings_to_write(data, Settings)
    require_card_key(settings)
    try:
        with explain_outages(settings):
            account_id = asyncio.run(remove_account(settings, card))
    except NoSuchAccount:
        refuse("No account of staff or of a machine has this card number. Nothing was changed.")
    typer.echo(f"Removed the account {account_id}. Its sessions end as soon as accounts runs.")
