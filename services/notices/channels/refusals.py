"""Refusals about devices and webhooks."""

from services.notices.refusals import Refusal

MOST_DEVICES = 10
MOST_WEBHOOKS = 20


class PushOff(Refusal):
    """No keys are set by which push services know the library."""

    code = "push-off"

    def __init__(self) -> None:
        super().__init__("This library does not send notifications to devices.")


class NoSuchDevice(Refusal):
    """The patron has no such device."""

    code = "no-such-device"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such device.")


class BadSubscription(Refusal):
    """The address may not be sent to, or the keys are no keys."""

    code = "bad-subscription"
    status = 422

    def __init__(self) -> None:
        super().__init__("The browser's subscription can't be used.")


class TooManyDevices(Refusal):
    """The patron has as many devices as one may have."""

    code = "too-many-devices"

    def __init__(self) -> None:
        super().__init__(f"You have {MOST_DEVICES} devices already. Stop one of them first.")


class WebhooksOff(Refusal):
    """No master key is set that could keep the secret of a webhook."""

    code = "webhooks-off"

    def __init__(self) -> None:
        super().__init__("Webhooks are turned off: CARREL_WEBHOOK_KEYS is not set.")


class NoSuchWebhook(Refusal):
    """There is no such webhook."""

    code = "no-such-webhook"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no such webhook.")


class BadWebhookUrl(Refusal):
    """The URL may not be sent to."""

    code = "bad-webhook-url"
    status = 422

    def __init__(self) -> None:
        super().__init__(
            "The address begins with https:// and names a host on the public internet, without a "
            "user name and without #."
        )


class NoSuchTopic(Refusal):
    """Patrons are not notified of such events."""

    code = "no-such-topic"
    status = 422

    def __init__(self, topics: list[str]) -> None:
        super().__init__(
            "There are no notifications of these topics: " + ", ".join(topics), topics=topics
        )


class TooManyWebhooks(Refusal):
    """There are as many webhooks as there may be."""

    code = "too-many-webhooks"

    def __init__(self) -> None:
        super().__init__(f"There are {MOST_WEBHOOKS} webhooks already. Delete one first.")


class WebhookDisabled(Refusal):
    """A disabled webhook gets no message."""

    code = "webhook-disabled"

    def __init__(self) -> None:
        super().__init__("The webhook is turned off. Turn it on first.")
