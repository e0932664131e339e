"""The base of all notification kinds: facts of an event, its recipients, and the text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from services.notices.language import Language
from services.notices.patrons.rules import Facts
from services.notices.patrons.store import Activity
from shared.contracts.event import Event, dollars
from shared.mongo import from_document
from shared.translations import marked
from shared.unit_of_work import Run


@dataclass(frozen=True)
class Known:
    """The names that facts refer to by id or code, and the library's time zone."""

    titles: Mapping[str, str]
    activities: Mapping[str, Activity]
    branches: Mapping[str, str]
    enquiries: Mapping[str, str]
    """Subjects of enquiries."""
    zone: ZoneInfo


@dataclass(frozen=True)
class OnePatron:
    """The recipient of an event about one patron."""

    patron_id: str


@dataclass(frozen=True)
class ListedPatrons:
    """The recipients that another service lists at this moment, page by page."""

    service: str
    path: str


@dataclass(frozen=True)
class Followers:
    """The recipients who followed a branch or a type of activity when the event happened."""

    branch: str | None = None
    activity_type: str | None = None


Recipients = OnePatron | ListedPatrons | Followers

_kinds: dict[str, type["Kind"]] = {}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The facts of one notification; each subclass is a kind of notification.

    A subclass names its events, and itself for staff, in its header:
    `class DueSoon(OfLoan, events=[LoanDueSoon], name=marked("Item due soon"))`. Its fields are its
    facts, which are stored and are part of the inbox's answer. Ids stand for titles and names;
    money is in cents of HKD, in fields named `…_cents`. A fact that does not apply is None.

    A text is English, marked for translation: one of `sentences`, or of `texts` where it depends on
    the facts. Its placeholders are facts, without `_cents`, and
    what `names` returns.
    """

    events: ClassVar[tuple[type[Event], ...]] = ()
    name: ClassVar[str] = ""
    """Its name for staff."""
    urgent: ClassVar[bool] = False
    """True if it is sent by e-mail at once: in quiet hours, and to patrons who did not choose
    e-mail. They have asked for this one, or it is about the security of their account."""
    by_post: ClassVar[bool] = False
    """True if it is sent as a letter to patrons whom neither e-mail nor a device reaches."""
    code_text: ClassVar[str] = ""
    """Text around the code that the e-mail alone has, for a kind that was asked for."""
    sentences: ClassVar[Sequence[str]] = ()
    """The text, if it is always the same."""
    must_name: ClassVar[frozenset[str]] = frozenset()
    """Placeholders of facts without which a text would mislead: if they apply, a text of staff that
    does not name them gives way to the built-in one."""

    def __init_subclass__(cls, *, events: Sequence[type[Event]] = (), name: str = "") -> None:
        """Register the kind for its events. Raises TypeError if an event has two kinds."""
        super().__init_subclass__()
        cls.events, cls.name = tuple(events), name
        for event in events:
            if event.topic in _kinds:
                raise TypeError(f"{event.topic} has two notification kinds")
            _kinds[event.topic] = cls

    @classmethod
    def code(cls) -> str:
        """Return the topic of the kind's first event, which names the kind."""
        return cls.events[0].topic if cls.events else ""

    @classmethod
    async def of(cls, event: Any, run: Run) -> Self | None:
        """Return the facts of an event at this moment; None if nobody is notified of it.

        Other services are asked here, before the use case. While one is away the event waits.
        """
        return cls.from_event(event)

    @classmethod
    def from_event(cls, event: Event, **others: Any) -> Self:
        """Return the facts: `others`, and the rest as in the fields of the event by these names."""
        names = {one.name for one in fields(cls)} - others.keys()
        return cls(**{name: getattr(event, name) for name in names}, **others)

    @classmethod
    def recipients(cls, event: Any) -> Recipients:
        """Return the recipients of the event: its patron, unless the kind says otherwise.

        The key of an event about one patron is the patron's id.
        """
        return OnePatron(event.key)

    def texts(self, known: Known) -> Sequence[str]:
        """Return the sentences to say, as English texts with placeholders."""
        return self.sentences

    def names(self, known: Known, language: Language) -> Mapping[str, str]:
        """Return the placeholders for what the facts refer to by id or code."""
        return {}

    @classmethod
    def from_stored(cls, stored: Facts) -> Self:
        """Return the facts of a stored notification of this kind."""
        return from_document(cls, stored)

    async def current(self, run: Run) -> Self | None:
        """Return the facts as they are now, for a text that is sent; None if it became untrue.

        Other services may be asked, as in `of`. By default facts stay true.
        """
        return self

    async def delay(self, run: Run) -> timedelta:
        """Return the time after the event at which its one patron is told, in inbox and e-mail."""
        return timedelta(0)

    async def useful_until(self, run: Run) -> date | None:
        """Return the last day on which it is of use to be told; None if there is no such day.

        A patron who chose one e-mail a day gets it at once if that e-mail would come too late.
        """
        return None

    @property
    def is_usual(self) -> bool:
        """False for facts that a text of staff can't tell from the usual ones, such as a refund.

        They have the built-in text.
        """
        return True

    @property
    def stored(self) -> Facts:
        """The facts that apply, by name."""
        facts = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in facts.items() if value is not None}

    def text(self, known: Known, language: Language) -> str:
        """Return the text in a language."""
        values = self.values(known, language)
        return language.space.join(
            language.say(text).format(**values) for text in self.texts(known)
        )

    def values(self, known: Known, language: Language) -> dict[str, str]:
        """Return the values of the placeholders in a language; "" for a fact that is None."""
        values = {
            one.name.removesuffix("_cents"): _formatted(
                one.name, getattr(self, one.name), known.zone, language
            )
            for one in fields(self)
        }
        values.update(self.names(known, language))
        return values


def _formatted(name: str, value: object, zone: ZoneInfo, language: Language) -> str:
    if name.endswith("_cents") and isinstance(value, int):
        return dollars(value)
    if isinstance(value, datetime):
        return language.moment(value.astimezone(zone))
    if isinstance(value, date):
        return language.day(value)
    return "" if value is None else str(value)


@dataclass(frozen=True, kw_only=True)
class Unknown(Kind):
    """A notification of a kind that another release stored, with a text that fits every one."""

    sentences = (marked("There is news in your account."),)


@dataclass(frozen=True, kw_only=True)
class AtBranch(Kind):
    """The facts of every notification about something at one library."""

    branch: str

    def names(self, known: Known, language: Language) -> Mapping[str, str]:
        """Return the name of the library."""
        return {"branch": known.branches.get(self.branch, self.branch)}


def kind_of(topic: str) -> type[Kind]:
    """Return the notification kind of a topic."""
    return _kinds.get(topic, Unknown)


def notified_events() -> list[type[Event]]:
    """Return the event types that patrons are notified of."""
    return [event for kind in dict.fromkeys(_kinds.values()) for event in kind.events]


def all_kinds() -> dict[str, type[Kind]]:
    """Return all kinds by code."""
    return {kind.code(): kind for kind in _kinds.values()}
