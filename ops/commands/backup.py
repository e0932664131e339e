"""`carrel backup`: all databases at one moment, encrypted, while the services work."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from ops.backups import archive, snapshot
from ops.backups.archive import BackupError
from ops.console import AsJson, errors, explain_outages, print_json, refuse, show_status
from ops.direct import record_act
from ops.target import Data, settings_of
from services.settings import Settings
from shared.mongo import connect
from shared.processes import BACKUP, note_run

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def backup() -> None:
    """Back up all databases at one moment; carrel restore from is the way back."""


@app.command()
def take(
    to: Annotated[Path, typer.Option("--to", help="Folder in which the backup gets a folder.")],
    recipient: Annotated[
        list[str],
        typer.Option(
            "--recipient",
            metavar="AGE1…",
            help="Public key of age that encrypts it; may be repeated.",
        ),
    ],
    as_json: AsJson = False,
    data: Data = None,
) -> None:
    """Write a backup of all databases at one cluster time into a new folder.

    The services go on working. The folder has its name only once the backup is
    whole: what an interruption leaves ends with .partial, and can be deleted.
    carrel status and the gateway's metrics then show its age.
    """
    settings = settings_of(data)
    try:
        recipients = [archive.recipient_of(one) for one in recipient]
        with explain_outages(settings), show_status("Reading the databases") as update:
            asyncio.run(record_act(settings, "backup take"))
            try:
                made, folder = snapshot.take(settings, to, recipients, update)
            except OSError as error:
                refuse(f"{to} can't be written ({error.strerror}). Give another folder.")
            place = f"{socket.gethostname()}:{folder.resolve()}"
            asyncio.run(_note(settings, made, place))
    except BackupError as error:
        refuse(str(error))
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "cluster_time": made.at,
                "documents": made.documents,
                "bytes": made.bytes,
            }
        )
        return
    typer.echo(
        f"{folder} has {made.documents:,} documents of {made.at:%Y-%m-%d %H:%M:%S} UTC in "
        f"{made.bytes / 1e6:,.1f} MB. Keep a copy on another machine."
    )


async def _note(settings: Settings, made: archive.Backup, place: str) -> None:
    """Note the instant and the place of a backup at the gateway, whose metrics show its age."""
    client = connect(settings.mongo_url)
    try:
        database = client[f"{settings.database_prefix}_gateway"]
        await note_run(database, BACKUP, "done", made.documents, place, at=made.at)
    finally:
        client.close()


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of a backup.")],
    as_json: AsJson = False,
) -> None:
    """Check the checksum of each file of a backup; exit 1 if one is damaged."""
    try:
        with show_status("Checking the backup") as update:
            found = archive.checked(folder, update)
    except BackupError as error:
        refuse(str(error))
    if as_json:
        print_json({"cluster_time": found.at, "documents": found.documents, "bytes": found.bytes})
        return
    typer.echo(
        f"{folder} is whole: {found.documents:,} documents of {found.at:%Y-%m-%d %H:%M:%S} UTC in "
        f"{len(found.parts)} files."
    )


@app.command()
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="New file for the private key.")],
) -> None:
    """Make a pair of keys for backups; print the public one, for --recipient.

    Keep the private one away from the system: a restore alone needs it, and
    without it no backup can be read.
    """
    private, public = archive.new_identity()
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, archive.MODE)
    except OSError as error:
        refuse(f"{file} can't be written ({error.strerror}). Give another name.")
    with os.fdopen(opened, "w") as written:
        written.write(f"# public key: {public}\n{private}\n")
    errors.print(f"{file} has the private key. Keep it where the system is not.", markup=False)
    typer.echo(public)
