"""Events of the events service: activities, recordings, registrations, and study rooms."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.event import Code, Count, Event, Id, Short, Text, Value

LongText = Annotated[str, Field(max_length=5_000)]


class Wording(Value):
    """The texts of an activity in one language; null: as in the activity itself."""

    title: Text | None = None
    venue: Text | None = None
    abstract: LongText | None = None


class ActivitySnapshot(Event, publisher="events", key="activity_id", subject="activity_id"):
    """An activity after a change. It never contains the address of a recording."""

    activity_id: Id
    title: Text
    type: Code = Field(description="Such as `talk`, `exhibition`, `workshop`.")
    venue: Text
    branch: Code | None = Field(description="Code of the branch where it takes place, if any.")
    starts_at: datetime
    ends_at: datetime | None = None
    speaker: Text | None = None
    organiser: Text
    language: Text | None = None
    enquiries: Text | None = Field(default=None, description="Telephone number for enquiries.")
    recording_from: datetime | None = Field(
        default=None, description="Time from which its recording may be seen; null: no recording."
    )
    cancelled: bool = Field(default=False, description="True if it does not take place.")
    abstract: LongText | None = None
    remarks: Text | None = None
    languages: tuple[Code, ...] = Field(
        default=(), max_length=10, description="Languages in which it is held, by BCP 47."
    )
    audience: Code | None = Field(
        default=None,
        description="`everyone`, `children`, `young-adults`, `adults`, `seniors`, `families`.",
    )
    minimum_age: Count | None = Field(
        default=None, description="Lowest age in years of those who may take part."
    )
    maximum_age: Count | None = None
    wordings: Mapping[Code, Wording] = Field(
        default={}, max_length=3, description="Its texts in other languages, by language."
    )


class ActivityPublished(ActivitySnapshot, topic="activity.published"):
    """Published when staff publish an activity."""


class ActivityRescheduled(ActivitySnapshot, topic="activity.rescheduled"):
    """Published when staff change the time, the place or the description of an activity."""

    previous_starts_at: datetime | None = Field(
        default=None, description="Planned start before, if this change moves it."
    )
    previous_venue: Text | None = Field(
        default=None, description="Planned venue before, if this change moves it."
    )
    described_anew: bool = Field(
        default=False,
        description="True if nothing but the description changed: no patron is notified.",
    )


class ActivityCancelled(ActivitySnapshot, topic="activity.cancelled"):
    """Published when staff cancel an activity. Its registrations are cancelled after it."""

    reason: Text


class RecordingReleased(ActivitySnapshot, topic="recording.released"):
    """Published once, by a job, when the release time of a recording comes."""


class RegistrationSnapshot(Event, publisher="events", key="patron_id", subject="registration_id"):
    """A patron's registration for an activity after a change."""

    registration_id: Id
    activity_id: Id
    patron_id: Id
    state: Literal["confirmed", "waitlisted", "cancelled"]
    turn: Count = Field(
        description="Ordinal among all registrations for the activity. A position on the waiting "
        "list is 1 more than the number of waitlisted registrations with a lower turn."
    )
    registered_at: datetime
    attended_at: datetime | None = Field(
        default=None,
        description="Time at which staff recorded that the patron came; null: not recorded.",
    )


class RegistrationConfirmed(RegistrationSnapshot, topic="registration.confirmed"):
    """Published when a patron gets a place: at once, or from the waiting list."""

    waited: bool = Field(description="True if it was on the waiting list before.")


class RegistrationWaitlisted(RegistrationSnapshot, topic="registration.waitlisted"):
    """Published when a patron registers and all places are taken."""


class RegistrationAttended(RegistrationSnapshot, topic="registration.attended"):
    """Published when staff record that a registered patron came."""


class RegistrationAttendanceWithdrawn(
    RegistrationSnapshot, topic="registration.attendance-withdrawn"
):
    """Published when staff withdraw an attendance as recorded in error."""


class RegistrationCancelled(RegistrationSnapshot, topic="registration.cancelled"):
    """Published when a registration ends. It is the last event of that registration."""

    by: Literal["patron", "activity", "erased"] = Field(
        description="`patron`: the patron withdrew. `activity`: it is cancelled. `erased`: the "
        "patron was erased."
    )


