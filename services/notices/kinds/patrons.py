"""Notifications about the patron's own card."""

from dataclasses import dataclass
from typing import Self

from services.notices.kinds.kind import Kind, Known
from shared.contracts.accounts import PatronCameOfAge
from shared.translations import marked
from shared.unit_of_work import Run


@dataclass(frozen=True, kw_only=True)
class CameOfAge(Kind, events=[PatronCameOfAge]):
    """A notification that a junior patron has become an adult one."""

    @classmethod
    async def of(cls, event: PatronCameOfAge, run: Run) -> Self:
        """Return no facts: the date of birth stays with accounts."""
        return cls()

    def texts(self, known: Known) -> list[str]:
        """Return that the rules for adults apply."""
        return [
            marked("Your library card is now an adult's card."),
            marked("From now on, what you borrow is lent by the rules for adults."),
        ]
