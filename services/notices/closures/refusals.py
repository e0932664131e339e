"""Refusals about closures."""

from services.notices.refusals import refusal

NoSuchClosure = refusal(404, "no-such-closure", "There is no such closure.")
NothingToReopen = refusal(
    409,
    "nothing-to-reopen",
    "All these libraries have reopened. Name those whose reopening day you want to change.",
)
NothingToWithdraw = refusal(
    409, "nothing-to-withdraw", "This closure has ended or was withdrawn for all these libraries."
)
