"""The sub-commands of `carrel`: each module has a typer application named `app`."""
