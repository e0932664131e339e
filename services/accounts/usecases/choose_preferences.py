"""Save My Setting."""

from dataclasses import dataclass

from services.accounts import store
from services.accounts.domain.preferences import Preferences, choose
from services.accounts.domain.refusals import NoSuchPatron
from shared.contracts.accounts import PreferencesChanged
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ChoosePreferences:
    """What is to change; None stays as it is."""

    patron_id: str
    followed_branches: tuple[str, ...] | None = None
    activity_types: tuple[str, ...] | None = None
    language: str | None = None
    channels: tuple[str, ...] | None = None
    keep_history: bool | None = None


@dataclass(frozen=True)
class Setting:
    """Preferences, and the language in force where none was chosen."""

    preferences: Preferences
    language: str


async def choose_preferences(work: Work, command: ChoosePreferences) -> Setting:
    """The preferences after the choice, published if they changed. Raises NoSuchPatron."""
    patron = await store.patron(work, command.patron_id)
    preferences = await store.preferences(work, command.patron_id)
    if patron is None or preferences is None:
        raise NoSuchPatron
    chosen = choose(
        preferences,
        followed_branches=command.followed_branches,
        activity_types=command.activity_types,
        language=command.language,
        channels=command.channels,
        keep_history=command.keep_history,
    )
    setting = Setting(chosen, chosen.language or patron.language)
    if chosen != preferences:
        await store.save_preferences(work, chosen)
        work.record(tell(setting))
    return setting


def tell(setting: Setting) -> PreferencesChanged:
    """The event that tells a choice."""
    chosen = setting.preferences
    return PreferencesChanged(
        patron_id=chosen.id,
        followed_branches=chosen.followed_branches,
        activity_types=chosen.activity_types,
        language=setting.language,
        channels=chosen.channels,
        keep_history=chosen.keep_history,
        version=chosen.version,
    )
