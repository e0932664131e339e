"""Texts of the page about results and refusals, by the API's codes."""

from services.gateway.web import desk_words as desk
from services.gateway.web import pin_words
from shared.translations import marked

MESSAGES = {
    **desk.MESSAGES,
    "hold-placed": marked("Reserved. You are number %(position)s in the queue."),
    "hold-kept": marked(
        "Reserved. A copy is kept for you. We'll tell you when you can collect it."
    ),
    "session-ended": marked("Your session has ended. Please log in again."),
    "logged-out": marked("You have logged out."),
    "logged-out-everywhere": marked("You have logged out on all devices."),
    "renewed": marked("%(title)s: renewed until %(due_on)s. Reference %(reference)s."),
    "renewed-charged": marked(
        "%(title)s: renewed until %(due_on)s. Reference %(reference)s. You've been "
        "fined %(fine_cents)s for the overdue days."
    ),
    "not-renewed": marked("%(title)s: not renewed. %(problem)s"),
    "not-renewed-either": marked("%(title)s: not renewed either."),
    "nothing-chosen": marked("Select at least one item first."),
    "nothing-to-renew": marked("There is nothing to renew."),
    "and-more": marked("%(count)s more items are not listed here. See their due dates below."),
    "claimed": marked(
        "Thank you. The library is looking for the item. No fine is added in the meantime."
    ),
    "declared-lost": marked("You've reported this item as lost. See what it costs under Charges."),
    "hold-changed": marked("Your reservation was changed."),
    "hold-frozen": marked("Your reservation is paused. You keep your place in the queue."),
    "hold-resumed": marked("Your reservation is active again."),
    "hold-cancelled": marked("Your reservation was cancelled."),
    "paid": marked("Paid: %(paid_cents)s. Thank you."),
    "payment-pending": marked(
        "Your payment of %(paid_cents)s is being processed. It will show here within minutes."
    ),
    "preferences-saved": marked("Saved."),
    "contact-saved": marked("Your e-mail address and telephone number are saved."),
    "address-asked": marked(
        "A code was sent to your new e-mail address. Enter it here to use the address."
    ),
    "address-confirmed": marked("Your new e-mail address is confirmed, and used from now on."),
    "device-added": marked("This device shows your messages from now on."),
    "device-removed": marked("Stopped. The device shows no more messages."),
    "pin-changed": marked("Your PIN is changed. Use the new one from now on."),
    "calendar-made": marked("Your calendar has a new link. Copy it into your calendar program."),
    "calendar-ended": marked("The link to your calendar has ended."),
    "invited": marked("Your invitation is sent, if there is such a card."),
    "invitation-ended": marked("The invitation has ended."),
    "cards-linked": marked("The two cards are linked."),
    "cards-unlinked": marked("The two cards are no longer linked."),
    "member-renewed": marked("Renewed until %(due_on)s. Reference %(reference)s."),
    "member-hold-placed": marked("Reserved for the other card."),
    "member-hold-cancelled": marked("The reservation was cancelled."),
    "registered": marked("You have a place."),
    "waitlisted": marked(
        "All places are taken. You're number %(position)s on the waiting list. We'll "
        "tell you when you get a place."
    ),
    "withdrawn": marked("You're no longer registered."),
    "applied": marked("Your application is recorded. We'll tell you the result of the draw."),
    "session-booked": marked("Your place is booked."),
    "booking-cancelled": marked("Your booking is cancelled."),
    "application-withdrawn": marked("Your application has ended."),
    "enquiry-opened": marked(
        "Your question is sent. We'll tell you when a librarian has answered it."
    ),
    "voted": marked("Thank you for telling us."),
    "enquiry-replied": marked("Your message is sent."),
    "enquiry-closed": marked("The question is closed."),
    "guest-asked": marked(
        "Please look into your e-mails now, and confirm your question with the link in ours."
    ),
    "guest-confirmed": marked(
        "Your question is sent. You get an e-mail when a librarian has answered it."
    ),
    "guest-erased": marked("Your question and your e-mail address are deleted."),
    "checked-in": marked("Welcome. You're checked in."),
    "checked-out": marked("You're checked out. Goodbye."),
    "queued": marked("You're in the queue with number %(number)s."),
}
"""Messages after a command, by code.

`%(…)s` are its facts: `…_on` is a day, `…_cents` an amount of money, `problem` a code.
"""

