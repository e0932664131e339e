"""events: the library's public programme. In this code an activity is never called an event.

Owns activities, their recordings with the instants of release, their places, registrations and
waiting lists. Owns the seasons of the study rooms, with the applications of patrons, the ballots
that anyone can recompute, and the admission cards. Owns the bookings of single sessions.

Publishes activity.published, activity.rescheduled, activity.cancelled, recording.released,
registration.confirmed, registration.waitlisted, registration.attended,
registration.attendance-withdrawn, registration.cancelled,
admission.applied, admission.drawn, admission.granted, admission.standby, admission.withdrawn,
admission.promoted, admission.checked-in, admission.lapsed, booking.made, booking.cancelled,
booking.ended-by-closure, booking.restored,
booking.checked-in and booking.lapsed. Subscribes to patron.erased, and to branch.* for the days on
which a study room is open.

The address of a recording is in a collection of its own, from which no event and no list is built.
Only one query returns it, and that query checks the instant of release.

The seed of a ballot is in a collection of its own too, until the draw reveals it.
"""
