"""Names of what the API has codes for, and texts that several pages share."""

from shared.translations import marked

MESSAGES = {
    "nothing-chosen": marked("Select at least one item first."),
}
PROBLEMS = {
    "unavailable": marked(
        "This part of the service is not available at the moment. Please try again shortly."
    ),
    "too-many-requests": marked(
        "You've sent too many requests in a short time. Please wait a moment."
    ),
    "forbidden": marked("Your account can't use this page."),
    "form-of-ended-session": marked(
        "Your session has ended, so nothing has changed. Please log in and try again."
    ),
    "forged-form": marked("This form is too old. Please go back, reload the page and try again."),
    "not-found": marked("Page not found. The item that it showed may have ended."),
    "method-not-allowed": marked("Page not found. The item that it showed may have ended."),
    "too-large": marked("What you sent is too large. Please send less text or smaller files."),
    "malformed": marked("Some information is missing or wrong. Please check it."),
    "idempotency-key-reused": marked(
        "You've already sent this form with different content. Please reload the page."
    ),
    "no-such-card": marked("No library card has this number."),
}
AT_FAULT = {
    "no-such-card": "card_number",
}
FIELDS = {
    "until": marked("Until"),
    "body": marked("Which libraries"),
    "card_number": marked("Library card number"),
    "name": marked("Name"),
    "pin": marked("PIN"),
    "email": marked("E-mail"),
    "phone": marked("Telephone"),
    "lines": marked("Postal address"),
    "locality": marked("Postcode and town, or district"),
    "country": marked("Country"),
    "kinds": marked("Which libraries"),
    "branches": marked("Which libraries"),
    "opens": marked("Special hours"),
    "closes": marked("Special hours"),
    "reason": marked("Reason"),
    "text": marked("Text"),
    "title": marked("Heading"),
    "branch": marked("Library"),
    "language": marked("Held in"),
    "places": marked("Places"),
}


DESK_MENU = (
    (marked("Desk"), ("/desk", "/desk/returns", "/desk/fetching", "/desk/visitors")),
    (marked("Readers"), ("/desk/accounts", "/desk/patrons", "/desk/enquiries")),
    (marked("Catalogue"), ("/catalogue", "/activities", "/study-rooms", "/desk/study-rooms")),
    (
        marked("Messages"),
        (
            *("/desk/notices", "/notices", "/questions"),
            *("/desk/deliveries", "/desk/letters", "/desk/wordings", "/desk/webhooks"),
        ),
    ),
    (marked("Set-up"), ("/desk/closures", "/desk/suspensions", "/libraries", "/pin-and-codes")),
)
"""The pages of librarians in five groups; a page that none names is in the last one."""

KINDS = {
    "central": marked("Central Library"),
    "major": marked("Major libraries"),
    "district": marked("District libraries"),
    "small": marked("Small libraries"),
    "mobile": marked("Mobile libraries"),
    "station": marked("Self-service stations"),
}
"""Names of the kinds of libraries that a closure or suspension can cover."""

CATEGORIES = {
    "adult": marked("Adult"),
    "junior": marked("Junior"),
    "child": marked("Child"),
    "young-adult": marked("Young adult"),
    "senior": marked("Senior"),
    "institution": marked("Institution"),
    "provisional": marked("Provisional"),
}
"""Names of patron categories. A library's policies may name others, shown by their codes."""


ENQUIRIES = {
    "new": marked("Waiting for a librarian"),
    "assigned": marked("A librarian is working on it"),
    "waiting": marked("The library needs your reply"),
    "answered": marked("Answered"),
    "closed": marked("Question closed"),
}
"""States of a patron's question to Ask a Librarian."""


CALENDAR = {
    "name": marked("My library"),
    "loan": marked("Return a library item"),
    "hold": marked("Last day to collect a reservation"),
    "registration": marked("Library activity"),
    "admission": marked("Study room: your admission card is valid"),
    "booking": marked("Study room: the session that you booked"),
    "tentative": marked("Waiting list: %(activity)s"),
}
"""Texts of a patron's calendar feed, by kind of entry."""
CALENDAR_TITLES = {
    "loan": marked("Return: %(title)s"),
    "hold": marked("Last day to collect: %(title)s"),
    "registration": "%(title)s",
    "admission": CALENDAR["admission"],
    "booking": CALENDAR["booking"],
}
"""The same texts in a feed with titles."""

CHANNELS = {"email": marked("E-mail")}
"""Names of the channels of messages, beside the inbox."""
FULLNESS = {
    "quiet": marked("Room inside"),
    "busy": marked("Nearly full"),
    "full": marked("Full"),
}
"""Levels of how full a library is."""


CHOOSE_LIBRARIES = marked("Please choose at least one library.")

ANY_PROBLEM = marked("Something went wrong. We've recorded the error. Please try again later.")

ACTIVITY_TYPES = {
    "talk": marked("Talk"),
    "exhibition": marked("Exhibition"),
    "workshop": marked("Workshop"),
}
"""Names of activity types, by their code in the API."""


FORMATS = {
    "book": marked("Printed book"),
    "large-print": marked("Large print"),
    "audiobook": marked("Audiobook"),
    "video": marked("Video"),
    "music": marked("Music"),
    "periodical": marked("Periodical"),
    "map": marked("Map"),
    "score": marked("Printed music"),
    "picture": marked("Picture"),
    "software": marked("Software"),
    "game": marked("Game"),
    "device": marked("Device"),
    "kit": marked("Kit"),
    "object": marked("Object"),
    "manuscript": marked("Manuscript"),
}
"""Names of the formats of titles; one that is not here is not shown."""

AUDIENCES = {
    "children": marked("Children"),
    "young-adult": marked("Young adults"),
    "adult": marked("Adults"),
}
"""Names of the audiences of titles."""

CHARGES = {
    "fine": marked("Overdue fine"),
    "lost": marked("Price of a lost item"),
    "lost-processing": marked("Replacing a lost item"),
    "hold-fee": marked("Reservation fee"),
}
"""Names of charges, by kind."""

ENTRIES = {
    "charge": marked("Charged"),
    "payment": marked("Paid"),
    "waiver": marked("Waived"),
    "credit": marked("Charge lowered"),
    "refund-due": marked("Charge lowered after it was paid: to be refunded"),
    "refund": marked("Refunded"),
}
"""Names of entries in a charge's ledger, by kind."""


DAYS = {
    "charged": marked("charged"),
    "suspended": marked("free: fines were suspended"),
    "closed": marked("free: the library was closed"),
    "grace": marked("free: grace period"),
    "capped": marked("free: the highest fine was reached"),
}
"""Descriptions of overdue days, by disposition."""

SOURCES = {
    "accounts": marked("your details"),
    "circulation": marked("loans, reservations and charges"),
    "events": marked("activities and study rooms"),
    "notices": marked("libraries and messages"),
}
"""Parts of a page, by the service that provides them."""
