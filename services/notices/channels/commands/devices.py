"""Add and remove devices, and record what became of messages to them."""

from services.notices.channels.refusals import NoSuchDevice, TooManyDevices
from services.notices.channels.rules import devices as devices_rules
from services.notices.channels.rules.devices import MOST_DEVICES, PushMessage, PushSubscription
from services.notices.channels.store import devices as devices_store
from services.notices.patrons import store as patrons_store
from services.notices.patrons.refusals import NoSuchPatron
from shared.clock import wall_clock
from shared.unit_of_work import Work


def add_device(
    work: Work, *, patron_id: str, endpoint: str, public_key: str, auth: str, name: str
) -> PushSubscription:
    """Add the device and return it; one that is known gets the new keys.

    A browser that another patron used until now changes hands. Raises NoSuchPatron or
    TooManyDevices. Writes the patron's record, so that no erasure can commit meanwhile.
    """
    patron = patrons_store.get(work, patron_id)
    if patron is not None and patron.erased:
        raise NoSuchPatron
    patrons_store.hold(work, patron, patron_id)
    known = devices_store.get(work, devices_rules.subscription_id(endpoint))
    if known is not None and known.patron_id != patron_id:
        devices_store.delete(work, known.id)
        known = None
    if known is not None:
        slot: str | None = known.slot
    else:
        taken = devices_store.of_patrons(work, [patron_id])
        slot = devices_rules.free_slot(patron_id, {one.slot for one in taken})
    if slot is None:
        raise TooManyDevices(most=MOST_DEVICES)
    device = PushSubscription(
        id=devices_rules.subscription_id(endpoint),
        version=known.version + 1 if known else 1,
        patron_id=patron_id,
        slot=slot,
        endpoint=endpoint,
        public_key=public_key,
        auth=auth,
        name=name,
        created_at=wall_clock(),
    )
    devices_store.save(work, device)
    return device


def remove_device(work: Work, patron_id: str, subscription_id: str) -> None:
    """Remove the device with its messages. Raises NoSuchDevice."""
    device = devices_store.get(work, subscription_id)
    if device is None or device.patron_id != patron_id:
        raise NoSuchDevice
    devices_store.delete(work, device.id)


def note_push_message(work: Work, message: PushMessage) -> None:
    """Save the message; if the push service says that the device is gone, delete the device.

    Nothing is saved if another process has repeated the try, or the message was deleted.
    """
    known = devices_store.get_message(work, message.id)
    if known is None or known.version != message.version - 1:
        return
    if message.reason == "gone":
        devices_store.delete(work, message.subscription_id)
        return
    devices_store.save_messages(work, message)