PROBLEMS = {
    **desk.PROBLEMS,
    **pin_words.PROBLEMS,
    # the page and requests to it
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
    # My Setting
    "wrong-address-code": marked(
        "This code is wrong, or can't be used any more. For another code, enter the address again."
    ),
    "too-many-addresses": marked(
        "You have entered many new e-mail addresses today. Please try again tomorrow."
    ),
    "channel-not-in-use": marked(
        "Nothing was saved: the library doesn't send messages in one of the ways you chose."
    ),
    "no-address": marked(
        "Nothing was saved: the library doesn't have your address for this. Please enter it first."
    ),
    "bad-unsubscribe-link": marked(
        "This link doesn't work. You can turn off e-mails in My Setting."
    ),
    # loans
    "no-such-loan": marked("This loan was not found. It may have ended."),
    "loan-not-open": marked("This item has been returned already."),
    "loan-lost": marked("This item is recorded as lost. Please ask the staff."),
    "loan-claimed": marked("You've told us that you returned it. The library is looking for it."),
    "renewal-limit": marked("You've reached the renewal limit for this item."),
    "nothing-to-gain": marked("Renewing it now would not change the due date."),
    "hold-waiting": marked("Another reader is waiting for it."),
    "patron-blocked": marked(
        "You can't borrow, renew or reserve until you pay your charges or the staff "
        "unblock your account."
    ),
    "price-unknown": marked("The price of this item is not recorded. Please ask the staff."),
    # reservations
    "no-such-hold": marked("This reservation was not found. It may have ended."),
    "no-such-title": marked("There is no such title."),
    "unknown-branch": marked("There is no such library."),
    "hold-limit": marked("You've reached the limit of reservations at one time."),
    "hold-exists": marked("You have reserved this title already."),
    "title-on-loan": marked("You have this title on loan, so you cannot reserve it."),
    "hold-ended": marked("This reservation has ended."),
    "hold-not-waiting": marked(
        "You can't change this reservation: a copy is already kept for you or on its way."
    ),
    "ends-before-today": marked("This day has passed already."),
    # linked cards
    "own-card": marked("This is your own card number."),
    "needs-guardian": marked("A parent or guardian has to agree to this at a library."),
    "too-many-invitations": marked("You can't invite more people now. Please try again tomorrow."),
    "no-such-invitation": marked("There is no such invitation. It may have ended."),
    "already-linked": marked("These cards are linked already."),
    "too-many-links": marked("One of the two cards is linked with as many cards as possible."),
    "not-linked": marked("Your card is not linked with this one. The link may have ended."),
    "member-blocked": marked(
        "The holder of the other card can't borrow, renew or reserve until their charges are paid "
        "or the staff unblock their account."
    ),
    "member-renewal-limit": marked("The other card has reached the renewal limit for this item."),
    "member-loan-claimed": marked(
        "The holder of the other card has told us that they returned it. The library is looking "
        "for it."
    ),
    "member-hold-limit": marked(
        "The other card has reached the limit of reservations at one time."
    ),
    "member-hold-exists": marked("This title is reserved for the other card already."),
    "member-title-on-loan": marked(
        "The other card has this title on loan, so you cannot reserve it for that card."
    ),
    # money
    "no-such-charge": marked("There is no such charge."),
    "nothing-to-pay": marked("Nothing was paid: one of these charges is already settled."),
    "payment-under-way": marked(
        "Another payment is being processed. Please try again in a few minutes."
    ),
    "payment-declined": marked("Your payment was declined. Nothing was taken."),
    "payment-not-received": marked(
        "Your payment did not reach the payment service. Nothing was taken. Please try again in a "
        "few minutes."
    ),
    "no-payment-provider": marked("You can't pay here. Please pay at a library."),
    # Ask a Librarian
    "push-off": marked("The library doesn't send messages to devices."),
    "no-such-device": marked("There is no such device."),
    "bad-subscription": marked("Your browser's subscription can't be used."),
    "too-many-devices": marked("You have too many devices. Stop one of them first."),
    "no-such-enquiry": marked("There is no such question."),
    "enquiry-closed": marked("This question is closed. Only a reply of the reader opens it again."),
    "enquiry-merged": marked(
        "The library answers this question together with another of yours. Write there."
    ),
    "no-such-guest-enquiry": marked(
        "This link doesn't work any more. The question may have been deleted."
    ),
    "guests-not-answered": marked(
        "The library can't answer by e-mail at the moment. Please log in, or ask at a library."
    ),
    "enquiry-full": marked("This question has too many messages. Please ask a new one."),
    "bad-attachment": marked("A file is a PDF, a picture (PNG or JPEG) or plain text in UTF-8."),
    "file-too-large": marked("One of the files is too large. Your message was not sent."),
    "too-many-files": marked("There are too many files. Your message was not sent."),
    "too-many-attachments": marked("There are too many files. Send fewer, or ask a new question."),
    "no-such-attachment": marked("There is no such file."),
    "too-many-enquiries": marked("You have too many open questions. Close one of them first."),
    "no-such-question": marked("There is no such question."),
    "no-such-notice": marked("There is no such notice."),
    # visits
    "branch-is-closed": marked("The library is closed now."),
    "branch-full": marked("The library is full now. Join the queue, or come back later."),
    "branch-not-full": marked("There is room inside: you don't need to wait."),
    "queue-full": marked("Too many people are waiting. Please come back later."),
    "no-such-venue": marked("This code isn't valid any more. Please scan the code at the door."),
    "no-such-visit": marked("This visit has ended already."),
    "visits-not-kept": marked(
        "This library doesn't register its visitors at the moment. You can just walk in."
    ),
    "bad-span": marked("The end must be after the start."),
    "too-many-visits": marked("Too many visits match. Please choose a shorter time."),
    # study rooms
    "no-such-season": marked("There is no such season of the study rooms."),
    "applications-not-open": marked("You can't apply yet."),
    "applications-closed": marked("Applications are closed."),
    "season-over": marked("This season is over."),
    "no-such-study-room": marked("You can't book sessions of this study room."),
    "no-such-session": marked("There is no such session."),
    "too-far-ahead": marked("You can't book this day yet."),
    "session-over": marked("This session is over."),
    "library-closed": marked("The library is closed on this day."),
    "room-in-season": marked(
        "On this day, the places of this study room are for readers with admission cards."
    ),
    "session-full": marked("All places of this session are booked."),
    "booked-already": marked("You've booked this session already."),
    "too-many-bookings": marked("You've as many bookings here as you can have at a time."),
    "no-such-booking": marked("There is no such booking. It may have ended."),
    # activities
    "no-such-activity": marked("There is no such activity."),
    "outside-ages": marked(
        "On the day of this activity you are younger or older than those whom it is for."
    ),
    "no-registration-needed": marked("You don't need to register. Everybody is welcome."),
    "already-registered": marked("You've already registered for this activity."),
    "activity-cancelled": marked("This activity is cancelled."),
    "ends-before-it-starts": marked("An activity has to end after it starts."),
    "ages-reversed": marked("The lowest age can't be above the highest."),
    "fewer-places": marked("An activity can be given more places, not fewer."),
    "not-registered": marked("There is no registration of this card for this activity."),
    "on-waiting-list": marked("This reader is on the waiting list and has no place."),
    "not-its-day": marked("The day of this activity has not come yet."),
    "activity-begun": marked("This activity has begun. You can no longer register or withdraw."),
}
"""Texts of problems by code."""

