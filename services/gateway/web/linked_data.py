"""An activity as schema.org data (JSON-LD), which search engines read from its page."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.gateway.web.visit import Visit
from services.gateway.web.words import AUDIENCES

_TYPES = {"exhibition": "ExhibitionEvent", "talk": "EducationEvent", "workshop": "EducationEvent"}


def event(visit: Visit, activity: Mapping[str, Any], branches: Mapping[str, str]) -> dict[str, Any]:
    """Return the schema.org Event of an activity, without what is not known."""
    took_place = "EventCancelled" if activity["cancelled_at"] else "EventScheduled"
    place = {"@type": "Place", "name": activity["venue"], "address": None}
    if activity["branch"]:
        place["address"] = branches.get(activity["branch"], activity["branch"])
    audience = _known(
        {
            "@type": "PeopleAudience",
            "audienceType": visit.language.say(AUDIENCES.get(activity["audience"] or "", "")),
            "suggestedMinAge": activity["minimum_age"],
            "suggestedMaxAge": activity["maximum_age"],
        }
    )
    speaker = activity["speaker"]
    return _known(
        {
            "@context": "https://schema.org",
            "@type": _TYPES.get(activity["type"], "Event"),
            "name": activity["title"],
            "description": activity["abstract"],
            "startDate": _local(visit, activity["starts_at"]),
            "endDate": _local(visit, activity["ends_at"]) if activity["ends_at"] else None,
            "eventStatus": f"https://schema.org/{took_place}",
            "location": _known(place),
            "inLanguage": activity["languages"],
            "organizer": {"@type": "Organization", "name": activity["organiser"]},
            "performer": {"@type": "Person", "name": speaker} if speaker else None,
            "audience": audience if len(audience) > 1 else None,
            "maximumAttendeeCapacity": activity["places"],
            "remainingAttendeeCapacity": activity["places_left"],
        }
    )


def _local(visit: Visit, instant: str) -> str:
    return datetime.fromisoformat(instant).astimezone(visit.zone).isoformat()


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [])}
