"""End a registration of a patron who was erased."""

from dataclasses import dataclass

from services.events import store
from services.events.domain.refusals import NoSuchActivity
from services.events.usecases.end_registration import end
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ForgetRegistration:
    """Which one."""

    registration_id: str


async def forget_registration(work: Work, command: ForgetRegistration) -> bool:
    """Whether it was there still."""
    registration = await store.registration(work, command.registration_id)
    if registration is None:
        return False
    activity = await store.activity(work, registration.activity_id)
    if activity is None:
        raise NoSuchActivity
    await end(work, activity, registration, "erased")
    return True
