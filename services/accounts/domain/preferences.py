"""Preferences (My Setting): what a patron is notified of, and through which channels."""

from dataclasses import dataclass, replace

ALWAYS = "inbox"
"""The channel that can't be turned off: every notification can be read in the account."""
IN_USE = frozenset({ALWAYS, "email"})
"""The channels by which notices sends. Others can be kept from earlier releases, not chosen."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """A patron's choices, stored from registration on; `version` is 0 until the first choice.

    By default a patron follows nothing and keeps no reading history.
    """

    id: str
    """Id of the patron."""
    followed_branches: tuple[str, ...] = ()
    activity_types: tuple[str, ...] = ()
    language: str | None = None
    """Chosen language; None: the language of the registration."""
    channels: tuple[str, ...] = (ALWAYS,)
    digest: bool = False
    """True: one e-mail a day with all notifications that can wait until then."""
    keep_history: bool = False
    version: int = 0


@dataclass(frozen=True)
class Setting:
    """A patron's preferences with the language and the channels in force."""

    preferences: Preferences
    language: str
    """The chosen language, or else the language of the registration."""
    reachable_by: tuple[str, ...] = ()
    """Channels in use with an address on file, besides the inbox."""


def choose(
    preferences: Preferences,
    *,
    followed_branches: tuple[str, ...] | None = None,
    activity_types: tuple[str, ...] | None = None,
    language: str | None = None,
    channels: tuple[str, ...] | None = None,
    digest: bool | None = None,
    keep_history: bool | None = None,
) -> Preferences:
    """Return the preferences with the given fields changed and lists sorted.

    Returns the same value if nothing changes.
    """
    chosen = replace(
        preferences,
        followed_branches=_set(followed_branches, preferences.followed_branches),
        activity_types=_set(activity_types, preferences.activity_types),
        language=language or preferences.language,
        channels=_set(None if channels is None else (ALWAYS, *channels), preferences.channels),
        digest=preferences.digest if digest is None else digest,
        keep_history=preferences.keep_history if keep_history is None else keep_history,
    )
    return chosen if chosen == preferences else replace(chosen, version=preferences.version + 1)


def _set(given: tuple[str, ...] | None, kept: tuple[str, ...]) -> tuple[str, ...]:
    return kept if given is None else tuple(sorted(set(given)))
