"""Notifications about a suspension of fines, for patrons who have loans in its scope."""

from dataclasses import dataclass
from datetime import date
from typing import Self

from services.notices.kinds.kind import Kind, Known, ListedPatrons
from services.notices.language import Language
from services.notices.patrons import store as patrons_store
from shared.contracts.suspensions import FinesResumed, FinesSuspended, SuspensionSnapshot
from shared.owners import path_to
from shared.translations import marked
from shared.unit_of_work import Run

LIBRARIES = marked("some libraries")
"""Replaces libraries that are not known."""


@dataclass(frozen=True, kw_only=True)
class OfSuspension(Kind):
    """The facts of every notification about a suspension.

    Suspensions announced at the same moment become one notification for each patron.
    """

    suspension_id: str
    version: int | None = None
    """Version of the suspension: of two announcements at one moment the later one is used.

    None in notifications stored before the field existed.
    """
    branches: tuple[str, ...] | None = None
    """Codes of the branches whose loans of this patron the suspension concerns."""
    starts_on: date | None = None
    resumes_on: date | None = None
    previous_starts_on: date | None = None
    """Previously announced day that `starts_on` replaces."""
    previous_resumes_on: date | None = None
    """Previously announced day that `resumes_on` replaces."""
    first_told: bool | None = None
    """True if the patron was told of no earlier announcement, which is then not mentioned."""

    @classmethod
    async def of(cls, event: SuspensionSnapshot, run: Run) -> Self:
        """Return the days of the suspension, and the announced days that they replace."""
        return cls.from_event(event, branches=None, first_told=None)

    async def current(self, run: Run) -> Self | None:
        """Return the same facts unless the suspension was changed or withdrawn after them."""
        newer = await patrons_store.is_announced_later(
            run.database, self.suspension_id, self.version or 0
        )
        return None if newer else self

    @classmethod
    def recipients(cls, event: SuspensionSnapshot) -> ListedPatrons:
        """Return the patrons who have loans in the scope at this moment."""
        path = path_to("v1", "fine-suspensions", event.suspension_id, "patrons")
        return ListedPatrons("circulation", path)

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the names of the libraries whose loans it concerns."""
        libraries = sorted(known.branches.get(code, code) for code in self.branches or ())
        return {"libraries": language.listed(libraries) or language.say(LIBRARIES)}


@dataclass(frozen=True, kw_only=True)
class Suspended(OfSuspension, events=[FinesSuspended], name=marked("Fines suspended")):
    """A notification that fines are suspended for loans from some libraries."""

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the first suspended day and the announced resumption, if any."""
        suspended = marked("Fines are suspended from {starts_on} for your loans from {libraries}.")
        if self.previous_starts_on is not None and not self.first_told:
            suspended = marked(
                "Fines are suspended from {starts_on}, not from {previous_starts_on} as "
                "announced before, for your loans from {libraries}."
            )
        return [suspended, *self._counted_again()]

    def _counted_again(self) -> list[str]:
        """Return sentences with the day of resumption and the announced day it replaces."""
        previous = None if self.first_told else self.previous_resumes_on
        if self.resumes_on is not None and previous is not None:
            return [
                marked(
                    "They restart on {resumes_on}, not on {previous_resumes_on} as announced "
                    "before."
                )
            ]
        if previous is not None:
            return [
                marked(
                    "They do not restart on {previous_resumes_on} as announced before. Another day "
                    "will be announced."
                )
            ]
        if self.resumes_on is not None:
            return [marked("They restart on {resumes_on}.")]
        return []


@dataclass(frozen=True, kw_only=True)
class Resumed(OfSuspension, events=[FinesResumed], name=marked("Fines restart")):
    """A notification that fines are counted again, or that no day is free after all."""

    @property
    def is_usual(self) -> bool:
        """False if the suspension was withdrawn, so that none of its days is free."""
        return not (self.starts_on and self.resumes_on and self.resumes_on <= self.starts_on)

    def texts(self, known: Known) -> list[str]:
        """Return a sentence with the day from which fines count again."""
        if not self.is_usual and self.first_told:
            return [marked("Fines count as usual for overdue days of your loans from {libraries}.")]
        if not self.is_usual:
            return [
                marked(
                    "Fines are not suspended from {starts_on} as announced before. Overdue days of "
                    "your loans from {libraries} count as usual."
                )
            ]
        if self.previous_resumes_on is not None and not self.first_told:
            return [
                marked(
                    "Fines restart on {resumes_on}, not on {previous_resumes_on} as announced "
                    "before, for your overdue loans from {libraries}."
                )
            ]
        return [marked("Fines restart on {resumes_on} for your overdue loans from {libraries}.")]
