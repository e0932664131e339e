"""`carrel staff`: accounts of staff, stations, tracers, administrators and operators.

It works on the database: the API can't create the first operator, because it asks for one, and an
operator whose card was stolen must be stopped without theirs. Who has the database and the keys
needs no second person.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from ops.console import AsJson, explain_outages, print_json, refuse
from ops.direct import (
    OPERATOR,
    add_account,
    change_account,
    list_accounts,
    remove_account,
    require_card_key,
)
from ops.target import Data, settings_of, settings_to_write
from services.accounts.cardholders.rules import StaffRole, acceptable_card, acceptable_pin
from services.accounts.pins.commands import new_pin_hash
from services.accounts.pins.refusals import EASY_PINS
from services.accounts.refusals import CardTaken, NoSuchAccount
from services.accounts.settings import Settings
from services.accounts.staff.commands import (
    change_role,
    change_staff_email,
    disable_staff,
    enable_staff,
    link_provider,
    remove_factor,
    reset_staff_pin,
    unlink_provider,
)
from services.accounts.staff.refusals import LoginTaken
from services.accounts.staff.rules import StaffAccount
from shared.clock import wall_clock
from shared.email_address import checked_address
from shared.unit_of_work import UseCase

Card = Annotated[str, typer.Argument(help="The card number.")]
PinStdin = Annotated[bool, typer.Option("--pin-stdin", help="Read the PIN from standard input.")]

Email = Annotated[
    str, typer.Option(help="E-mail address to which codes for a new PIN are sent; default: none.")
]

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def staff() -> None:
    """Accounts of staff, stations, contact tracers, administrators and operators."""


@app.command()
def add(
    card: Card,
    role: Annotated[StaffRole, typer.Option(help="Role of the account.")],
    name: Annotated[str, typer.Option(help="Displayed name; default: the card number.")] = "",
    *,
    email: Email = "",
    pin_stdin: PinStdin = False,
    data: Data = None,
) -> None:
    """Create an account directly in the database, which must be running.

    It asks for the PIN, and prints the role and the id of the account, never the PIN. Use it for
    the first operators; the holder changes the PIN at "PIN and codes". The page for staff accounts
    lets each holder choose a PIN with a code from an e-mail instead.
    """
    if not acceptable_card(card):
        raise typer.BadParameter("3 to 40 characters of ASCII", param_hint="CARD")
    address = _checked_email(email) if email else None
    settings = settings_to_write(data, Settings)
    require_card_key(settings)
    pin = _new_pin(pin_stdin)
    try:
        with explain_outages(settings):
            account_id = asyncio.run(
                add_account(settings, card, pin, name or card.strip(), role, email=address)
            )
    except EASY_PINS as error:
        refuse(str(error))
    except CardTaken:
        refuse("This card number has an account already. Nothing was changed.")
    typer.echo(f"Created the {role} account {account_id}.")


@app.command()
def remove(card: Card, data: Data = None) -> None:
    """Remove an account directly from the database, and end all its sessions."""
    settings = settings_to_write(data, Settings)
    require_card_key(settings)
    with _known_account(), explain_outages(settings):
        account_id = asyncio.run(remove_account(settings, card))
    typer.echo(f"Removed the account {account_id}. Its sessions end as soon as accounts runs.")


@app.command("list")
def list_(as_json: AsJson = False, data: Data = None) -> None:
    """List the accounts: card number, role, state and name."""
    settings = settings_of(data, Settings)
    with explain_outages(settings):
        accounts = asyncio.run(list_accounts(settings))
    listed = [
        {
            "card_number": one.card_number,
            "role": one.role,
            "state": "disabled" if one.disabled_at else "active",
            "name": one.name,
        }
        for one in accounts
    ]
    if as_json:
        print_json({"items": listed})
        return
    for one in listed:
        typer.echo(f"{one['card_number']:<20} {one['role']:<8} {one['state']:<9} {one['name']}")


@app.command()
def disable(card: Card, data: Data = None) -> None:
    """Disable an account and end all its sessions."""
    changed = _change(
        "disable",
        card,
        data,
        lambda work, id_: disable_staff(work, id_, OPERATOR, wall_clock()),
    )
    typer.echo(f"Disabled the account {changed.id}. Its sessions end as soon as accounts runs.")


@app.command()
def enable(card: Card, data: Data = None) -> None:
    """Let the holder of a disabled account log in again."""
    changed = _change("enable", card, data, lambda work, id_: enable_staff(work, id_, OPERATOR))
    typer.echo(f"Enabled the account {changed.id}.")


@app.command()
def role(
    card: Card,
    to: Annotated[StaffRole, typer.Argument(help="The new role.")],
    data: Data = None,
) -> None:
    """Give an account another role, and end all its sessions."""
    changed = _change("role", card, data, lambda work, id_: change_role(work, id_, to, OPERATOR))
    typer.echo(f"The account {changed.id} has the role {changed.role}.")


@app.command()
def reset(card: Card, pin_stdin: PinStdin = False, data: Data = None) -> None:
    """Replace the PIN of an account, unlock its card, and end all its sessions."""
    try:
        hashed = asyncio.run(new_pin_hash(_new_pin(pin_stdin), card))
    except EASY_PINS as error:
        refuse(str(error))
    changed = _change(
        "reset",
        card,
        data,
        lambda work, id_: reset_staff_pin(work, id_, OPERATOR, wall_clock(), hashed),
    )
    typer.echo(f"The account {changed.id} has a new PIN.")


@app.command("email")
def email_(
    card: Card,
    to: Annotated[str, typer.Argument(help="The address.")],
    data: Data = None,
) -> None:
    """Send codes for a new PIN of an account to an address from now on."""
    address = _checked_email(to)
    changed = _change(
        "email",
        card,
        data,
        lambda work, id_: change_staff_email(work, id_, address, OPERATOR),
    )
    typer.echo(f"The account {changed.id} has an e-mail address.")


@app.command("remove-factor")
def remove_factor_(card: Card, data: Data = None) -> None:
    """Remove the second factor of somebody who has lost the app, and end all their sessions."""
    changed = _change(
        "remove-factor", card, data, lambda work, id_: remove_factor(work, id_, OPERATOR)
    )
    typer.echo(f"The account {changed.id} logs in without a code.")


@app.command()
def link(
    card: Card,
    login: Annotated[str, typer.Argument(help="User name, confirmed e-mail address or sub there.")],
    data: Data = None,
) -> None:
    """Let a log-in at the identity provider open an account, and end all its sessions."""
    if not (name := login.strip().casefold()):
        raise typer.BadParameter("is empty", param_hint="LOGIN")
    try:
        changed = _change(
            "link", card, data, lambda work, id_: link_provider(work, id_, name, OPERATOR)
        )
    except LoginTaken as error:
        refuse(f"{error} Nothing was changed.")
    typer.echo(f"The account {changed.id} is linked.")


@app.command()
def unlink(card: Card, data: Data = None) -> None:
    """Let no log-in at the identity provider open an account, and end all its sessions."""
    changed = _change("unlink", card, data, lambda work, id_: unlink_provider(work, id_, OPERATOR))
    typer.echo(f"The account {changed.id} is not linked any more.")


def _checked_email(typed: str) -> str:
    try:
        return checked_address(typed)
    except ValueError:
        refuse("This is no e-mail address. Nothing was changed.")


def _new_pin(pin_stdin: bool) -> str:
    pin = (
        sys.stdin.readline().rstrip("\r\n")
        if pin_stdin
        else typer.prompt("PIN", hide_input=True, confirmation_prompt=True)
    )
    if not acceptable_pin(pin):
        refuse("A PIN has 6 to 64 printable characters. Choose another.")
    return str(pin)


def _change(
    act: str,
    card: str,
    data: Data,
    change: UseCase[[str], StaffAccount],
) -> StaffAccount:
    settings = settings_to_write(data, Settings)
    require_card_key(settings)
    with _known_account(), explain_outages(settings):
        return asyncio.run(change_account(settings, card, change, act))


@contextmanager
def _known_account() -> Iterator[None]:
    try:
        yield
    except NoSuchAccount:
        refuse("No account of staff or of a machine has this card number. Nothing was changed.")
