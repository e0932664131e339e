"""Reads of the libraries that exist."""

from collections.abc import Collection
from contextlib import suppress

from services.circulation.calendars import store
from services.circulation.refusals import NoSuchBranch
from shared.owners import OwnerAway, path_to
from shared.unit_of_work import Run


async def check_branches(run: Run, codes: Collection[str]) -> None:
    """Raise NoSuchBranch for a library that nobody has registered.

    The event of a new library may not have arrived yet, so notices is asked about one that is not
    known here. While notices is away, the library is taken as given: the desk goes on.
    """
    known = await store.find(run.database, codes)
    with suppress(OwnerAway):
        for code in sorted({*codes} - known.keys()):
            branch = path_to("v1", "branches", code)
            if await run.owners.get("notices", branch, now=run.now) is None:
                raise NoSuchBranch(branch=code)
