"""Withdraw a patron's registration for an activity."""

from dataclasses import dataclass

from services.events import store
from services.events.domain.activity import check_open
from services.events.domain.refusals import NoSuchActivity, NotRegistered
from services.events.domain.registration import Registration
from services.events.usecases.end_registration import end
from shared.unit_of_work import Work


@dataclass(frozen=True)
class WithdrawRegistration:
    """A patron and the activity to withdraw from."""

    activity_id: str
    patron_id: str


def withdraw_registration(work: Work, command: WithdrawRegistration) -> Registration:
    """Withdraw the registration and return its last state.

    Raises NoSuchActivity, NotRegistered, ActivityCancelled or ActivityBegun.
    """
    activity = store.activity(work, command.activity_id)
    if activity is None:
        raise NoSuchActivity
    registration = store.registration_of(work, activity.id, command.patron_id)
    if registration is None:
        raise NotRegistered
    check_open(activity, work.now)
    return end(work, activity, registration, "patron")
