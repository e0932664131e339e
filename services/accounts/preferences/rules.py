"""My Setting: preferences, a new e-mail address until it is confirmed, and secrets of links."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from services.accounts.cardholders.rules import ChangedBy, NewAddress
from services.accounts.pins.rules import derived_code
from services.accounts.sign_in.rules import DAY, Budget
from shared import keys as keyed

ALWAYS = "inbox"
"""The channel that can't be turned off: every notification can be read in the account."""
IN_USE = frozenset({ALWAYS, "email"})
"""The channels by which notices sends. Others can be kept from earlier releases, not chosen."""
CONFIRM_WITHIN = timedelta(days=7)
"""Time for which a code can be entered: a reader at the desk does so at home."""
MOST_TRIES = 5
"""Tries to enter the code; after them it is dead."""
PURPOSE = "new-address"
"""Purpose of the codes for new addresses, from which they are derived."""
SENT_AGAIN_AFTER = timedelta(minutes=10)
"""Age from which the same address is asked to be confirmed again; before, it is a repeat."""
MOST_NEW = 10
"""New addresses a day that the holder of a card can have codes sent to."""
AddressStep = Literal["kept", "asked", "changed", "removed"]
"""The next thing that happens to the address in use; `asked`: it stays until the new one is
confirmed."""


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
    automatic_renewal: bool = True
    """False: no loan is renewed without the patron's asking, even if its policy says so."""
    version: int = 0


@dataclass(frozen=True)
class Setting:
    """A patron's preferences with the language and the channels in force."""

    preferences: Preferences
    language: str
    """The chosen language, or else the language of the registration."""
    reachable_by: tuple[str, ...] = ()
    """Channels in use with an address on file, besides the inbox."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch that notices has published."""

    id: str
    """Code of the branch."""
    version: int


@dataclass(frozen=True)
class Choices:
    """The preferences to change; None leaves one as it is."""

    followed_branches: tuple[str, ...] | None = None
    activity_types: tuple[str, ...] | None = None
    language: str | None = None
    channels: tuple[str, ...] | None = None
    digest: bool | None = None
    keep_history: bool | None = None
    automatic_renewal: bool | None = None


def choose(preferences: Preferences, choices: Choices) -> Preferences:
    """Return the preferences after these choices, with sorted lists.

    Returns the same value if nothing changes.
    """
    channels = None if choices.channels is None else (ALWAYS, *choices.channels)
    digest, history = choices.digest, choices.keep_history
    renewal = choices.automatic_renewal
    chosen = replace(
        preferences,
        followed_branches=_set(choices.followed_branches, preferences.followed_branches),
        activity_types=_set(choices.activity_types, preferences.activity_types),
        language=choices.language or preferences.language,
        channels=_set(channels, preferences.channels),
        digest=preferences.digest if digest is None else digest,
        keep_history=preferences.keep_history if history is None else history,
        automatic_renewal=preferences.automatic_renewal if renewal is None else renewal,
    )
    return chosen if chosen == preferences else replace(chosen, version=preferences.version + 1)


def _set(given: tuple[str, ...] | None, kept: tuple[str, ...]) -> tuple[str, ...]:
    return kept if given is None else tuple(sorted(set(given)))


def step_to(former: str | None, wanted: str | None, by: ChangedBy) -> AddressStep:
    """Return the next thing that happens to the address in use.

    Without a former one, that from the desk is used at once: the staff see whose card it is.
    """
    if (wanted or "").casefold() == (former or "").casefold():
        return "kept"
    if wanted is None:
        return "removed"
    return "changed" if former is None and by == "staff" else "asked"


def asked(request_id: str, email: str, by: ChangedBy, at: datetime) -> NewAddress:
    """Return a new address that waits from now on."""
    return NewAddress(request_id, email, by, at, at + CONFIRM_WITHIN)


def is_live(new: NewAddress | None, at: datetime) -> bool:
    """Return whether the code of an address can be sent and used."""
    if new is None or new.confirmed:
        return False
    return new.tries < MOST_TRIES and at < new.expires_at


def is_repeat(new: NewAddress | None, email: str, at: datetime) -> bool:
    """Return whether the code for an address was sent just now."""
    if new is None or not is_live(new, at):
        return False
    return new.email == email and at < new.asked_at + SENT_AGAIN_AFTER


def code_for(request_id: str, keys: str) -> str | None:
    """Return the code of a request; None without keys, because everybody could derive it."""
    return derived_code(PURPOSE, request_id, keys)


def budget_of_new_addresses(card_digest: str) -> Budget:
    """Return the budget of new addresses, so that nobody has many strangers sent a code."""
    return Budget(f"addresses {card_digest}", MOST_NEW, DAY, card_digest)


def calendar_secret(link: str, keys: str) -> str:
    """Return the secret in the address of a feed: the link's id, and its digest."""
    return signed_id("calendar", link, keys)


def link_of_secret(secret: str, keys: str) -> str | None:
    """Return the id of the link for which we made a secret, None if we did not make it."""
    return id_of("calendar", secret, keys)


def unsubscribe_token(patron_id: str, keys: str) -> str:
    """Return the token that stands for a patron in a link: the id, and its digest."""
    return signed_id("unsubscribe", patron_id, keys)


def patron_of_token(token: str, keys: str) -> str | None:
    """Return the id of the patron for whom we made a token, None if we did not make it."""
    return id_of("unsubscribe", token, keys)


def signed_id(purpose: str, id_: str, keys: str) -> str:
    """Return the secret of a link: an id and its digest, which is for one purpose."""
    digest = keyed.digest(keys, f"{purpose}\n{id_}").hex()
    return f"{id_}.{digest}"


def id_of(purpose: str, secret: str, keys: str) -> str | None:
    """Return the id in the secret of a link, None if we did not make the secret."""
    id_, _, digest = secret.rpartition(".")
    is_ours = secret.isascii() and keyed.is_digest(keys, f"{purpose}\n{id_}", digest)
    return id_ if is_ours else None
