"""Record what became of one try to send a message to a device."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain.push import PushMessage
from shared.unit_of_work import Work


@dataclass(frozen=True)
class NotePushMessage:
    """A message after a try: the next version of the one that was claimed."""

    message: PushMessage


def note_push_message(work: Work, command: NotePushMessage) -> None:
    """Save the message; if the push service says that the device is gone, delete the device.

    Nothing is saved if another process has repeated the try, or the message was deleted.
    """
    message = command.message
    known = store.devices.get_message(work, message.id)
    if known is None or known.version != message.version - 1:
        return
    if message.reason == "gone":
        store.devices.delete(work, message.subscription_id)
        return
    store.devices.save_messages(work, message)
