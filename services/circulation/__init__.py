"""circulation: lends copies to patrons, sets due dates, and charges for late or lost items.

Owns titles and copies, policy rows, loans, holds, charges with their ledger, and fine suspensions.
Keeps its own copies of branch calendars, and of the patron data and links of cards that accounts
publishes.

Publishes title.catalogued, loan.checked-out, loan.renewed, loan.due-date-changed,
loan.due-soon, loan.overdue, loan.returned, loan.lost, loan.claimed, loan.undone, hold.placed,
hold.changed, hold.ready, hold.collected, hold.cancelled, hold.expired, fine.assessed,
fine.adjusted, fine.paid, fine.waived, fines.suspended, fines.resumed, receipt.requested and
payment.receipt-requested.

Subscribes to patron.registered, patron.updated, patron.came-of-age, patron.card-renewed,
patron.card-expiring, patron.blocked, patron.unblocked, patron.erased, patron.linked,
patron.unlinked, preferences.changed, branch.registered, branch.closed, branch.reopened,
branch.closure-changed and branch.hours-changed.
"""
