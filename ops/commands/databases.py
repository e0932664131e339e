"""`carrel databases`: the users of the databases, made by an administrator of MongoDB."""

import asyncio

import typer

from ops.console import errors, explain_outages
from ops.database_users import make_users, names, url_for
from ops.target import Data, settings_to_write
from services.settings import Settings
from shared.mongo import connect

app = typer.Typer(no_args_is_help=True)


@app.callback()
def databases() -> None:
    """The users of the databases."""


@app.command()
def users(data: Data = None) -> None:
    """Make a user for each service, with rights on its database alone, and one for operators.

    Run it with CARREL_MONGO_URL of an administrator, who may make users and roles. It prints
    the address with the password of each new user. Existing users keep their passwords and get
    the rights that they need, no more. Run it again after an update.
    """
    settings = settings_to_write(data)
    with explain_outages(settings):
        made = asyncio.run(_make(settings))
    for name, user in names(settings).items():
        if user in made:
            variable = f"{name.upper()}_MONGO_URL"
            typer.echo(f"{variable}={url_for(settings.mongo_url, user, made[user])}")
    errors.print(f"{len(made)} users made; the rights of all are set.")


async def _make(settings: Settings) -> dict[str, str]:
    client = connect(settings.mongo_url, timeout_ms=3000)
    try:
        return await make_users(client, settings)
    finally:
        client.close()
