"""Texts of the page about results and refusals, by the API's codes."""

from services.gateway.web.desk import words as desk
from services.gateway.web.languages import marked

SAID = {
    **desk.SAID,
    "hold-placed": marked("Reserved. You are number %(position)s in the queue."),
    "hold-kept": marked("Reserved. A copy is kept for you; you are told when you can collect it."),
    "session-ended": marked("Your session has ended. Please log in again."),
    "logged-out": marked("You have logged out."),
    "renewed": marked("%(title)s: renewed until %(due_on)s. Reference %(reference)s."),
    "renewed-charged": marked(
        "%(title)s: renewed until %(due_on)s. Reference %(reference)s. "
        "A fine of %(fine_cents)s was charged for the days before."
    ),
    "not-renewed": marked("%(title)s: not renewed. %(problem)s"),
    "nothing-chosen": marked("Nothing was selected."),
    "nothing-to-renew": marked("There is nothing to renew."),
    "and-more": marked("%(count)s more were renewed; the list below has their due dates."),
    "claimed": marked("Thank you. The library is looking for it; no fine is added meanwhile."),
    "declared-lost": marked("Recorded as lost. What it costs is among your charges."),
    "hold-changed": marked("Your reservation was changed."),
    "hold-frozen": marked("Your reservation is paused. It keeps its place."),
    "hold-resumed": marked("Your reservation is active again."),
    "hold-cancelled": marked("Your reservation was cancelled."),
    "paid": marked("Paid: %(paid_cents)s. Thank you."),
    "payment-pending": marked(
        "Your payment is under way: %(paid_cents)s. It will show here within minutes."
    ),
    "preferences-saved": marked("Saved."),
    "registered": marked("You have a place."),
    "waitlisted": marked(
        "All places are taken. You are number %(position)s on the waiting list; "
        "you are told when a place is yours."
    ),
    "withdrawn": marked("You are not registered any more."),
}
"""Messages after a command, by code.

`%(…)s` are its facts: `…_on` is a day, `…_cents` an amount of money, `problem` a code.
"""

PROBLEMS = {
    **desk.PROBLEMS,
    # the page and requests to it
    "unavailable": marked(
        "This part of the service is not available at the moment. Please try again shortly."
    ),
    "too-many-requests": marked(
        "That was a lot of requests in a short time. Please wait a little."
    ),
    "forbidden": marked("This page is not for your kind of account."),
    "form-of-ended-session": marked(
        "Your session has ended, so what you sent has not been done. Please log in and try again."
    ),
    "forged-form": marked("This form is too old. Please go back, reload the page and try again."),
    "not-found": marked("This page was not found. What it was about may have ended."),
    "method-not-allowed": marked("This page was not found. What it was about may have ended."),
    "too-large": marked("What you sent is too long."),
    "malformed": marked("Something is missing or not as it should be."),
    "idempotency-key-reused": marked(
        "This form was sent before, with something else in it. Please reload the page."
    ),
    # logging in
    "session-ended-form": marked(
        "Your session has ended, so what you sent has not been done. Log in, then send it again."
    ),
    "bad-credentials": marked("The card number or the PIN is not right."),
    "locked": marked(
        "There were too many attempts with this card number. Please try again in 15 minutes."
    ),
    # My Setting
    "no-address": marked(
        "The library has no address of yours for this. The staff can enter it. Nothing was saved."
    ),
    # loans
    "no-such-loan": marked("There is no such loan. Perhaps it has ended."),
    "loan-not-open": marked("This item has been returned already."),
    "loan-lost": marked("This item is declared lost. Please ask the staff."),
    "loan-claimed": marked("You said that it was returned. The library is looking for it."),
    "renewal-limit": marked("It has been renewed as often as it may be."),
    "nothing-to-gain": marked("Renewing it now would not change the due date."),
    "hold-waiting": marked("Another reader is waiting for it."),
    "patron-blocked": marked(
        "This account is blocked until what is owed is paid, or the staff lift the block."
    ),
    "price-unknown": marked("The price of this item is not recorded. Please ask the staff."),
    # reservations
    "no-such-hold": marked("There is no such reservation. Perhaps it has ended."),
    "no-such-title": marked("There is no such title."),
    "unknown-branch": marked("There is no such library."),
    "hold-limit": marked("You have as many reservations as you may have at one time."),
    "hold-exists": marked("You have reserved this title already."),
    "title-on-loan": marked("You have this title on loan, so you cannot reserve it."),
    "hold-ended": marked("This reservation has ended."),
    "hold-not-waiting": marked("An item is kept or on its way for this reservation already."),
    "ends-before-today": marked("This day has passed already."),
    # money
    "no-such-charge": marked("There is no such charge."),
    "nothing-to-pay": marked("One of these charges is settled already. Nothing was paid."),
    "payment-under-way": marked(
        "A payment for this is under way. Please try again in a few minutes."
    ),
    "payment-declined": marked("The payment was declined. Nothing was taken."),
    "no-payment-provider": marked("Payments cannot be made here. Please pay at a library."),
    # activities
    "no-such-activity": marked("There is no such activity."),
    "no-registration-needed": marked("Everybody may come to this. No registration is needed."),
    "already-registered": marked("You have registered for this already."),
    "activity-cancelled": marked("This activity is cancelled."),
    "activity-begun": marked("This has begun. Nobody can register or withdraw any more."),
}
"""Texts of problems by code."""

AT_FAULT = {
    **desk.AT_FAULT,
    "unknown-branch": "pickup_branch",
    "ends-before-today": "expires_on",
    "no-address": "channel",
}
"""Field that a refusal is about, by the refusal's code."""

FIELDS = {
    **desk.FIELDS,
    "pickup_branch": marked("To be collected at"),
    "expires_on": marked("Not needed after"),
    "channel": marked("Also send messages by"),
    "body": marked("Which libraries"),
}
"""Names of fields in a list of invalid ones."""

FILL_IN = marked("Please fill this in.")
CHECK_FIELD = marked("Please check this field.")
CHOOSE_LIBRARIES = marked("Please choose at least one library.")

ANY_PROBLEM = marked("Something went wrong here. It has been noted; please try again later.")

ACTIVITY_TYPES = {
    "talk": marked("Talk"),
    "exhibition": marked("Exhibition"),
    "workshop": marked("Workshop"),
}
"""Names of activity types, by their code in the API."""

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
    "refund-due": marked("Charge lowered after it was paid: due back to you"),
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
    "events": marked("activities"),
    "notices": marked("libraries and messages"),
}
"""Parts of a page, by the service that provides them."""
