"""Change a patron's preferences (My Setting)."""

from dataclasses import dataclass, replace

from services.accounts import store
from services.accounts.domain.patron import Patron
from services.accounts.domain.preferences import ALWAYS, IN_USE, Setting, choose
from services.accounts.domain.refusals import (
    ChannelNotInUse,
    NoAddress,
    NoSuchBranch,
    NoSuchPatron,
)
from shared.contracts.accounts import PreferencesChanged
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ChoosePreferences:
    """The preferences to change; None leaves one as it is."""

    patron_id: str
    followed_branches: tuple[str, ...] | None = None
    activity_types: tuple[str, ...] | None = None
    language: str | None = None
    channels: tuple[str, ...] | None = None
    digest: bool | None = None
    keep_history: bool | None = None


def choose_preferences(work: Work, command: ChoosePreferences) -> Setting:
    """Change the preferences and return them; publish them if they changed.

    Raises NoSuchPatron, NoSuchBranch for a library that is newly followed, ChannelNotInUse, or
    NoAddress if an added channel has no address on file.
    """
    patron = store.patron(work, command.patron_id)
    preferences = store.preferences(work, command.patron_id)
    holder = store.cardholder(work, command.patron_id)
    if patron is None or preferences is None or holder is None:
        raise NoSuchPatron
    added = set(command.channels or ()) - set(preferences.channels)
    newly_followed = set(command.followed_branches or ()) - set(preferences.followed_branches)
    if store.branches.unknown(work, newly_followed):
        raise NoSuchBranch
    if added - IN_USE:
        raise ChannelNotInUse
    if added - {ALWAYS, *holder.reachable_by}:
        raise NoAddress
    chosen = choose(
        preferences,
        followed_branches=command.followed_branches,
        activity_types=command.activity_types,
        language=command.language,
        channels=command.channels,
        digest=command.digest,
        keep_history=command.keep_history,
    )
    setting = Setting(chosen, chosen.language or patron.language, holder.reachable_by)
    if chosen != preferences:
        store.save_preferences(work, chosen)
        work.record(preferences_event(setting))
    return setting


def follow_language(work: Work, patron: Patron) -> None:
    """Publish saved preferences without a language again: theirs is that of the registration."""
    saved = store.preferences(work, patron.id)
    if saved is None or saved.version == 0 or saved.language is not None:
        return
    following = replace(saved, version=saved.version + 1)
    store.save_preferences(work, following)
    work.record(preferences_event(Setting(following, patron.language)))


def preferences_event(setting: Setting) -> PreferencesChanged:
    """Build the event that publishes the preferences."""
    chosen = setting.preferences
    return PreferencesChanged(
        patron_id=chosen.id,
        followed_branches=chosen.followed_branches,
        activity_types=chosen.activity_types,
        language=setting.language,
        channels=chosen.channels,
        digest=chosen.digest,
        keep_history=chosen.keep_history,
        version=chosen.version,
    )
