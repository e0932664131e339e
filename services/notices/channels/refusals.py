"""Refusals about devices, webhooks and letters."""

from services.notices.refusals import refusal

PushOff = refusal(409, "push-off", "This library does not send notifications to devices.")
"""No keys are set by which push services know the library."""
NoSuchDevice = refusal(404, "no-such-device", "There is no such device.")
BadSubscription = refusal(422, "bad-subscription", "The browser's subscription can't be used.")
"""The address may not be sent to, or the keys are no keys."""
TooManyDevices = refusal(
    409, "too-many-devices", "You have {most} devices already. Stop one of them first."
)
WebhooksOff = refusal(
    409, "webhooks-off", "Webhooks are turned off: CARREL_WEBHOOK_KEYS is not set."
)
NoSuchWebhook = refusal(404, "no-such-webhook", "There is no such webhook.")
BadWebhookUrl = refusal(
    422,
    "bad-webhook-url",
    "The address begins with https:// and names a host on the public internet, without a user "
    "name and without #.",
)
NoSuchTopic = refusal(
    422, "no-such-topic", "There are no notifications of these topics: {topics}", "topics"
)
TooManyWebhooks = refusal(
    409, "too-many-webhooks", "There are {most} webhooks already. Delete one first."
)
WebhookDisabled = refusal(409, "webhook-disabled", "The webhook is turned off. Turn it on first.")
NoLetters = refusal(409, "no-letters", "No letters wait at this library.")
LettersPrinted = refusal(
    409,
    "letters-printed",
    "Today's letters of this library are made already. Print them again, or make others tomorrow.",
)
NoSuchRun = refusal(404, "no-such-letters", "There are no letters of this library and day.")
NoFont = refusal(
    503,
    "no-letter-font",
    "Letters can't be printed: this system has no font with Chinese characters. An operator "
    "installs fonts-noto-cjk, or names another font in CARREL_LETTER_FONT.",
)