OF_MEMBER = {
    "patron-blocked": "member-blocked",
    "renewal-limit": "member-renewal-limit",
    "loan-claimed": "member-loan-claimed",
    "hold-limit": "member-hold-limit",
    "hold-exists": "member-hold-exists",
    "title-on-loan": "member-title-on-loan",
}
"""Codes of the texts about a linked card, by the API's codes, whose texts say "you"."""

AT_FAULT = {
    **desk.AT_FAULT,
    "unknown-branch": ("branch", "home_branch", "pickup_branch"),
    "ends-before-today": "expires_on",
    "channel-not-in-use": "channel",
    "no-address": "channel",
    "wrong-pin": "pin",
    "wrong-reset-code": "reset_code",
    "wrong-address-code": "address_code",
    "too-many-addresses": "email",
    "pins-differ": "repeated_pin",
    "bad-attachment": "files",
    "file-too-large": "files",
    "too-many-files": "files",
    "too-many-attachments": "files",
    "bad-span": "until",
    "own-card": "card_number",
}
"""Field that a refusal is about, by the refusal's code; of several the one that the form has."""

FIELDS = {
    **desk.FIELDS,
    "pickup_branch": marked("Pick-up library"),
    "expires_on": marked("Not needed after"),
    "channel": marked("Also send messages by"),
    "new_pin": marked("New PIN, 6 to 64 characters"),
    "repeated_pin": marked("New PIN again"),
    "reset_code": marked("Code from the e-mail"),
    "address_code": marked("Code from the e-mail"),
    "start": marked("From"),
    "until": marked("Until"),
    "case_number": marked("Number of the case"),
    "subject": marked("What is it about?"),
    "address": marked("Your e-mail address"),
    "files": marked("Files"),
    "body": marked("Which libraries"),
}
"""Names of fields in a list of invalid ones."""

