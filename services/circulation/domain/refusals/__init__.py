"""Refusals by the lending rules, one module for each subject; importing the package loads all."""

from services.circulation.domain.refusals import (
    branches,
    conflicts,
    copies,
    holds,
    loans,
    money,
    patrons,
    policies,
    suspensions,
    titles,
)

__all__ = [
    "branches",
    "conflicts",
    "copies",
    "holds",
    "loans",
    "money",
    "patrons",
    "policies",
    "suspensions",
    "titles",
]
