"""Refusals about notifications and their wordings."""

from services.notices.refusals import refusal

NoSuchNotification = refusal(
    404, "no-such-notification", "There is no such notification in your inbox."
)
"""The notification is not in this patron's inbox."""
BadPlaceholder = refusal(422, "bad-placeholder", "{wrong} You can use: {listed}.", "known")
"""A text has a placeholder that its kind of notification does not have, or a lone brace."""
NoSuchKind = refusal(404, "no-such-kind", "There is no such kind of message.")
NoSuchVersion = refusal(404, "no-such-version", "This wording has no such version.")
"""The wording has no such version, or no longer keeps it."""
WordingChanged = refusal(
    409,
    "wording-changed",
    (
        "Someone has changed this wording since you opened it. Read what is new, then save yours "
        "again."
    ),
    "version",
)
NoMailServer = refusal(409, "no-mail-server", "E-mail is turned off: no mail server is set.")
TrialNotSent = refusal(
    409, "trial-not-sent", "The mail server did not take the e-mail. Check the address."
)
