"""Notices: branches with calendars and visitors, notices, notifications of patrons, enquiries.

Owns: branches with hours, closures and reopenings; notices; notifications (the patron's inbox) with
their wordings and deliveries; patrons' devices; webhooks of client apps; enquiries to Ask a
Librarian with their files; the question bank; the occupancy of branches, and visits for contact
tracing.

Publishes: branch.registered, branch.closed, branch.reopened, branch.closure-changed,
branch.hours-changed, notice.published, notice.amended, notice.withdrawn, notification.delivered,
notification.read, enquiry.opened, enquiry.assigned, enquiry.answered, enquiry.closed,
branch.occupancy.

Subscribes to patron.*, preferences.changed, title.catalogued and activity.published, to know which
patrons to notify and in which language. Subscribes to the events of each notification kind
(`kinds`), and notifies the patrons concerned. At the moment of a notification it asks circulation
for amounts, and events for the registered patrons of an activity.

A package for each subject: patrons, branches, closures, notices, messages, channels, enquiries,
visits; and `kinds`, with a class for each kind of notification.
"""
