"""The pages of a subject with what belongs to them, and the texts of all pages together."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from fastapi import APIRouter

from services.gateway.web import words

V = TypeVar("V")

AtFault = str | tuple[str, ...]
Menu = Sequence[tuple[str, str]]
"""Paths and names of pages."""

_ROLES = ("patron", "staff", "tracer", "admin", "ops")
"""Roles of people; a visitor with several has the menu of the first."""
_BY_STATUS = {
    400: "malformed",
    403: "forbidden",
    404: "not-found",
    422: "malformed",
    503: "unavailable",
}


class Pages(APIRouter):
    """The routes of a subject's pages, with the texts and the places in menus that they need."""

    def __init__(
        self,
        *,
        menus: Mapping[str, Menu] | None = None,
        messages: Mapping[str, str] | None = None,
        problems: Mapping[str, str] | None = None,
        at_fault: Mapping[str, AtFault] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(include_in_schema=False)
        self.menus = menus or {}
        """Pages in the menu of a role, or of "anyone"."""
        self.messages = messages or {}
        """Messages after a command, by code.

        `%(…)s` are its facts: `…_on` is a day, `…_cents` an amount of money, `problem` a code,
        `ways_out` those of the API.
        """
        self.problems = problems or {}
        """Texts of problems by code."""
        self.at_fault = at_fault or {}
        """Field that a refusal is about, by the refusal's code; of several the one that the form
        has."""
        self.fields = fields or {}
        """Names of fields in a list of invalid ones."""


class Texts:
    """The texts of all pages, by code, and the menus, in the order of the pages."""

    def __init__(self, pages: Iterable[Pages]) -> None:
        subjects = tuple(pages)
        self.messages = _once([words.MESSAGES, *(one.messages for one in subjects)])
        self.problems = _once([words.PROBLEMS, *(one.problems for one in subjects)])
        self.at_fault = _once([words.AT_FAULT, *(one.at_fault for one in subjects)])
        self.fields = _once([words.FIELDS, *(one.fields for one in subjects)])
        self.menus = {
            role: [page for one in subjects for page in one.menus.get(role, ())]
            for role in (*_ROLES, "anyone")
        }

    def of_problem(self, code: str, status: int) -> str:
        """Return the text of a problem; by its status if the code has no text of its own."""
        of_status = self.problems.get(_BY_STATUS.get(status, ""), words.ANY_PROBLEM)
        return self.problems.get(code, of_status)

    def menu(self, roles: Collection[str]) -> Menu:
        """Return a visitor's own pages; none without a role of people."""
        return next((self.menus[role] for role in _ROLES if role in roles), ())


def grouped(pages: Menu) -> dict[str, Menu]:
    """Return the pages of librarians by group, each group in its own order."""
    names = dict(pages)
    groups: dict[str, list[tuple[str, str]]] = {
        group: [(path, names.pop(path)) for path in paths if path in names]
        for group, paths in words.DESK_MENU
    }
    groups[words.DESK_MENU[-1][0]] += names.items()
    return {group: menu for group, menu in groups.items() if menu}


def group_of(here: str, groups: Mapping[str, Menu]) -> str:
    """Return the group of a page: that of the longest path of a menu that its path begins with."""
    lengths = {
        len(path): group
        for group, menu in groups.items()
        for path, _ in menu
        if f"{here}/".startswith(f"{path}/")
    }
    return lengths[max(lengths)] if lengths else ""


def _once(tables: Iterable[Mapping[str, V]]) -> Mapping[str, V]:
    """Return one table of several. Raises ValueError if two of them have the same code."""
    merged: dict[str, V] = {}
    for table in tables:
        if twice := merged.keys() & table.keys():
            raise ValueError(f"more than one text: {sorted(twice)}")
        merged |= table
    return merged
