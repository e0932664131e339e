"""Names of what the API has codes for, and texts that several pages share."""

from shared.translations import marked

MESSAGES = {
    "nothing-chosen": marked("Select at least one item first."),
}
AFTERWARDS = dict.fromkeys(
    ("hold-placed", "hold-likely", "hold-kept", "hold-exists"),
    ("/#holds", marked("See your reservations")),
) | {
    "paid": ("/payments", marked("See your receipts")),
    "title-saved": ("/lists", marked("See your lists")),
}
"""Page to go on to from a message or a refusal, and the text of its link, by the code."""
DOORS = {"check-in": marked("By phone")}
"""Names of the doors that the API counts by itself."""
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
PAIA = {
    "unauthenticated": marked("Your session has ended. Please log in again."),
    "not-found": marked("Nothing was found at this address."),
    "method-not-allowed": marked("This address does not take such requests."),
    "no-scope": marked("This app has no right to do that. Please log in again and allow it."),
    "not-implemented": marked("This app asked for something that the library does not offer."),
    "contact-needs-pin": marked("A new contact needs your PIN. Please change it in My Account."),
    "choose-pickup": marked("Please choose where to collect it."),
    "renewal-fine": marked("You are fined for the overdue days when you renew it. Please agree."),
    "no-document": marked("This is not among your loans or reservations, or cannot be reserved."),
    "code-sent": marked(
        "If this card has an e-mail address, we have sent a code there. Use it to choose a new PIN "
        "at %(address)s"
    ),
}
"""Texts for apps of others, by code; all other codes have the texts of the pages."""
LEARNS = {
    "openid": marked("An id by which it recognises you. No other service has the same id."),
    "profile": marked("Your name and your language."),
    "email": marked("Your e-mail address."),
    "library": marked("Your library."),
    "may_borrow": marked("Whether you may borrow: yes or no."),
    "age_band": marked("Whether you have an adult or a junior card."),
    "offline_access": marked(
        "It may ask for this while you are logged out, until you end it in My Setting."
    ),
}
"""Facts that a service of others learns of a patron, by scope of OpenID Connect."""
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
    "grace_minutes": marked("Minutes of grace"),
}


DESK_MENU = (
    (
        marked("Desk"),
        (
            *("/desk", "/desk/lend", "/desk/returns"),
            *("/desk/till", "/desk/lists/to-fetch", "/desk/visitors", "/desk/offline"),
        ),
    ),
    (marked("Readers"), ("/desk/accounts", "/desk/patrons", "/desk/enquiries")),
    (
        marked("Catalogue"),
        ("/catalogue", "/desk/titles", "/activities", "/study-rooms", "/desk/study-rooms"),
    ),
    (
        marked("Messages"),
        (
            *("/desk/notices", "/notices", "/questions"),
            *("/desk/deliveries", "/desk/letters", "/desk/wordings", "/desk/webhooks"),
        ),
    ),
    (
        marked("Set-up"),
        (
            *("/desk/policies", "/desk/calendar", "/desk/closures", "/desk/suspensions"),
            *("/libraries", "/desk/self-checkout", "/pin-and-codes"),
        ),
    ),
)
"""The pages of librarians in five groups; a page that none names is in the last one."""

SHORTCUTS = (
    ("/", marked("Account"), "account"),
    ("/card", marked("Card"), "card"),
    ("/catalogue", marked("Search"), "search"),
    ("/inbox", marked("Messages"), "messages"),
    ("#pages", marked("More"), "more"),
)
"""Path, name and drawing of each page in the bar at the bottom of a patron's phone."""
GUEST_SHORTCUTS = (
    ("/log-in", marked("Log in"), "account"),
    SHORTCUTS[2],
    ("/libraries", marked("Libraries"), "libraries"),
    SHORTCUTS[-1],
)
"""The same for visitors who have not logged in."""

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

COPY_STATES = {
    "available": marked("Available"),
    "to-fetch": marked("To be fetched"),
    "on-loan": marked("On loan"),
    "on-shelf": marked("On the shelf of reserved items"),
    "in-transit": marked("On its way"),
    "lost": marked("Lost"),
    "damaged": marked("Damaged"),
    "withdrawn": marked("Withdrawn"),
    "on-order": marked("On order"),
    "in-process": marked("In process"),
}
"""Names of the states of copies, for librarians."""

COPY_STEPS = {
    "lent": marked("Lent"),
    "lost": marked("Lost by its reader"),
    "returned": marked("Returned"),
    "moved": marked("Arrived from %(library)s"),
    "received": marked("Received"),
    "recovered": marked("Put back into lending"),
    "damaged": marked("Taken out: damaged"),
    "withdrawn": marked("Withdrawn"),
    "missing": marked("Not in its place"),
    "in-process": marked("Taken out: catalogued, labelled or repaired"),
    "owner": marked("Given to this library by %(library)s"),
}
"""Steps in the past of a copy, by the API's code."""

AUDIENCES = {
    "children": marked("Children"),
    "young-adult": marked("Young adults"),
    "adult": marked("Adults"),
}
"""Names of the audiences of titles."""

AT_DESK = {
    "patron-blocked": "reader-blocked",
    "card-expired": "reader-card-expired",
    "renewal-limit": "reader-renewal-limit",
    "loan-lost": "copy-lost",
    "loan-claimed": "reader-claimed",
    "price-unknown": "price-needed",
    "hold-exists": "reader-hold-exists",
    "title-on-loan": "reader-has-title",
    "hold-limit": "reader-hold-limit",
    "hold-not-waiting": "hold-kept-already",
    "no-card-terms": "reader-card-without-terms",
    "already-registered": "reader-registered-already",
    "outside-ages": "reader-outside-ages",
    "activity-begun": "begun-without-place",
    "booked-already": "reader-booked-already",
    "too-many-bookings": "reader-booking-limit",
}
"""Codes of the desk's texts by the API's codes, whose texts are for readers."""

OVERRIDABLE = frozenset(
    {"card-expired", "patron-blocked", "loan-limit", "renewal-limit", "hold-waiting", "hold-limit"}
)
"""Codes of refusals despite which staff with the right may renew or reserve, with a reason."""

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
    "cancellation": marked("Payment cancelled"),
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
