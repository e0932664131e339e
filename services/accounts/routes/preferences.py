"""A patron's own preferences."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from services.accounts import queries
from services.accounts.domain.preferences import Setting
from services.accounts.domain.refusals import (
    ChannelNotInUse,
    NoAddress,
    NoSuchBranch,
    NoSuchPatron,
)
from services.accounts.routes.fields import BranchCode, Channel, Language
from services.accounts.usecases.choose_preferences import ChoosePreferences, choose_preferences
from shared import auth
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

ActivityType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]


class PreferencesIn(Body):
    """The fields of My Setting to change; an absent or null field stays as it is."""

    followed_branches: tuple[BranchCode, ...] | None = Field(default=None, max_length=100)
    activity_types: tuple[ActivityType, ...] | None = Field(default=None, max_length=50)
    language: Language | None = None
    channels: tuple[Channel, ...] | None = Field(
        default=None,
        max_length=10,
        description="Channels of notifications; `inbox` is always included. `sms` can be kept from "
        "earlier releases and not be added: nothing is sent by it.",
    )
    digest: bool | None = Field(
        default=None,
        description="True: one e-mail a day with all notifications that can wait until then.",
    )
    keep_history: bool | None = None


class PreferencesOut(BaseModel):
    """My Setting."""

    followed_branches: tuple[str, ...]
    activity_types: tuple[str, ...]
    language: str
    channels: tuple[str, ...]
    digest: bool = Field(
        description="True: one e-mail a day with all notifications that can wait until then."
    )
    keep_history: bool
    reachable_by: tuple[str, ...] = Field(
        description="Channels in use with an address on file, besides `inbox`."
    )
    version: int = Field(
        description="Version of the preferences; 0: the patron has not chosen any yet."
    )

    @classmethod
    def of(cls, setting: Setting) -> "PreferencesOut":
        """Build the response from the preferences and the language in force."""
        preferences = setting.preferences
        return cls(
            followed_branches=preferences.followed_branches,
            activity_types=preferences.activity_types,
            language=setting.language,
            channels=preferences.channels,
            digest=preferences.digest,
            keep_history=preferences.keep_history,
            reachable_by=setting.reachable_by,
            version=preferences.version,
        )


@router.get("/me/preferences", tags=["preferences"])
@refuses(NoSuchPatron)
async def get_preferences(caller: auth.Patron, db: Db) -> PreferencesOut:
    """Get the patron's preferences (My Setting)."""
    return PreferencesOut.of(await queries.preferences(db, caller.id))


@router.patch("/me/preferences", tags=["preferences"])
@refuses(NoSuchPatron, NoSuchBranch, ChannelNotInUse, NoAddress)
async def patch_preferences(body: PreferencesIn, caller: auth.Patron, run: Run) -> PreferencesOut:
    """Change the patron's preferences (My Setting).

    A channel can be added only if it is in use (`GET /v1/channels`) and its address is on file.
    """
    setting = await run(
        choose_preferences,
        ChoosePreferences(
            patron_id=caller.id,
            followed_branches=body.followed_branches,
            activity_types=body.activity_types,
            language=body.language,
            channels=body.channels,
            digest=body.digest,
            keep_history=body.keep_history,
        ),
    )
    return PreferencesOut.of(setting)
