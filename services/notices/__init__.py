"""Notices: branches and their calendars, and what the library tells its readers.

Owns: branches with hours, closures and reopenings; notices; notifications (the patron's inbox).

Publishes: branch.registered, branch.closed, branch.reopened, branch.closure-changed,
branch.hours-changed, notice.published, notification.delivered, notification.read.

Hears: patron.*, preferences.changed, title.catalogued and activity.published, to know whom to tell
and in what words; loan.due-soon, loan.overdue, loan.due-date-changed, fine.assessed,
fines.suspended, fines.resumed, branch.reopened, branch.closure-changed, recording.released,
activity.rescheduled, registration.confirmed and registration.cancelled, of which it tells them.
What a notification says of money is asked of circulation at that moment, and who registered for an
activity of events.
"""
