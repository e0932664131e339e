"""`python -m ops` is the `carrel` command."""

from ops.cli import app

app(prog_name="carrel")
