"""Notifications about a PIN: a code to choose a new one was asked for, and was used."""

from dataclasses import dataclass
from typing import ClassVar, Self

from services.notices.kinds import frame
from services.notices.kinds.kind import Kind, Known
from shared.contracts.accounts import PinReset, PinResetRequested
from shared.translations import marked
from shared.unit_of_work import Run


@dataclass(frozen=True, kw_only=True)
class CodeRequested(Kind, events=[PinResetRequested]):
    """A notification that a code was asked for. Only the e-mail has the code."""

    urgent: ClassVar[bool] = True
    code_text: ClassVar[str] = frame.CODE

    reset_id: str

    @classmethod
    async def of(cls, event: PinResetRequested, run: Run) -> Self:
        """Return the request, by which accounts gives the code for the e-mail."""
        return cls(reset_id=event.reset_id)

    def texts(self, known: Known) -> list[str]:
        """Return that a code was asked for."""
        return [
            marked("Someone asked for a code to choose a new PIN for your library card."),
            marked("If that wasn't you, you need not do anything: your PIN stays as it is."),
        ]


@dataclass(frozen=True, kw_only=True)
class PinChosen(Kind, events=[PinReset]):
    """A notification that a new PIN was chosen with a code."""

    urgent: ClassVar[bool] = True

    alert_id: str | None = None

    @classmethod
    async def of(cls, event: PinReset, run: Run) -> Self:
        """Return by what accounts knows the address; the PIN is nobody's business."""
        return cls(alert_id=event.alert_id)

    def texts(self, known: Known) -> list[str]:
        """Return that there is a new PIN."""
        return [
            marked("You have chosen a new PIN with a code from an e-mail."),
            marked("If that wasn't you, please tell the library at once."),
        ]
