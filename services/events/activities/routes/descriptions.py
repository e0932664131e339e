"""The description of an activity in requests and responses."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from services.events.activities.rules import About, Activity, Wording
from services.events.fields import (
    Age,
    Audience,
    Line,
    PageLanguage,
    Paragraphs,
    Remarks,
    SpokenLanguage,
)
from shared.http.bodies import Body


class WordingIn(Body):
    """The texts of an activity in one language; null: as in the activity itself."""

    title: Line | None = None
    venue: Line | None = None
    abstract: Paragraphs | None = None

    def wording(self) -> Wording:
        """Return the texts as a domain value."""
        return Wording(self.title, self.venue, self.abstract)


class AboutIn(Body):
    """The description of an activity."""

    abstract: Paragraphs | None = None
    remarks: Remarks | None = None
    languages: Annotated[
        list[SpokenLanguage],
        Field(max_length=10, description="Languages in which it is held, by BCP 47."),
    ] = []  # noqa: RUF012 - pydantic copies it
    audience: Audience | None = None
    minimum_age: Age | None = Field(
        default=None,
        description="Lowest age in years of those who may take part, on its first day. Patrons of "
        "whom the library knows another age can't register; patrons whose date of birth it does "
        "not know can.",
    )
    maximum_age: Age | None = None
    wordings: Annotated[
        dict[PageLanguage, WordingIn],
        Field(max_length=3, description="Its texts in other languages, by language."),
    ] = {}  # noqa: RUF012 - pydantic copies it

    def given(self) -> dict[str, Any]:
        """Return the fields of the description that the request gives, as domain values."""
        values: dict[str, Any] = {
            name: getattr(self, name)
            for name in AboutIn.model_fields
            if name in self.model_fields_set
        }
        if "languages" in values:
            values["languages"] = tuple(values["languages"])
        if "wordings" in values:
            values["wordings"] = {code: one.wording() for code, one in self.wordings.items()}
        return values


class WordingOut(BaseModel):
    """The texts of an activity in one language; null: as in the activity itself."""

    title: str | None
    venue: str | None
    abstract: str | None


class AboutOut(BaseModel):
    """The description of an activity."""

    abstract: str | None
    remarks: str | None
    languages: list[str] = Field(description="Languages in which it is held, by BCP 47.")
    audience: str | None
    minimum_age: int | None
    maximum_age: int | None
    wordings: dict[str, WordingOut] = Field(
        description="Its texts in other languages, by language."
    )


def about_fields(activity: Activity) -> dict[str, Any]:
    """Return the fields of AboutOut."""
    about: About = activity.about
    return {
        "abstract": about.abstract,
        "remarks": about.remarks,
        "languages": list(about.languages),
        "audience": about.audience,
        "minimum_age": about.minimum_age,
        "maximum_age": about.maximum_age,
        "wordings": {
            code: WordingOut(title=one.title, venue=one.venue, abstract=one.abstract)
            for code, one in about.wordings.items()
        },
    }
