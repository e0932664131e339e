"""Add or remove a device that shows a patron's notifications."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain import push as rules
from services.notices.domain.push import PushSubscription
from services.notices.domain.push_refusals import NoSuchDevice, TooManyDevices
from services.notices.domain.refusals import NoSuchPatron
from shared.clock import wall_clock
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AddDevice:
    """A subscription of a patron's browser, whose address and keys are checked."""

    patron_id: str
    endpoint: str
    public_key: str
    auth: str
    name: str


@dataclass(frozen=True)
class RemoveDevice:
    """A device of the patron who removes it."""

    patron_id: str
    subscription_id: str


def add_device(work: Work, command: AddDevice) -> PushSubscription:
    """Add the device and return it; one that is known gets the new keys.

    A browser that another patron used until now changes hands. Raises NoSuchPatron or
    TooManyDevices. Writes the patron's record, so that no erasure can commit meanwhile.
    """
    patron = store.patrons.get(work, command.patron_id)
    if patron is not None and patron.erased:
        raise NoSuchPatron
    store.patrons.hold(work, patron, command.patron_id)
    known = store.devices.get(work, rules.subscription_id(command.endpoint))
    if known is not None and known.patron_id != command.patron_id:
        store.devices.delete(work, known.id)
        known = None
    if known is not None:
        slot: str | None = known.slot
    else:
        taken = store.devices.of_patrons(work, [command.patron_id])
        slot = rules.free_slot(command.patron_id, {one.slot for one in taken})
    if slot is None:
        raise TooManyDevices
    device = PushSubscription(
        id=rules.subscription_id(command.endpoint),
        version=known.version + 1 if known else 1,
        patron_id=command.patron_id,
        slot=slot,
        endpoint=command.endpoint,
        public_key=command.public_key,
        auth=command.auth,
        name=command.name,
        created_at=wall_clock(),
    )
    store.devices.save(work, device)
    return device


def remove_device(work: Work, command: RemoveDevice) -> None:
    """Remove the device with its messages. Raises NoSuchDevice."""
    device = store.devices.get(work, command.subscription_id)
    if device is None or device.patron_id != command.patron_id:
        raise NoSuchDevice
    store.devices.delete(work, device.id)