class AdmissionSnapshot(Event, publisher="events", key="patron_id", subject="application_id"):
    """A patron's application for a study room, or the admission card, after a change."""

    application_id: Id
    season_id: Id
    season: Text = Field(description="Name of the season.")
    patron_id: Id
    branch: Code = Field(description="Code of the branch with the study room.")
    state: Literal["applied", "granted", "standby", "withdrawn"] = Field(
        description="`applied`: the places are not drawn yet. `granted`: the patron has an "
        "admission card. `standby`: on the standby list. `withdrawn`: it has ended."
    )
    standby_number: Count | None = Field(
        default=None,
        description="Ordinal on the standby list of the room as drawn; null: not on standby.",
    )
    applied_at: datetime
    by_post: bool = Field(default=False, description="True if staff keyed it in from paper.")
    valid_from: date
    valid_until: date = Field(description="Last day of the admission cards.")


class AdmissionApplied(AdmissionSnapshot, topic="admission.applied"):
    """Published when a patron applies online, or staff key in an application by post."""


class AdmissionGranted(AdmissionSnapshot, topic="admission.granted"):
    """Published when a patron gets an admission card: by the draw, or from the standby list."""

    waited: bool = Field(description="True if it was on the standby list before.")


class AdmissionStandby(AdmissionSnapshot, topic="admission.standby"):
    """Published when the draw gives a patron a number on the standby list."""


class AdmissionWithdrawn(AdmissionSnapshot, topic="admission.withdrawn"):
    """Published when an application ends. It is the last event of that application."""

    by: Literal["patron", "erased", "purged"] = Field(
        description="`patron`: the patron withdrew. `erased`: the patron was erased. `purged`: the "
        "season has long been over."
    )


class AdmissionDrawn(
    Event,
    topic="admission.drawn",
    publisher="events",
    key="season_id",
    subject="season_id",
):
    """Published once for each season, when its places are drawn and the seed is revealed.

    With the published list of applications anyone can recompute the result.
    """

    season_id: Id
    season: Text = Field(description="Name of the season.")
    commitment: Short = Field(description="SHA-256 of the seed, published from the beginning.")
    list_hash: Short = Field(description="SHA-256 of the list of applications.")
    seed: Short
    granted: Count = Field(description="Number of applications that got a card.")
    standby: Count = Field(description="Number of applications on the standby lists.")


class SeatSnapshot(Event, publisher="events", key="patron_id", subject="seat_id"):
    """A place in one session of a study room, held for or taken by a patron, after a change."""

    seat_id: Id
    application_id: Id
    season_id: Id
    season: Text = Field(description="Name of the season.")
    patron_id: Id
    branch: Code = Field(description="Code of the branch with the study room.")
    starts_at: datetime
    ends_at: datetime
    until: datetime = Field(description="Time until which the place is held for the patron.")
    state: Literal["held", "checked-in", "lapsed"]
    promoted: bool = Field(description="True if the patron was on the standby list.")


class AdmissionPromoted(SeatSnapshot, topic="admission.promoted"):
    """Published when a place whose patron did not come goes to the next on the standby list."""


class AdmissionCheckedIn(SeatSnapshot, topic="admission.checked-in"):
    """Published when a patron comes in with an admission card."""


class AdmissionLapsed(SeatSnapshot, topic="admission.lapsed"):
    """Published when a patron did not come in time, or no longer has a card.

    Also, as `closed`, when the library turns out to be closed on the day of the session.
    """

    closed: bool = Field(
        default=False,
        description="True if the library is closed on that day, so that it is no absence.",
    )


class BookingSnapshot(Event, publisher="events", key="patron_id", subject="booking_id"):
    """A patron's booking of one session in a study room, outside any season, after a change."""

    booking_id: Id
    patron_id: Id
    branch: Code = Field(description="Code of the branch with the study room.")
    starts_at: datetime
    ends_at: datetime
    until: datetime = Field(description="Time until which the place is held for the patron.")
    state: Literal["booked", "checked-in", "lapsed", "cancelled"]


class BookingMade(BookingSnapshot, topic="booking.made"):
    """Published when a patron books a session."""


class BookingCancelled(BookingSnapshot, topic="booking.cancelled"):
    """Published when a booking is cancelled. It is the last event of that booking."""

    by: Literal["patron", "erased"] = Field(
        description="`patron`: the patron cancelled it. `erased`: the patron was erased."
    )


class BookingEndedByClosure(BookingSnapshot, topic="booking.ended-by-closure"):
    """Published when a booking ends because the library is closed on its day.

    If the library opens on that day after all, booking.restored may follow.
    """

    closure_id: Id | None = Field(
        description="The closure; null: the library has no hours on that weekday any more."
    )


class BookingRestored(BookingSnapshot, topic="booking.restored"):
    """Published when a booking that a closure ended counts again, as the library is open."""


class BookingCheckedIn(BookingSnapshot, topic="booking.checked-in"):
    """Published when a patron comes to a session that they booked."""


class BookingLapsed(BookingSnapshot, topic="booking.lapsed"):
    """Published when a patron did not come in time. It is the last event of that booking."""
