"""Entry point of `python -m ops`, which is the `carrel` command."""

from ops.cli import app

app(prog_name="carrel")
