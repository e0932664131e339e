"""What the page says of what was done and of what was refused, by the code that the API gives."""

from services.gateway.web.desk import words as desk
from services.gateway.web.languages import marked

SAID = {
    **desk.SAID,
    "hold-placed": marked("Reserved. You are number %(position)s in line."),
    "hold-kept": marked("Reserved. A copy is kept for you; you are told when you can collect it."),
    "session-ended": marked("Your session has ended. Please log in again."),
    "logged-out": marked("You have logged out."),
}
"""After a command. `%(…)s` are its facts."""

PROBLEMS = {
    **desk.PROBLEMS,
    "patron-blocked": marked(
        "This account is blocked until what is owed is paid, or the staff lift the block."
    ),
    "hold-limit": marked("There are as many reservations as there may be at one time."),
    "hold-exists": marked("You have reserved this title already."),
    "title-on-loan": marked("You have this title on loan, so you cannot reserve it."),
    "ends-before-today": marked("This day has passed already."),
    "unknown-branch": marked("There is no such library."),
    "bad-credentials": marked("The card number or the PIN is not right."),
    "locked": marked(
        "There were too many attempts with this card number. Please try again in 15 minutes."
    ),
    "unavailable": marked("This part of the system is away for a moment. Please try again."),
    "rate-limited": marked("Those were a lot of requests in a short time. Please wait a little."),
    "forbidden": marked("This page is not for your kind of account."),
    "forged-form": marked("This form is too old. Please go back, reload the page and try again."),
    "not-found": marked("There is no such page. Perhaps what it was about has ended."),
    "too-large": marked("What you sent is too long."),
    "malformed": marked("Something is missing or not as it should be."),
}
"""By the code of a problem."""

ANY_PROBLEM = marked("Something went wrong here. It has been noted; please try again later.")

ACTIVITY_TYPES = {
    "talk": marked("Talk"),
    "exhibition": marked("Exhibition"),
    "workshop": marked("Workshop"),
}
"""What activities are, by the code that they have in the API."""
