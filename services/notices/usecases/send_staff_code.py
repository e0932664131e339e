"""Queue the e-mail with a code for somebody of the staff."""

from services.notices import store
from services.notices.domain.delivery import delivery_to_staff
from shared.clock import wall_clock
from shared.contracts.accounts import PinIssued
from shared.unit_of_work import Work


def send_staff_code(work: Work, event: PinIssued) -> None:
    """Queue the e-mail, once for each code."""
    delivery = delivery_to_staff(event.reset_id, wall_clock())
    if store.deliveries.get(work, delivery.id) is None:
        store.deliveries.save(work, delivery)
