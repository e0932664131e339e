"""Queue notifications for the devices of their patrons, and for the webhooks that want them."""

from collections.abc import Sequence

from services.notices import store
from services.notices.domain import push, webhook
from services.notices.domain.notification import Notification
from shared.clock import wall_clock
from shared.unit_of_work import Work


def queue_messages(work: Work, changed: Sequence[Notification]) -> None:
    """Queue what was stored in this transaction, however many; repeating changes nothing.

    Withdrawn ones are left out.
    """
    told = [one for one in changed if not one.withdrawn]
    if told:
        _queue_for_devices(work, told)
        _queue_for_webhooks(work, told)


def _queue_for_devices(work: Work, told: Sequence[Notification]) -> None:
    devices = store.devices.of_patrons(work, sorted({one.patron_id for one in told}))
    wanted = [
        (device, one) for device in devices for one in told if one.patron_id == device.patron_id
    ]
    if not wanted:
        return
    ids = [push.message_id(device.id, one.id) for device, one in wanted]
    known = store.devices.some_messages(work, ids)
    at = wall_clock()
    queued = [
        push.message_to_queue(device, one, known.get(message), at)
        for (device, one), message in zip(wanted, ids, strict=True)
    ]
    store.devices.save_messages(work, *(one for one in queued if one is not None))


def _queue_for_webhooks(work: Work, told: Sequence[Notification]) -> None:
    webhooks = store.webhooks.wanting(work, sorted({one.kind for one in told}))
    wanted = [(each, one) for each in webhooks for one in told if one.kind in each.topics]
    if not wanted:
        return
    ids = [webhook.message_id(each.id, one.id) for each, one in wanted]
    known = store.webhooks.some_messages(work, ids)
    at = wall_clock()
    queued = [
        webhook.message_to_queue(each, one, known.get(message), at)
        for (each, one), message in zip(wanted, ids, strict=True)
    ]
    store.webhooks.save_messages(work, *(one for one in queued if one is not None))
