"""The two tables of My Info: activities and notices that a patron follows."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, Field

from services.gateway.views.overview import instant
from shared.mongo import Document

ALL_LIBRARIES = "All libraries"


class PlaceWording(BaseModel):
    """Title and venue of an activity in one language; null: as in the activity itself."""

    title: str | None
    venue: str | None


class NewsWording(BaseModel):
    """The text of a notice in one language."""

    content: str


class ActivityRow(BaseModel):
    """An activity of a type that the patron follows."""

    title: str
    starts_at: datetime
    ends_at: datetime | None
    venue: str
    branch: str | None = Field(
        description="Code of the branch where it takes place; null: not at a branch."
    )
    type: str
    wordings: dict[str, PlaceWording] = Field(description="By language.")


class NewsRow(BaseModel):
    """A notice of a library that the patron follows, or of the whole library."""

    library: str
    branch: str | None = Field(description="Code of the library; null: all libraries.")
    date: date
    content: str
    wordings: dict[str, NewsWording] = Field(description="By language.")


def my_info(
    activities: Sequence[Mapping[str, Any]],
    notices: Sequence[Mapping[str, Any]],
    followed: Sequence[str],
    names: Mapping[str, str],
    limit: int,
) -> Document:
    """Return the two tables of My Info.

    A notice of several followed branches has a row for each.
    """
    news = []
    for notice in notices:
        codes: list[str | None] = [code for code in followed if code in notice["branches"]]
        news += [
            {
                "library": names.get(code, code) if code else ALL_LIBRARIES,
                "branch": code,
                "date": notice["date"],
                "content": notice["content"],
                "wordings": notice.get("wordings", {}),
            }
            for code in codes or [None]
        ]
    return {
        "activities": [
            {
                "title": activity["title"],
                "starts_at": instant(activity["starts_at"]),
                "ends_at": _end(activity),
                "venue": activity["venue"],
                "branch": activity.get("branch"),
                "type": activity["type"],
                "wordings": activity.get("wordings", {}),
            }
            for activity in activities
        ],
        "library_information": news[:limit],
    }


def _end(activity: Mapping[str, Any]) -> str | None:
    """Return when an activity ends, None if no end is announced."""
    ends_at = activity["last_at"]
    return instant(ends_at) if ends_at > activity["starts_at"] else None
