"""Reads of the libraries' names, which many pages need."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.gateway.web.api import Api
from services.gateway.web.page_request import PageRequest

MOST = "200"


def in_language(branch: dict[str, Any], language: str) -> dict[str, Any]:
    """Return a library with its name in a language, if it has one there."""
    return branch | {"name": branch["names"].get(language, branch["name"])}


def by_name(branches: Iterable[dict[str, Any]], language: str) -> list[dict[str, Any]]:
    """Return libraries with their names in a language, in the order of these names.

    Chinese names are in the order of Unicode, which is that of radicals and strokes.
    """
    named = (in_language(branch, language) for branch in branches)
    return sorted(named, key=lambda branch: (branch["name"].casefold(), branch["code"]))


async def branches_by_code(api: Api) -> dict[str, dict[str, Any]]:
    """Return today's libraries by code, in the page's language and in the order of their names.

    Empty if they can't be listed.
    """
    reply = await api.get("/v1/branches", limit=MOST)
    items = reply.json()["items"] if reply.done else []
    branches = {branch["code"]: branch for branch in by_name(items, api.language)}
    api.last_names.update({code: branch["name"] for code, branch in branches.items()})
    return branches


async def branch_names(api: Api) -> dict[str, str]:
    """Return names by code; empty if the API cannot list them, and pages then show the codes."""
    return {code: branch["name"] for code, branch in (await branches_by_code(api)).items()}


def names_of(codes: Iterable[str], names: Mapping[str, str]) -> dict[str, str]:
    """Return the names of some libraries by code, in their order; the code if a name is missing."""
    wanted = dict.fromkeys(codes)
    known = {code: name for code, name in names.items() if code in wanted}
    return known | {code: code for code in wanted if code not in known}


async def home_branch(request: PageRequest) -> str:
    """Return the code of a patron's home library; "" if it is not known, or for other visitors."""
    if not request.is_patron:
        return ""
    reply = await request.api.get("/v1/me")
    return reply.json()["patron"]["home_branch"] or "" if reply.done else ""
