"""Refusals about patrons' blocks and erasures."""

from services.accounts.refusals import refusal

NotSettled = refusal(
    409,
    "not-settled",
    "This patron can't be erased yet. Take back their items, settle their charges and give back "
    "refunds that are due, then try again.",
    "open_loans",
    "outstanding_cents",
    "refund_due_cents",
)

AlreadyBlocked = refusal(409, "already-blocked", "This patron is blocked by the staff already.")
NotBlocked = refusal(
    409,
    "not-blocked",
    "This patron is not blocked by the staff. If they owe too much, they can borrow once they pay.",
)
