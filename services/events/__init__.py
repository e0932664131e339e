"""events: the library's public programme. In this code an activity is never called an event.

Owns activities, their recordings with the instants of release, their places, registrations and
waiting lists.

Publishes activity.published, activity.rescheduled, activity.cancelled, recording.released,
registration.confirmed, registration.waitlisted and registration.cancelled. Subscribes to
patron.erased.

The address of a recording is in a collection of its own, from which no event and no list is built.
Only one query returns it, and that query checks the instant of release.
"""
