"""Refusals about notices and drafts of notices."""

from services.notices.refusals import refusal

NoSuchDraft = refusal(404, "no-such-draft", "There is no such draft. It may be published already.")
DraftChanged = refusal(
    409,
    "draft-changed",
    (
        "Someone has changed this draft since you opened it. Read what is new, then save yours "
        "again."
    ),
    "version",
)
NoticeChanged = refusal(
    409,
    "notice-changed",
    (
        "Someone has changed this notice since you opened it. Read what is new, then save yours "
        "again."
    ),
    "version",
)
TooManyAmendments = refusal(
    409,
    "too-many-amendments",
    "This notice was amended too often. Withdraw it and publish another.",
)
NoSuchNotice = refusal(404, "no-such-notice", "There is no such notice.")
