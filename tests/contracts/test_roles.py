"""The page about security says truly who may do what."""

from tests.contracts.roles import PAGE, parts, table
from tests.contracts.test_openapi import merged


def test_the_table_of_roles_is_that_of_the_routes() -> None:
    _, shown, _ = parts(PAGE.read_text())
    assert shown == table(merged())  # otherwise run `python -m tests.contracts.roles`
