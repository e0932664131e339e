"""Queue a notification for the webhooks that want its kind."""

from services.notices import store
from services.notices.domain.notification import Notification
from services.notices.domain.webhook import message_id, message_to_queue
from shared.clock import wall_clock
from shared.unit_of_work import Work


async def queue_for_webhooks(work: Work, told: Notification) -> None:
    """Queue one message for each enabled webhook that wants the kind; repeating changes nothing."""
    for webhook in await store.webhooks.wanting(work, told.kind):
        known = await store.webhooks.get_message(work, message_id(webhook.id, told.id))
        message = message_to_queue(webhook, told, known, wall_clock())
        if message is not None:
            await store.webhooks.save_message(work, message)
