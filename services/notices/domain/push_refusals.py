"""Refusals of the rules of devices that show notifications."""

from services.notices.domain.push import MOST_DEVICES
from services.notices.domain.refusals import Refusal


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