ENQUIRIES = {
    "new": marked("Waiting for a librarian"),
    "assigned": marked("A librarian is working on it"),
    "waiting": marked("The library needs your reply"),
    "answered": marked("Answered"),
    "closed": marked("Question closed"),
}
"""States of a patron's question to Ask a Librarian."""

SERVICES = {
    "adult": marked("Adult library"),
    "young-adult": marked("Young adult library"),
    "children": marked("Children's library"),
    "reference": marked("Reference library"),
    "study-room": marked("Students' study room"),
    "book-drop": marked("Book drop"),
}
"""Names of the services of a library that can have hours of their own."""
PERIOD_REASONS = {
    "examinations": marked("before and during examinations"),
    "public-holiday": marked("public holiday"),
    "school-holidays": marked("school holidays"),
    "works": marked("works in the building"),
    "other": marked("other hours for a time"),
}
"""Reasons of the periods in which a service has other hours than usual."""
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

FILL_IN = marked("Please fill this in.")
CHECK_FIELD = marked("Please check this field.")
TOO_LONG = marked("This is too long. Please shorten it.")
MALFORMED_BARCODES = marked(
    "Nothing was done. These are not barcodes: %(barcodes)s. Please correct or remove them and "
    "send the form again. A barcode has letters, digits and hyphens, at most 40."
)
CHOOSE_LIBRARIES = marked("Please choose at least one library.")

ANY_PROBLEM = marked("Something went wrong. We've recorded the error. Please try again later.")

ACTIVITY_TYPES = {
    "talk": marked("Talk"),
    "exhibition": marked("Exhibition"),
    "workshop": marked("Workshop"),
}
"""Names of activity types, by their code in the API."""

AUDIENCES = {
    "everyone": marked("Everyone"),
    "children": marked("Children"),
    "young-adults": marked("Young adults"),
    "adults": marked("Adults"),
    "seniors": marked("Seniors"),
    "families": marked("Families"),
}
"""Names of the groups that an activity is meant for."""

SPOKEN = {
    "yue": marked("Cantonese"),
    "cmn": marked("Putonghua"),
    "en": marked("English"),
}
"""Names of the languages that most activities are held in, by BCP 47. Others show their codes."""

_BY_STATUS = {
    400: "malformed",
    403: "forbidden",
    404: "not-found",
    422: "malformed",
    503: "unavailable",
}


def of_problem(code: str, status: int) -> str:
    """Return the text of a problem; by its status if the code has no text of its own."""
    return PROBLEMS.get(code) or PROBLEMS.get(_BY_STATUS.get(status, ""), ANY_PROBLEM)


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

CATEGORIES = desk.CATEGORIES
"""Names of patron categories, for which study rooms reserve places."""

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
