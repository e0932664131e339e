"""Texts of the page about problems with PINs and log-ins, by the API's codes."""

from shared.translations import marked

PROBLEMS = {
    # logging in
    "session-ended-form": marked(
        "Your session has ended, so nothing has changed yet. Log in, then send it again."
    ),
    "bad-credentials": marked("Your card number or PIN is wrong."),
    "strangers-wait": marked(
        "There were too many wrong PINs with this card number or from this network. Please log in "
        "on a device where you have logged in before. Or choose a new PIN here with a code from an "
        "e-mail: then you can log in here at once. Or try again in an hour."
    ),
    "locked": marked(
        "Too many attempts to log in with this card number. Please try again in 15 minutes."
    ),
    "too-many-resets": marked(
        "Too many codes were asked for with this card number or from this network. Please try "
        "again later, or ask the staff for a new PIN."
    ),
    "too-many-codes": marked(
        "Too many wrong codes were entered from this network. Please try again in an hour or from "
        "another network, or ask the staff for a new PIN."
    ),
    "wrong-reset-code": marked("This code is wrong or too old. Check it, or ask for a new one."),
    # PINs
    "common-pin": marked(
        "Many people use this PIN, so it is easy to guess. Please choose another."
    ),
    "sequential-pin": marked(
        "A PIN such as 123456 or 111111 is easy to guess. Please choose another."
    ),
    "card-in-pin": marked("A PIN can't be a part of the card number. Please choose another."),
    "date-as-pin": marked(
        "A date, such as a birthday, is easy to guess. Please choose another PIN."
    ),
    "wrong-pin": marked("Your PIN is wrong. Nothing was changed."),
    "pins-differ": marked("The two new PINs are different. Nothing was changed."),
}
