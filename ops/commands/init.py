"""`carrel init`: write all secrets of a system into one new file."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import yaml
from dotenv import dotenv_values

from ops.console import errors, refuse
from ops.environment import missing_secrets, variables_of, variables_of_operators
from ops.infrastructure import private
from ops.infrastructure.processes import OPERATORS_ACT_AS
from services.registry import NAMES

app = typer.Typer()
STANDARD_OUTPUT = Path("-")
HEADER = (
    "# Secrets of a Carrel system, made by carrel init. Keep a copy where backups of the databases "
    "are not,\n# without CARREL_VISIT_KEYS. docs/security.md says what each one protects.\n"
)


class Format(StrEnum):
    """Form of the file: of Compose and systemd, or manifests of Kubernetes."""

    ENV = "env"
    KUBERNETES = "kubernetes"


@app.callback(
    invoke_without_command=True,
    subcommand_metavar="",
    context_settings={"allow_interspersed_args": True},  # as in ops/commands/replay.py
)
def init(
    file: Annotated[
        Path, typer.Argument(help="The new file; - prints it.", show_default=True)
    ] = Path(".env"),
    form: Annotated[
        Format,
        typer.Option(
            "--format", help="env: for Compose and systemd. kubernetes: a Secret for each service."
        ),
    ] = Format.ENV,
    former: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Take what this env file has, and make only the secrets that it lacks."
        ),
    ] = None,
) -> None:
    """Write all secrets of a system into a new file that only you may read.

    An existing file is never changed. --from is for an update, and to move a
    system to Kubernetes.
    """
    try:
        text = former.read_text() if former else ""
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{former} can't be read ({type(error).__name__}). Give an env file.")
    given = {
        name: value
        for name, value in (dotenv_values(former, interpolate=False) if former else {}).items()
        if value
    }
    made = missing_secrets(given)
    if form is Format.ENV:
        lines = (text and [text.rstrip("\n")]) or [HEADER.rstrip("\n")]
        text = "\n".join([*lines, *(f"{name}={value}" for name, value in made.items())]) + "\n"
    else:
        text = HEADER + _manifests(given | made)
    if file == STANDARD_OUTPUT:
        typer.echo(text, nl=False)
        return
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, private.MODE)
    except FileExistsError:
        refuse(
            f"{file} exists, and is left as it is. Give another name; --from {file} takes over "
            "what it has."
        )
    except OSError as error:
        refuse(f"{file} can't be written ({error.strerror}). Give another name.")
    with os.fdopen(opened, "w") as written:
        written.write(text)
    errors.print(
        f"{file} has all secrets of a system, {len(made)} of them new. Keep a copy where backups "
        "of the databases are not.",
        markup=False,
    )


def _manifests(given: dict[str, str]) -> str:
    """Return a Secret for each service with what it uses, and one for operators' commands."""
    parts = {f"carrel-{service}": variables_of(given, service) for service in NAMES}
    parts["carrel-operator"] = variables_of_operators(given, OPERATORS_ACT_AS)
    return yaml.safe_dump_all(
        (
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "type": "Opaque",
                "stringData": {
                    name: value for name, value in used.items() if name.startswith("CARREL_")
                },
            }
            for name, used in parts.items()
        ),
        sort_keys=False,
        width=10_000,
    )
