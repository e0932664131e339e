"""Delete a registration of an erased patron."""

from dataclasses import dataclass

from services.events import store
from services.events.domain.refusals import NoSuchActivity
from services.events.usecases.end_registration import end
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PurgeRegistration:
    """The registration to delete."""

    registration_id: str


def purge_registration(work: Work, command: PurgeRegistration) -> bool:
    """End and delete the registration; return False if it had ended. Raises NoSuchActivity."""
    registration = store.registration(work, command.registration_id)
    if registration is None:
        return False
    activity = store.activity(work, registration.activity_id)
    if activity is None:
        raise NoSuchActivity
    end(work, activity, registration, "erased")
    return True
