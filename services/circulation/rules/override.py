"""Overrides: staff with the right lend, renew or reserve despite a refusal, with a reason."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Reason:
    """The wish of somebody of the staff to go on despite a refusal."""

    by: str
    """Id of the account."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A loan, renewal or hold that was made despite a refusal."""

    id: str
    patron_id: str
    made_id: str
    """Id of the loan or hold."""
    code: str
    """Code of the refusal."""
    reason: str
    by: str
    """Id of the account of the staff."""
    at: datetime
