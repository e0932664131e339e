"""Texts about the accounts of staff."""

from shared.translations import marked

ROLES = {
    "staff": marked("Librarian"),
    "station": marked("Self-service station"),
    "tracer": marked("Contact tracer"),
    "admin": marked("Administrator"),
    "ops": marked("Operator"),
}
"""Names of the roles that an account of staff can have."""

ACTS = {
    "add": marked("A new account"),
    "enable": marked("Let the account log in again"),
    "role": marked("Another role"),
    "pin": marked("A code to choose another PIN"),
    "second-factor": marked("Stop asking for codes from an app"),
    "email": marked("Another e-mail address"),
}
"""Changes for which a second person is asked."""

MESSAGES = {
    "staff-added": marked(
        "The account is created. A code to choose a PIN is on its way by e-mail."
    ),
    "staff-asked": marked(
        "Nothing has changed yet: another person who manages such accounts has to agree."
    ),
    "staff-agreed": marked("You have agreed, and the change is made."),
    "staff-request-ended": marked("The request is ended. Nothing was changed."),
    "staff-disabled": marked("The account is disabled, and logged out everywhere."),
    "staff-enabled": marked("The account can log in again."),
    "staff-role-changed": marked("The role is changed. The account is logged out everywhere."),
    "staff-factor-removed": marked("The account logs in without a code from an app."),
    "factor-removed": marked("You log in without a code from now on."),
    "staff-pin-reset": marked(
        "The PIN is no longer valid, and the account is logged out everywhere. A code to choose "
        "another one is on its way by e-mail."
    ),
}

AT_FAULT = {"wrong-code": "factor_code"}

FIELDS = {"factor_code": marked("Code from the app, or a recovery code")}

PROBLEMS = {
    "code-needed": marked(
        "Please enter your PIN again, with the code from your app or a recovery code."
    ),
    "wrong-code": marked("This code is wrong or was used already. Wait for the next one."),
    "factor-required": marked("Your account needs codes from an app. Set them up first."),
    "factor-exists": marked("This account uses codes from an app already."),
    "no-factor": marked("This account doesn't use codes from an app."),
    "account-disabled": marked(
        "This account is disabled. Please ask an administrator of the library."
    ),
    "no-such-account": marked("There is no such account of staff that you may manage."),
    "own-account": marked(
        "You can't change your own account. Ask another administrator or an operator."
    ),
    "own-request": marked("You can't agree to your own request. Another person has to."),
    "no-such-request": marked("There is no such request. It may have been decided already."),
    "no-staff-address": marked(
        "There is no e-mail address on file for this account. Please enter it first."
    ),
    "role-not-allowed": marked("You may not manage accounts with this role."),
}
