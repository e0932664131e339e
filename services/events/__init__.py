"""events: the library's public programme. An activity is never called an event here.

Owns activities, their recordings and from when those may be seen; their places, who has one and who
waits for one.

Publishes activity.published, activity.rescheduled, activity.cancelled, recording.released,
registration.confirmed, registration.waitlisted and registration.cancelled. Hears patron.erased.

The address of a recording is in a collection of its own, and no event, list or answer is made from
that: it leaves by one query, which asks for the time.
"""
