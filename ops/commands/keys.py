"""`carrel keys`: make keys, and revoke the keys that sign tokens, in the database.

Whoever has stolen a key can also sign a token of an operator, so a revocation needs no token.
"""

import asyncio
import os

import typer

from ops.card_digests import NotReady, replace_digests
from ops.console import explain_outages, refuse, show_status
from ops.direct import require_card_key, revoke_all_keys
from ops.environment import missing_secrets, public_keys_of
from ops.target import Data, settings_to_write
from services.accounts.settings import Settings
from services.registry import NAMES
from shared.assertions import make_key, public_halves
from shared.auth import RENEW_SECONDS

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def keys() -> None:
    """The keys of a system, of its services, and those that sign tokens."""


@app.command()
def make() -> None:
    """Print a new value of each secret that the environment lacks, as variables.

    With CARREL_CARD_KEY of an earlier release in the environment, the keys that have taken
    over its other purposes accept it as their former key.
    """
    given = {name: value for name, value in os.environ.items() if value}
    made = missing_secrets(given)
    for name, value in made.items():
        typer.echo(f"{name}={value}")
    if "CARREL_SERVICE_KEYS" not in given:
        typer.echo(f"CARREL_SERVICE_KEYS={public_keys_of(made | given)}")


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
