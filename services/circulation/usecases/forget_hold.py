"""Forget a hold that has ended."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain.hold import OPEN_STATES
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ForgetHold:
    """Which hold may have ended."""

    hold_id: str


async def forget_hold(work: Work, command: ForgetHold) -> bool:
    """Whether the hold had ended and is gone now. What collecting it cost stays, without a title.

    Of two that forget it at once one is told so.
    """
    hold = await store.holds.get(work, command.hold_id)
    if hold is None or hold.state in OPEN_STATES:
        return False
    await store.holds.forget(work, hold)
    return True
