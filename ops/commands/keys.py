"""`carrel keys`: make the keys of services, and revoke the keys that sign tokens, in the database.

Whoever has stolen a key can also sign a token of an operator, so a revocation needs no token.
"""

import asyncio

import typer

from ops.console import explain_outages
from ops.direct import revoke_all_keys
from ops.target import Data, settings_to_write
from services.accounts.settings import Settings
from services.registry import NAMES
from shared.assertions import make_key, public_halves
from shared.auth import RENEW_SECONDS

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def keys() -> None:
    """The keys of services, and those that sign tokens."""


@app.command()
def services() -> None:
    """Print a new key for each service as variables, and the public halves for accounts."""
    made = {name: make_key() for name in NAMES}
    for name, key in made.items():
        typer.echo(f"CARREL_SERVICE_KEY_{name.upper()}={key}")
    typer.echo(f"CARREL_SERVICE_KEYS={public_halves(made)}")


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
