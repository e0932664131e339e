"""Routes of webhooks: client apps get a message about each notification of some kinds."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from services.notices.channels import commands, refusals
from services.notices.channels.clients.receivers import may_send_to
from services.notices.channels.rules.outgoing import MessageState
from services.notices.channels.rules.webhooks import Reason, State, Webhook
from services.notices.channels.store import webhooks as webhooks_store
from services.notices.fields import Id
from services.notices.kinds.kind import notified_events
from services.notices.sealing import Master, master_of
from services.notices.settings import settings_of
from shared.auth import StaffOrOps
from shared.http import dependencies
from shared.http.bodies import Body
from shared.http.dependencies import Db
from shared.refusals import or_refuse, refuses

router = APIRouter(prefix="/v1", tags=["webhooks"])

TopicName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class WebhookBody(Body):
    """A new webhook."""

    url: str = Field(
        min_length=1,
        max_length=500,
        description="Address that takes POST requests: https, and on the public internet.",
    )
    topics: list[TopicName] = Field(
        min_length=1,
        max_length=100,
        description="Topics of the events whose notifications it gets messages about.",
    )


class SwitchBody(Body):
    """A switch: an enabled webhook gets messages."""

    enabled: bool


class WebhookOut(BaseModel):
    """A webhook, and how sending to it goes."""

    id: str
    url: str
    topics: list[str]
    state: State = Field(
        description="`disabled` by a person; `failing` after three days in which nothing could be "
        "sent; `gone` after the receiver answered 410. Only an enabled one gets messages."
    )
    waiting: int = Field(description="Number of messages that wait to be sent.")
    created_at: dt.datetime
    former_secret_until: dt.datetime | None = Field(
        description="Until then messages are signed with the former secret too."
    )
    last_success_at: dt.datetime | None
    last_failure_at: dt.datetime | None
    last_failure: Reason | None = Field(
        description="`away`: no answer; `refused`: an answer other than 2xx; `not-allowed`: the "
        "host has no public address; `no-key`: CARREL_WEBHOOK_KEYS lacks its key."
    )
    last_status: int | None = Field(description="HTTP status of the last answer other than 2xx.")

    @classmethod
    def of(cls, webhook: Webhook, waiting: int) -> "WebhookOut":
        """Build the answer from a webhook."""
        return cls.model_validate(_shown(webhook, waiting))


class WebhookSecretOut(WebhookOut):
    """A webhook with its secret, which is shown this once."""

    secret: str = Field(description="Signs the messages, as Standard Webhooks describe.")


class WebhookList(BaseModel):
    """All webhooks."""

    items: list[WebhookOut]
    topics: list[str] = Field(description="The topics that there are.")


class WebhookTrialOut(BaseModel):
    """A message that was queued to see whether it arrives."""

    message_id: str = Field(description="Its `webhook-id`.")
    state: MessageState


def _shown(webhook: Webhook, waiting: int) -> dict[str, object]:
    shared = set(WebhookOut.model_fields) - {"waiting", "former_secret_until"}
    former_until = webhook.former_until
    return {name: getattr(webhook, name) for name in shared} | {
        "waiting": waiting,
        "former_secret_until": former_until,
    }


def _master(run: dependencies.Run) -> Master:
    """Return the master keys. Raises WebhooksOff."""
    return or_refuse(
        master_of(settings_of(run).webhook_keys, commands.PURPOSE), refusals.WebhooksOff
    )


def _with_secret(webhook: Webhook, waiting: int, master: Master) -> WebhookSecretOut:
    secret = master.decrypt(webhook.secret).decode()
    return WebhookSecretOut.model_validate(_shown(webhook, waiting) | {"secret": secret})


@router.get("/webhooks")
async def get_webhooks(caller: StaffOrOps, db: Db) -> WebhookList:
    """List the webhooks, the oldest first, and the topics that there are."""
    waiting = await webhooks_store.count_waiting(db)
    found = await webhooks_store.find_all(db)
    return WebhookList(
        items=[WebhookOut.of(one, waiting.get(one.id, 0)) for one in found], topics=_all_topics()
    )


@router.post("/webhooks", status_code=201)
@refuses(
    refusals.WebhooksOff, refusals.BadWebhookUrl, refusals.NoSuchTopic, refusals.TooManyWebhooks
)
async def post_webhook(
    body: WebhookBody, caller: StaffOrOps, run: dependencies.Run
) -> WebhookSecretOut:
    """Register a webhook. Its secret is shown in this answer, and never again."""
    master = _master(run)
    if not may_send_to(body.url, loopback=run.settings.simulation):
        raise refusals.BadWebhookUrl
    if unknown := sorted({*body.topics} - {*_all_topics()}):
        raise refusals.NoSuchTopic(topics=unknown)
    sealed = master.encrypt(commands.new_secret().encode()).decode()
    webhook = await run(commands.register_webhook, body.url, tuple(body.topics), sealed)
    return _with_secret(webhook, 0, master)


@router.patch("/webhooks/{webhook_id}")
@refuses(refusals.NoSuchWebhook)
async def patch_webhook(
    webhook_id: Id, body: SwitchBody, caller: StaffOrOps, run: dependencies.Run
) -> WebhookOut:
    """Turn a webhook on or off."""
    webhook = await run(commands.switch_webhook, webhook_id, body.enabled)
    return await _as_it_is(webhook, run)


@router.post("/webhooks/{webhook_id}/secret")
@refuses(refusals.NoSuchWebhook, refusals.WebhooksOff)
async def post_secret(
    webhook_id: Id, caller: StaffOrOps, run: dependencies.Run
) -> WebhookSecretOut:
    """Replace the secret. For a day messages are signed with the former one too."""
    master = _master(run)
    sealed = master.encrypt(commands.new_secret().encode()).decode()
    webhook = await run(commands.replace_secret, webhook_id, sealed)
    waiting = await webhooks_store.count_waiting(run.database)
    return _with_secret(webhook, waiting.get(webhook.id, 0), master)


@router.post("/webhooks/{webhook_id}/tests", status_code=202)
@refuses(refusals.NoSuchWebhook, refusals.WebhookDisabled)
async def post_test(webhook_id: Id, caller: StaffOrOps, run: dependencies.Run) -> WebhookTrialOut:
    """Queue a message of the kind `webhook.test`, which is sent once, within seconds."""
    message = await run(commands.queue_test, webhook_id)
    return WebhookTrialOut(message_id=message.id, state=message.state)


@router.delete("/webhooks/{webhook_id}", status_code=204)
@refuses(refusals.NoSuchWebhook)
async def remove_webhook(webhook_id: Id, caller: StaffOrOps, run: dependencies.Run) -> None:
    """Delete a webhook. Messages that wait for it are not sent."""
    await run(commands.delete_webhook, webhook_id)


async def _as_it_is(webhook: Webhook, run: dependencies.Run) -> WebhookOut:
    waiting = await webhooks_store.count_waiting(run.database)
    return WebhookOut.of(webhook, waiting.get(webhook.id, 0))


def _all_topics() -> list[str]:
    return sorted(event.topic for event in notified_events())
