"""`carrel clients`: services of others where patrons log in with their library account.

It works on the database: nobody can register a client, or get its secret, through the API.
"""

import asyncio
import json
import re
import secrets
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from ops.console import AsJson, explain_outages, print_json, print_table, printable, refuse
from ops.direct import origin_of, unit_of_work_at
from ops.target import Data, settings_of, settings_to_write
from services.accounts.openid import store
from services.accounts.openid.commands.registration import (
    ClientExists,
    add_secret,
    new_secret,
    public_keys_in,
    register,
    remove_client,
)
from services.accounts.openid.refusals import NoSuchClient
from services.accounts.openid.rules import (
    CLAIMS_OF_SCOPES,
    OPENID,
    Client,
    acceptable_uri,
    secret_digest,
)
from services.accounts.settings import Settings
from shared.unit_of_work import UseCase

ClientId = Annotated[str, typer.Argument(metavar="ID", help="Id of the client (client_id).")]
_UNKNOWN = "There is no client with this id. Nothing was changed."

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def clients() -> None:
    """Services of others where patrons log in with their library account (OpenID Connect)."""


@app.command()
def add(
    client_id: ClientId,
    *,
    name: Annotated[str, typer.Option(help="Name that patrons are shown.")],
    redirect: Annotated[list[str], typer.Option(help="Address of answers; may be repeated.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"May be repeated, beside openid: {', '.join(CLAIMS_OF_SCOPES)}."),
    ] = None,
    after_log_out: Annotated[
        list[str] | None, typer.Option(help="Address to go on to after log-out; may be repeated.")
    ] = None,
    log_out: Annotated[
        str, typer.Option(help="Address that is told of the end of a session.")
    ] = "",
    sector: Annotated[
        str, typer.Option(help="Host of the vendor; needed if addresses are on several hosts.")
    ] = "",
    keys: Annotated[
        Path | None, typer.Option(help="File with its public keys (JWKS), in place of a secret.")
    ] = None,
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Register a client, and print its secret, this once."""
    scopes = tuple(dict.fromkeys((OPENID, *(scope or ()))))
    uris = [*redirect, *(after_log_out or ()), *filter(None, [log_out])]
    hosts = {str(urlsplit(one).hostname) for one in redirect if acceptable_uri(one)}
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", client_id) or not name.strip() or len(name) > 100:
        refuse("The id has letters, digits, dots and dashes; the name has 1 to 100 characters.")
    if wrong := [one for one in uris if not acceptable_uri(one)]:
        refuse(f"An address begins with https:// and has no #: {printable(wrong[0])}")
    if unknown := set(scopes) - CLAIMS_OF_SCOPES.keys():
        refuse(f"There is no scope {', '.join(sorted(unknown))}.")
    if not sector and len(hosts) > 1:
        refuse("The addresses are on several hosts. Name the vendor's with --sector.")
    public = _keys_in(keys) if keys else ()
    secret = "" if keys else new_secret()
    client = Client(
        id=client_id,
        name=name.strip(),
        redirect_uris=tuple(redirect),
        scopes=scopes,
        sector=sector or hosts.pop(),
        salt=secrets.token_urlsafe(32),
        secrets=(secret_digest(secret),) if secret else (),
        keys=public,
        log_out_redirect_uris=tuple(after_log_out or ()),
        log_out_uri=log_out,
    )
    try:
        _run(settings_to_write(data, Settings), "add", client_id, lambda w, _: register(w, client))
    except ClientExists:
        refuse("There is a client with this id already. Nothing was changed.")
    _print(client_id, secret, as_json=as_json)


@app.command("list")
def list_(as_json: AsJson = False, data: Data = None) -> None:
    """List the clients, without their secrets."""
    settings = settings_of(data, Settings)

    async def found() -> list[Client]:
        async with unit_of_work_at(settings, "accounts") as unit_of_work:
            return await store.find_all_clients(unit_of_work.database)

    with explain_outages(settings):
        listed = sorted(asyncio.run(found()), key=lambda one: one.id)
    if as_json:
        print_json({"items": [_described(one) for one in listed]})
        return
    rows = [(one.id, one.name, " ".join(one.scopes), " ".join(one.redirect_uris)) for one in listed]
    print_table(("id", "name", "scopes", "addresses"), rows)


@app.command()
def secret(client_id: ClientId, as_json: AsJson = False, data: Data = None) -> None:
    """Print another secret; the former one is valid until the next."""
    made, settings = new_secret(), settings_to_write(data, Settings)
    try:
        _run(settings, "secret", client_id, lambda work, id_: add_secret(work, id_, made))
    except NoSuchClient:
        refuse(_UNKNOWN)
    _print(client_id, made, as_json=as_json)


@app.command()
def remove(client_id: ClientId, data: Data = None) -> None:
    """Remove a client with all that patrons have given it. It gets no answer from then on."""
    settings = settings_to_write(data, Settings)
    try:
        _run(settings, "remove", client_id, remove_client)
    except NoSuchClient:
        refuse(_UNKNOWN)
    typer.echo(f"Removed the client {client_id}.")


def _run(
    settings: Settings, command: str, client_id: str, use_case: UseCase[[str], Client | None]
) -> None:
    async def run() -> None:
        async with unit_of_work_at(settings, "accounts") as unit_of_work:
            origin = origin_of(f"clients {command} {client_id}")
            await unit_of_work.run(use_case, client_id, origin)
            if use_case is remove_client:
                await store.delete_of_client(unit_of_work.database, client_id)

    with explain_outages(settings):
        asyncio.run(run())


def _keys_in(file: Path) -> tuple[dict[str, Any], ...]:
    try:
        return public_keys_in(json.loads(file.read_bytes()))
    except (OSError, ValueError):
        refuse("The file has no set of public keys (JWKS). Nothing was changed.")


def _print(client_id: str, secret: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"client_id": client_id, "client_secret": secret or None})
        return
    typer.echo(f"client_id={client_id}")
    if secret:
        typer.echo(f"client_secret={secret}")


def _described(client: Client) -> dict[str, Any]:
    hidden = {"salt", "secrets", "version"}
    return {name: getattr(client, name) for name in client.__slots__ if name not in hidden}
