"""Refusals about enquiries, their files and the question bank."""

from services.notices.refusals import refusal

NoSuchEnquiry = refusal(404, "no-such-enquiry", "There is no such question.")
"""The enquiry does not exist, or is not this patron's."""
NoSuchGuestEnquiry = refusal(
    404, "no-such-guest-enquiry", "This link doesn't work, or its question has been deleted."
)
GuestsNotAnswered = refusal(
    409, "guests-not-answered", "This library answers questions of its readers only. Please log in."
)
"""No mail server is set, so that guests can't be answered."""
EnquiryChanged = refusal(
    409,
    "enquiry-changed",
    (
        "Someone has changed this question since you opened it. Read what is new, then send yours "
        "again."
    ),
    "version",
)
EnquiryIsClosed = refusal(
    409, "enquiry-closed", "This question is closed. A reply of the reader opens it again."
)
EnquiryMerged = refusal(
    409,
    "enquiry-merged",
    "The library answers this question together with another of yours. Write there.",
    "into",
)
NotMergeable = refusal(
    409, "not-mergeable", "Only two different questions of the same reader can be merged."
)
NotSuggested = refusal(409, "not-suggested", "Only a suggestion to buy something has an outcome.")
EnquiryFull = refusal(
    409, "enquiry-full", "This question has too many messages. Please ask a new one."
)
"""The enquiry has as many messages or notes as it may have."""
BadAttachment = refusal(
    422, "bad-attachment", "A file is a PDF, a picture (PNG or JPEG) or plain text in UTF-8."
)
NoSuchAttachment = refusal(404, "no-such-attachment", "There is no such file.")
"""The file does not exist, is not the caller's, or was sent already."""
TooManyAttachments = refusal(
    409, "too-many-attachments", "There are too many files. Send fewer, or ask a new question."
)
"""The enquiry, or the patron without a message, has as many files as it may have."""
TooManyEnquiries = refusal(
    409, "too-many-enquiries", "You have too many open questions. Close one of them first."
)
NoSuchQuestion = refusal(404, "no-such-question", "There is no such question in the question bank.")
QuestionChanged = refusal(
    409,
    "question-changed",
    (
        "Someone has changed this question since you opened it. Read what is new, then save yours "
        "again."
    ),
    "version",
)
