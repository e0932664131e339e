"""My Setting: what a patron wants to hear of, and how."""

from dataclasses import dataclass, replace

ALWAYS = "inbox"
"""The channel that nobody can turn off: what the library says can be read in the account."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """A patron's choices, kept from registration on; `version` is 0 until the first is made.

    The defaults follow nothing and keep no history: what a patron did not ask for is not done.
    """

    id: str
    """The patron's."""
    followed_branches: tuple[str, ...] = ()
    activity_types: tuple[str, ...] = ()
    language: str | None = None
    """None: the language that the patron was registered with."""
    channels: tuple[str, ...] = (ALWAYS,)
    keep_history: bool = False
    version: int = 0


def choose(
    preferences: Preferences,
    *,
    followed_branches: tuple[str, ...] | None = None,
    activity_types: tuple[str, ...] | None = None,
    language: str | None = None,
    channels: tuple[str, ...] | None = None,
    keep_history: bool | None = None,
) -> Preferences:
    """The preferences with what is given changed, lists sorted; the same if nothing changes."""
    chosen = replace(
        preferences,
        followed_branches=_set(followed_branches, preferences.followed_branches),
        activity_types=_set(activity_types, preferences.activity_types),
        language=language or preferences.language,
        channels=_set(None if channels is None else (ALWAYS, *channels), preferences.channels),
        keep_history=preferences.keep_history if keep_history is None else keep_history,
    )
    return chosen if chosen == preferences else replace(chosen, version=preferences.version + 1)


def _set(given: tuple[str, ...] | None, kept: tuple[str, ...]) -> tuple[str, ...]:
    return kept if given is None else tuple(sorted(set(given)))
