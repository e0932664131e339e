"""Limits on wrong PINs, known devices, and sessions.

A PIN can't be guessed, and nobody can lock the owner of a card out. Whoever knows nothing about a
card but its number is a stranger. Strangers share budgets of wrong PINs. A device on which somebody
has logged in with the card has a budget of its own, and so has an open session whose patron
confirms a change.

The token of a device has an entry for each of the cards that were used there last. An entry proves
that somebody logged in with the card on this device since its PIN was chosen. It names neither the
card nor the patron, and nothing of it is stored.

A session has a sequence of renewal tokens, of which only the newest can be used. Each is derived
from the session's id and its place in the sequence, so the database has no secret, and a client
whose answer was lost can be given the same token again.
"""

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from shared import keys as keyed

MOST_ATTEMPTS = 5
"""Attempts within WINDOW that lock a card for the place where they come from; a successful one
deletes the attempts before it."""
WINDOW = timedelta(minutes=15)
LOCKED_FOR = timedelta(minutes=15)
CHECKED_WITHIN = timedelta(seconds=10)
"""Longest check of an attempt: one that took longer was ended by a deadline, or with its process,
and stays counted."""
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOST_OF_DEVICE = 20
"""Wrong PINs a day from one known device."""
MOST_OF_STATION = 300
"""Wrong PINs an hour at one station or service that checks patrons, with all cards together: a
budget of its own, because all patrons of a library come through one address there."""
MOST_OF_CARD = 100
"""Wrong PINs an hour of all strangers with one card."""
MOST_OF_SPRAYED_CARD = 5
"""Wrong PINs a day with one card, above which strangers wait whose network has tried other cards
in vain: they may be guessing the PINs of many cards."""
MOST_CODES = 20
"""Wrong codes a day of all strangers who know the PIN of a card."""
MOST_NEW_DEVICES = 10
"""Alerts a day about new devices: a program that keeps no `device_token` is always a new one."""
MOST_RECORDED_OF_NETWORK = 100
"""Acts without a token an hour of one network that the audit trail has, each with any card."""
MOST_RECORDED_OF_CARD = 20
"""The same for one network with one card."""
MOST_RECORDED = 2_000
"""The same for all networks together."""
MOST_DEVICES = 20
"""Devices that an account remembers, those that were used last."""
KNOWN_FOR = timedelta(days=180)
"""Time since the last log-in with a card for which a device is known."""
MOST_ENTRIES = 5
"""Number of cards for which a device is known: a family shares one, a library's does not matter."""
LONGEST_TOKEN = 1000
DIGEST_LENGTH = 32
"""Length of the digests here, in hexadecimal digits."""
MOST_SESSIONS = 50
"""Maximum number of open sessions of one account: one more ends the oldest."""
GRACE = timedelta(seconds=60)
"""Time for which the former renewal token is answered with the newest: for lost answers, and for
requests that a client sends at the same time."""


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `most` wrong PINs within `window`, counted together by all replicas."""

    key: str
    most: int | None
    """None: they are counted, and not limited."""
    window: timedelta
    card_digest: str | None = None
    """Digest of the card whose new PIN ends the count; None: it goes on."""


@dataclass(frozen=True, slots=True)
class StrangersLimits:
    """Wrong PINs an hour of all strangers of one network, and of all together; 0: no limit.

    As many codes to choose a new PIN may be asked for, and as many wrong ones entered.
    """

    network: int
    everyone: int


@dataclass(frozen=True, slots=True)
class Source:
    """The source of an attempt; the card is locked for it only."""

    kind: str
    """`device`: a known one; `session`: an open one; `station`: one that has logged in; `network`:
    a stranger."""
    id: str = ""

    @property
    def is_stranger(self) -> bool:
        """True if the attempt spends the budgets that strangers share."""
        return self.kind == "network"

    def lock_of(self, card_digest: str) -> str:
        """Return the id of the lock of a card for this place."""
        return f"{card_digest} {self.kind} {self.id}".rstrip()


OWN_SESSION = Source("session")
"""A patron who is logged in and confirms a change."""


def budget_of_device(card_digest: str, device: Source) -> Budget:
    """Return the budget of a known device, or of a station, with a card."""
    return Budget(f"day {device.lock_of(card_digest)}", MOST_OF_DEVICE, DAY, card_digest)


def budget_of_station(station: Source) -> Budget:
    """Return the budget of a station with all cards."""
    return Budget(f"station {station.id}", MOST_OF_STATION, HOUR)


def budget_of_everyone(limits: StrangersLimits, of: str = "") -> Budget:
    """Return the budget of all strangers together: `of` wrong PINs, or of something else."""
    return Budget(f"{of} everyone".lstrip(), limits.everyone or None, HOUR)


def budget_of_network(stranger: Source, limits: StrangersLimits, of: str = "") -> Budget:
    """Return the same budget of the strangers of one network."""
    return Budget(f"{of} network {stranger.id}".lstrip(), limits.network or None, HOUR)


def mark_of(card_digest: str, stranger: Source) -> str:
    """Return the mark of a card among those that a network has tried.

    It is not the card's digest, so nothing of an erased patron is left there.
    """
    return hashlib.sha256(f"{stranger.id} {card_digest}".encode()).hexdigest()[:32]


def budgets_of_card(card_digest: str, *, sprays: bool) -> tuple[Budget, ...]:
    """Return the budgets of all strangers with a card; `sprays`: they may be guessing many."""
    of_day = MOST_OF_SPRAYED_CARD if sprays else None
    return (
        Budget(f"hour {card_digest}", MOST_OF_CARD, HOUR, card_digest),
        Budget(f"day {card_digest}", of_day, DAY, card_digest),
    )


def budget_of_codes(card_digest: str) -> Budget:
    """Return the budget of wrong codes of all strangers with a card and its PIN."""
    return Budget(f"codes {card_digest}", MOST_CODES, DAY, card_digest)


def budget_of_new_devices(card_digest: str) -> Budget:
    """Return the budget of alerts about new devices."""
    return Budget(f"devices {card_digest}", MOST_NEW_DEVICES, DAY, card_digest)


def budgets_of_record(card_digest: str, network: str) -> tuple[Budget, ...]:
    """Return the budgets of entries in the audit trail about acts without a token."""
    came_from = hashlib.sha256(network.encode()).hexdigest()[:32]
    return (
        Budget(f"recorded {came_from}", MOST_RECORDED_OF_NETWORK, HOUR),
        Budget(f"recorded {came_from} {card_digest}", MOST_RECORDED_OF_CARD, HOUR, card_digest),
        Budget("recorded", MOST_RECORDED, HOUR),
    )


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """One entry of the token of a device."""

    text: str
    issued: int
    """Time of the log-in in seconds since 1970, by the wall clock."""
    device: str
    proof: str


def stranger_at(network: str, keys: str) -> Source:
    """Return the source of a stranger. A digest stands for the network, which is not stored."""
    return Source("network", keyed.digest(keys, f"network\n{network}").hex()[:DIGEST_LENGTH])


def known_device(
    token: str, card_digests: tuple[str, ...], pin_version: int, keys: str, at: datetime
) -> str:
    """Return the id of a device on which the card was used since its PIN was chosen, else "".

    The card is given by its digests with each key.
    """
    found = ""
    for entry in _entries(token):
        is_ours = any(
            keyed.is_digest(
                keys,
                _proof(card, pin_version, entry.issued, entry.device),
                entry.proof,
                length=DIGEST_LENGTH,
            )
            for card in card_digests
        )
        is_young = at.timestamp() - entry.issued <= KNOWN_FOR.total_seconds()
        if is_ours and is_young:
            found = found or entry.device
    return found


def devices_in(token: str) -> tuple[str, ...]:
    """Return the ids of the devices that a token names, whether or not it was made here."""
    return tuple(entry.device for entry in _entries(token))


def token_after_log_in(
    token: str, card_digests: tuple[str, ...], pin_version: int, keys: str, at: datetime
) -> str | None:
    """Return the token of a device after a log-in; None without keys: everybody could make one.

    The device keeps its id, so that logging in many times gives nobody many budgets.
    """
    if not keys:
        return None
    device = known_device(token, card_digests, pin_version, keys, at) or secrets.token_urlsafe(12)
    issued = int(at.timestamp())
    content = _proof(card_digests[0], pin_version, issued, device)
    new = f"{issued}.{device}.{keyed.digest(keys, content).hex()[:DIGEST_LENGTH]}"
    others = [entry.text for entry in _entries(token) if entry.device != device]
    return "~".join([new, *others[: MOST_ENTRIES - 1]])


def _entries(token: str) -> Iterator[DeviceEntry]:
    """Yield the entries of a token that have the right form."""
    for text in token[:LONGEST_TOKEN].split("~")[:MOST_ENTRIES]:
        issued, _, rest = text.partition(".")
        device, _, proof = rest.partition(".")
        if issued.isascii() and issued.isdecimal() and len(issued) < 12 and device and proof:
            yield DeviceEntry(text, int(issued), device, proof)


def _proof(card_digest: str, pin_version: int, issued: int, device: str) -> str:
    return f"device\n{card_digest}\n{pin_version}\n{issued}\n{device}"


def new_challenge(keys: str, purpose: str, ends_at: datetime) -> str:
    """Return a challenge, of which nothing is stored until it is used.

    It has the instant at which it ends, and a digest that binds it to its purpose. Without keys
    none is accepted: everybody could make it.
    """
    content = f"{int(ends_at.timestamp())}.{secrets.token_urlsafe(16)}"
    digest = keyed.digest(keys, f"{purpose}\n{content}").hex()
    return f"{content}.{digest}"


def end_of_challenge(challenge: str, keys: str, purpose: str, at: datetime) -> datetime | None:
    """Return the instant at which a challenge ends; None if it has, or is not for this purpose."""
    content, _, given = challenge.rpartition(".")
    if not keyed.is_digest(keys, f"{purpose}\n{content}", given):
        return None
    ends_at = datetime.fromtimestamp(int(content.partition(".")[0]), UTC)
    return ends_at if at < ends_at else None


def remembered(device: str) -> str:
    """Return the form in which an account remembers the id of a device."""
    return hashlib.sha256(device.encode()).hexdigest()[:32]


def with_device(devices: Sequence[str], device: str) -> tuple[str, ...]:
    """Return the remembered devices with one that was used just now."""
    return (*(other for other in devices if other != device), device)[-MOST_DEVICES:]


@dataclass(frozen=True, slots=True)
class Session:
    """An open session. Ending it deletes it; a token names it by its id."""

    id: str
    account_id: str
    """Id of the cardholder: a patron, staff, a station, a contact tracer or an operator."""
    opened_at: datetime
    expires_at: datetime
    """Instant when it can't be renewed any more. Like the other times by the wall clock."""
    renewed_at: datetime
    place: int = 1
    """Place of the newest renewal token in the sequence."""
    role: str = ""
    """Role that the session has instead of the account's, which includes it; empty: the same."""
    version: int = 1


RENEWAL = "renewal"
"""Purpose of renewal tokens."""


class Reused(Exception):
    """A renewal token was used twice: somebody else may have copied it."""


def surplus(opened: Sequence[Session]) -> Sequence[Session]:
    """Return the sessions to end before another is opened; `opened` has the oldest first."""
    return opened[: max(0, len(opened) + 1 - MOST_SESSIONS)]


def renewed(session: Session, place: int, at: datetime) -> Session:
    """Return the session after a renewal with the token at `place`. Raises Reused.

    The session is unchanged if the token is the former one and its successor was given just now.
    """
    if place == session.place:
        return replace(session, place=place + 1, renewed_at=at, version=session.version + 1)
    if place == session.place - 1 and at <= session.renewed_at + GRACE:
        return session
    raise Reused


def renewal_token(session: Session, keys: str) -> str:
    """Return the newest renewal token of a session: its id, the place, and their digest."""
    return keyed.numbered(keys, RENEWAL, session.id, session.place)


def place_of(token: str, keys: str) -> tuple[str, int] | None:
    """Return the session's id and the place of a renewal token of ours; None if it is not ours."""
    return keyed.number_of(keys, RENEWAL, token)
