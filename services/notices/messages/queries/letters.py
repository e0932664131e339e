"""The letters of a library: prepared with the facts of the moment, and composed for printing."""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby, islice
from typing import TypeVar

import orjson
from pydantic import BaseModel

from services.notices.branches import store as branches_store
from services.notices.channels.rules.deliveries import Letter
from services.notices.channels.rules.letters import MOST_LETTERS, LetterRun, Prepared
from services.notices.channels.store import letters as letters_store
from services.notices.kinds.kind import kind_of
from services.notices.messages.queries.texts import Message, as_it_is, with_texts
from services.notices.patrons import store as patrons_store
from services.notices.patrons.rules import DEFAULT_LANGUAGE, Notification
from shared.owners import path_to
from shared.unit_of_work import Run

T = TypeVar("T")

AT_ONCE = 16
"""Letters about which other services are asked at once."""
ASKING_SECONDS = 10.0
"""Time to ask accounts for the addresses of all letters of a run."""


class Addressee(BaseModel):
    """Accounts' answer: the name and postal address of a patron."""

    class Address(BaseModel):
        """A postal address in lines."""

        lines: tuple[str, ...]
        locality: str
        country: str

    patron_id: str
    name: str
    by_email: bool
    postal_address: Address | None


class _Addressees(BaseModel):
    items: list[Addressee]


@dataclass(frozen=True)
class ComposedLetter:
    """One envelope's letter as text."""

    patron_id: str
    number: int
    language: str
    address: Sequence[str] = field(repr=False)
    """Name and address, each a line."""
    name: str = field(repr=False)
    library: str
    """Name of the library in the language of the letter."""
    messages: Sequence[Message] = field(repr=False)


async def prepare(run: Run, branch: str, day: date) -> list[Prepared]:
    """Return the letters that wait at a library, each with its facts now or why not to print it.

    Raises OwnerAway or OwnerRefused; nothing is changed.
    """
    letters = await letters_store.find_held(run.database, branch, MOST_LETTERS)
    known = await _addressees(run, {one.patron_id for one in letters})
    return await _together(_prepared(run, one, known, day) for one in letters)


async def _prepared(run: Run, letter: Letter, known: dict[str, Addressee], day: date) -> Prepared:
    to = known.get(letter.patron_id)
    if to is not None and to.by_email:
        return Prepared(letter, reason="by-email")
    if to is None or to.postal_address is None:
        return Prepared(letter, reason="no-address")
    stored = await patrons_store.find_notification(run.database, letter.notification_id)
    if stored is None or stored.withdrawn:
        return Prepared(letter, reason="withdrawn")
    current = await as_it_is(stored, run)
    if current is None:
        return Prepared(letter, reason="outdated")
    until = await kind_of(current.kind).from_stored(current.about).useful_until(run)
    if until is not None and until < day:
        return Prepared(letter, reason="outdated")
    return Prepared(letter, about=current.about)


async def compose(run: Run, letter_run: LetterRun) -> list[ComposedLetter]:
    """Return the letters of a run as they were made, to the names and addresses of now.

    Those to patrons without an address, or erased since, are left out. Raises OwnerAway.
    """
    letters = await letters_store.find_printed(run.database, letter_run.id)
    known = await _addressees(run, {one.patron_id for one in letters})
    envelopes = [list(group) for _, group in groupby(letters, lambda one: one.number)]
    composed = await _together(
        _composed(run, letter_run, of_one, known.get(of_one[0].patron_id)) for of_one in envelopes
    )
    return [one for one in composed if one is not None]


async def _composed(
    run: Run, letter_run: LetterRun, letters: Sequence[Letter], to: Addressee | None
) -> ComposedLetter | None:
    if to is None or to.postal_address is None:
        return None
    patron_id = letters[0].patron_id
    patron = await patrons_store.find_one(run.database, patron_id)
    language = patron.speaks if patron else DEFAULT_LANGUAGE
    notifications = [
        Notification(one.notification_id, 1, patron_id, one.kind, one.queued_at, one.about or {})
        for one in letters
    ]
    shown = await with_texts(run.database, patron_id, notifications, run.settings.zone)
    names = await branches_store.find_names(run.database, [letter_run.branch], language)
    place = to.postal_address
    return ComposedLetter(
        patron_id=patron_id,
        number=letters[0].number,
        language=language,
        address=[line for line in (to.name, *place.lines, place.locality, place.country) if line],
        name=to.name,
        library=names.get(letter_run.branch, letter_run.branch),
        messages=[item.message for item in shown],
    )


async def _addressees(run: Run, patron_ids: Collection[str]) -> dict[str, Addressee]:
    """Return the names and addresses of patrons, by id. Nothing stores or logs them."""
    if not patron_ids:
        return {}
    question = orjson.dumps({"patron_ids": sorted(patron_ids)})
    path = path_to("v1", "postal-addresses")
    answer = await run.owners.ask("accounts", path, question, now=run.now, within=ASKING_SECONDS)
    return {one.patron_id: one for one in _Addressees.model_validate(answer).items}


async def _together(each: Iterable[Awaitable[T]]) -> list[T]:
    """Return the results in order; AT_ONCE are awaited at the same moment."""
    waiting = iter(each)
    results: list[T] = []
    while some := list(islice(waiting, AT_ONCE)):
        results += await asyncio.gather(*some)
    return results
