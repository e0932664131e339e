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

MESSAGES = {
    "staff-added": marked("The account is created."),
    "staff-disabled": marked("The account is disabled, and logged out everywhere."),
    "staff-enabled": marked("The account can log in again."),
    "staff-role-changed": marked("The role is changed. The account is logged out everywhere."),
    "staff-pin-reset": marked("The PIN is changed. The account is logged out everywhere."),
}

PROBLEMS = {
    "account-disabled": marked(
        "This account is disabled. Please ask an administrator of the library."
    ),
    "no-such-account": marked("There is no such account of staff that you may manage."),
    "own-account": marked(
        "You can't change your own account. Ask another administrator or an operator."
    ),
    "role-not-allowed": marked("You may not manage accounts with this role."),
}
