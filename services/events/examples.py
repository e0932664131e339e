"""Examples of the fields of events in the OpenAPI document (see services/examples.py)."""

from collections.abc import Mapping
from typing import Any

from services.examples import COMMON, NOW, REGISTRATION
from shared.examples import LEFT_OUT

EXAMPLES: Mapping[str, Any] = {
    **COMMON,
    "abstract": "The walk follows the old shoreline on maps of 1845, 1901 and 1964.",
    "audience": "adults",
    "enquiries": "2921 0388",
    "languages": ["yue"],
    "maximum_age": None,
    "minimum_age": 12,
    "organiser": "Hong Kong Public Libraries",
    "places": 80,
    "places_left": 12,
    "registered_at": NOW,
    "remarks": "Please wear comfortable shoes.",
    "speaker": "Ms Yip Wing-sze",
    "turn": 31,
    "url": "https://recordings.example/2020/factory-in-and-out",
    "wordings": {
        "zh-Hant": {"title": "讀海港：古地圖漫步", "venue": "演講室", "abstract": None},
    },
    # activities, news and messages
    "ActivityIn.title": "Reading the Harbour: a Walk in Old Maps",
    "ActivityIn.language": "Cantonese",
    "ActivityIn.recording": LEFT_OUT,
    "ActivityOut.id": "01765b0e-1f40-77a3-9be5-5c8d0e4f7a14",
    "ActivityOut.title": "Reading the Harbour: a Walk in Old Maps",
    "ActivityOut.language": "Cantonese",
    "ActivityOut.recording": None,
    "ActivityOut.cancelled_at": None,
    "ActivityOut.cancelled_because": None,
    "ActivityChange.branch": LEFT_OUT,
    "ActivityChange.places": 100,
    "CancellationIn.reason": "The speaker is ill",
    "POST /v1/activities/{activity_id}/cancellation.cancelled_at": NOW,
    "POST /v1/activities/{activity_id}/cancellation.cancelled_because": "The speaker is ill",
    "POST /v1/activities/{activity_id}/cancellation.places_left": 0,
    "POST /v1/activities/{activity_id}/cancellation.version": 2,
    "RegistrationOut.id": REGISTRATION,
    "RegistrationOut.state": "confirmed",
    "RegistrationOut.position": None,
    "POST /v1/activities/{activity_id}/registration 202.state": "waitlisted",
    "POST /v1/activities/{activity_id}/registration 202.position": 2,
    "POST /v1/activities/{activity_id}/registration 202.turn": 82,
    "DELETE /v1/activities/{activity_id}/registration.state": "cancelled",
    "DELETE /v1/activities/{activity_id}/registration.version": 2,
    "OwnRegistrationOut.id": REGISTRATION,
    "OwnRegistrationOut.state": "confirmed",
    "OwnRegistrationOut.position": None,
    "OwnRegistrationOut.title": "Reading the Harbour: a Walk in Old Maps",
    "RecordingOut.available_from": "2020-11-20T11:00:00Z",
}
