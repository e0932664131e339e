"""What the page says of what was done and of what was refused, by the code that the API gives."""

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
"""After a command. `%(…)s` are its facts: `…_on` a day, `…_cents` money, `problem` a code."""

PROBLEMS = {
    **desk.PROBLEMS,
    # of the page and of the way to it
    "unavailable": marked(
        "This part of the service is not available at the moment. Please try again shortly."
    ),
    "too-many-requests": marked(
        "That was a lot of requests in a short time. Please wait a little."
    ),
    "forbidden": marked("This page is not for your kind of account."),
    "forged-form": marked("This form is too old. Please go back, reload the page and try again."),
    "not-found": marked("This page was not found. What it was about may have ended."),
    "method-not-allowed": marked("This page was not found. What it was about may have ended."),
    "too-large": marked("What you sent is too long."),
    "malformed": marked("Something is missing or not as it should be."),
    "idempotency-key-reused": marked(
        "This form was sent before, with something else in it. Please reload the page."
    ),
    # of logging in
    "session-ended-form": marked(
        "Your session has ended, so what you sent has not been done. Log in, then send it again."
    ),
    "bad-credentials": marked("The card number or the PIN is not right."),
    "locked": marked(
        "There were too many attempts with this card number. Please try again in 15 minutes."
    ),
    # of loans
    "no-such-loan": marked("There is no such loan. Perhaps it has ended."),
    "loan-not-open": marked("This item has been returned already."),
    "loan-lost": marked("This item is declared lost. Please ask the staff."),
    "loan-claimed": marked("You said that it was returned. The library is looking for it."),
    "renewal-limit": marked("It has been renewed as often as it may be."),
    "hold-waiting": marked("Another reader is waiting for it."),
    "patron-blocked": marked(
        "This account is blocked until what is owed is paid, or the staff lift the block."
    ),
    "price-unknown": marked("The price of this item is not recorded. Please ask the staff."),
    # of reservations
    "no-such-hold": marked("There is no such reservation. Perhaps it has ended."),
    "no-such-title": marked("There is no such title."),
    "unknown-branch": marked("There is no such library."),
    "hold-limit": marked("You have as many reservations as you may have at one time."),
    "hold-exists": marked("You have reserved this title already."),
    "title-on-loan": marked("You have this title on loan, so you cannot reserve it."),
    "hold-ended": marked("This reservation has ended."),
    "hold-not-waiting": marked("An item is kept or on its way for this reservation already."),
    "ends-before-today": marked("This day has passed already."),
    # of money
    "no-such-charge": marked("There is no such charge."),
    "nothing-to-pay": marked("One of these charges is settled already. Nothing was paid."),
    "payment-under-way": marked(
        "A payment for this is under way. Please try again in a few minutes."
    ),
    "payment-declined": marked("The payment was declined. Nothing was taken."),
    "no-payment-provider": marked("Payments cannot be made here. Please pay at a library."),
    # of activities
    "no-such-activity": marked("There is no such activity."),
    "no-registration-needed": marked("Everybody may come to this. No registration is needed."),
    "already-registered": marked("You have registered for this already."),
    "activity-cancelled": marked("This activity is cancelled."),
    "activity-begun": marked("This has begun. Nobody can register or withdraw any more."),
}
"""By the code of a problem."""

AT_FAULT = {
    **desk.AT_FAULT,
    "unknown-branch": "pickup_branch",
    "ends-before-today": "expires_on",
}
"""The field that a refusal is about, by its code."""

FIELDS = {
    **desk.FIELDS,
    "pickup_branch": marked("To be collected at"),
    "expires_on": marked("Not needed after"),
    "body": marked("Which libraries"),
}
"""What fields are called where a list says which are not right."""

FILL_IN = marked("Please fill this in.")
CHECK_FIELD = marked("Please check this field.")
CHOOSE_LIBRARIES = marked("Please choose at least one library.")

ANY_PROBLEM = marked("Something went wrong here. It has been noted; please try again later.")

ACTIVITY_TYPES = {
    "talk": marked("Talk"),
    "exhibition": marked("Exhibition"),
    "workshop": marked("Workshop"),
}
"""What activities are, by the code that they have in the API."""

_BY_STATUS = {
    400: "malformed",
    403: "forbidden",
    404: "not-found",
    422: "malformed",
    503: "unavailable",
}


def of_problem(code: str, status: int) -> str:
    """What a page says of a problem, whether or not its code has words of its own."""
    return PROBLEMS.get(code) or PROBLEMS.get(_BY_STATUS.get(status, ""), ANY_PROBLEM)


CHARGES = {
    "fine": marked("Overdue fine"),
    "lost": marked("Price of a lost item"),
    "lost-processing": marked("Replacing a lost item"),
    "hold-fee": marked("Reservation fee"),
}
"""By the kind of a charge."""

ENTRIES = {
    "charge": marked("Charged"),
    "payment": marked("Paid"),
    "waiver": marked("Waived"),
    "credit": marked("Credited"),
    "refund-due": marked("To be refunded"),
    "refund": marked("Refunded"),
}
"""By the kind of an entry of a charge's ledger."""

DAYS = {
    "charged": marked("charged"),
    "suspended": marked("free: fines were suspended"),
    "closed": marked("free: the library was closed"),
    "grace": marked("free: grace period"),
    "capped": marked("free: the highest fine was reached"),
}
"""By the disposition of overdue days."""

SOURCES = {
    "accounts": marked("your details"),
    "circulation": marked("loans, reservations and charges"),
    "events": marked("activities"),
    "notices": marked("libraries and messages"),
}
"""What of a page comes from which service."""
