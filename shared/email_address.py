"""E-mail addresses that people type, checked without asking a name server."""

import re
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field

LONGEST = 254
_UNSAFE = re.compile(r"^[^A-Za-z0-9_]|[|`]")
"""Beginnings and characters of names that a mail server may take for a program, a file or an
option."""


def checked_address(typed: str) -> str:
    """Return an address in ASCII, as mail servers take it. Raises ValueError."""
    try:
        # `test_environment` lets an installation for trials use names below `.test`.
        found = validate_email(
            typed.strip(),
            strict=True,
            allow_smtputf8=False,
            check_deliverability=False,
            test_environment=True,
        )
    except EmailNotValidError:
        found = None
    address = found.ascii_email if found else None
    if address is None or _UNSAFE.search(address):
        raise ValueError("no e-mail address")
    return address


EmailAddress = Annotated[str, Field(max_length=LONGEST), AfterValidator(checked_address)]
