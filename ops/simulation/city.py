"""The city: its branches, stock and patrons, computed from the seed instead of being stored."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from services.circulation.rules.copy import Copy
from services.circulation.rules.patron import Patron
from services.circulation.rules.title import Title

FIRST_DAY = date(2024, 1, 2)
OPENS, CLOSES = time(10), time(19)
PATRONS_OF_A_BRANCH = 4_000
MOST_BRANCHES = 80
KINDS = ("central", "major", "district", "small", "district", "small", "mobile", "small", "station")
"""Kinds of the branches: the first is central, the others repeat from the second on."""
SHELVES = {"central": 8, "major": 5, "district": 3, "small": 2, "mobile": 1, "station": 1}
"""Shares of each kind of branch in the stock and in the visits."""
TITLES_OF_A_PATRON = 0.4
FEWEST_TITLES = 40
FEWEST_COPIES = 2
"""Copies of a title that is seldom asked for; the first ones have more."""
LANGUAGES = ("zh-Hant",) * 17 + ("en",) * 2 + ("zh-Hans",)
_MOST_VISITS = 60.0
"""Visits of the most frequent visitor, as a multiple of those of the rarest."""

_PLACES = (
    "Harbour",
    "Hill",
    "Ferry",
    "Garden",
    "Market",
    "Temple",
    "Valley",
    "Bay",
    "Bridge",
    "Wharf",
)
_SIDES = ("Central", "East", "West", "North", "South", "Upper", "Lower", "Old")
_ADJECTIVES = (
    "Quiet", "Last", "Hidden", "Long", "Silver", "Lost", "Open", "Second", "Slow", "Distant",
    "Green", "Broken", "Small", "Early", "Northern", "Winter", "Paper", "Bright", "Empty", "Common",
)  # fmt: skip
_NOUNS = (
    "Garden", "River", "Street", "Letter", "Island", "House", "Teacher", "Kitchen", "Summer", "Map",
    "Journey", "Window", "Harbour", "Orchard", "Station", "Promise", "Age", "Coast", "Lamp", "Tide",
)  # fmt: skip
_FAMILIES = ("Chan", "Wong", "Lee", "Ho", "Fraser", "Okafor", "Silva", "Tanaka", "Novak", "Haddad")


@dataclass(frozen=True)
class Plan:
    """The size of a simulation; equal plans give equal acts."""

    patrons: int
    days: int
    seed: int
    zone: ZoneInfo

    def at(self, day: date, seconds: int) -> datetime:
        """Return the instant some seconds after midnight of a day."""
        return datetime.combine(day, time(), self.zone) + timedelta(seconds=seconds)

    def chance(self, subject: str) -> Random:
        """Return the random numbers of one subject, always the same ones."""
        return Random(f"{self.seed}/{subject}")  # noqa: S311 - no secrets

    def number(self, *name: object) -> int:
        """Return a number of 80 bits that stands for a name in this simulation."""
        text = "/".join(map(str, (self.seed, *name)))
        return int.from_bytes(blake2b(text.encode(), digest_size=10).digest())

    def identifier(self, at: datetime, *name: object) -> str:
        """Return the id of something made at an instant: a UUID of version 7, as services make."""
        number = self.number(*name) & ~(0xF << 76) & ~(0x3 << 62)
        milliseconds = int(at.timestamp() * 1000)
        return str(UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62 | number))


@dataclass(frozen=True)
class Place:
    """A branch."""

    code: str
    name: str
    kind: str
    closed: frozenset[int]
    """ISO weekdays on which it is closed."""


class City:
    """Branches, titles, copies and patrons by number. Nothing in it changes.

    Only the sizes that are drawn at random are kept, in arrays: a million patrons take 9 MB.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.founded = plan.at(FIRST_DAY - timedelta(days=1), 6 * 3600)
        self.places = tuple(_places(plan.patrons))
        self.by_code = {place.code: place for place in self.places}
        self._shelves = [place.code for place in self.places for _ in range(SHELVES[place.kind])]
        self._shelves_of = {
            place.code: [at for at, code in enumerate(self._shelves) if code == place.code]
            for place in self.places
        }
        chance = plan.chance("city")
        self.titles = max(FEWEST_TITLES, int(plan.patrons * TITLES_OF_A_PATRON))
        most = min(400, 3 * len(self.places) + plan.patrons // 4000)
        sizes = (FEWEST_COPIES + int(most / rank**0.5) for rank in range(1, self.titles + 1))
        self._first_copies = array("L", accumulate(sizes, initial=0))
        visits = (min(chance.paretovariate(1.2), _MOST_VISITS) for _ in range(plan.patrons))
        self._visits = array("d", accumulate(visits))
        self.title = lru_cache(50_000)(self._title)

    @property
    def copies(self) -> int:
        """Number of all copies."""
        return self._first_copies[-1]

    def branch_at_random(self, chance: Random) -> str:
        """Return a branch; larger ones are more likely."""
        return chance.choice(self._shelves)

    def visitor_at_random(self, chance: Random) -> int:
        """Return the number of a patron; some come much more often than others."""
        return bisect_left(self._visits, chance.random() * self._visits[-1])

    def wanted_at_random(self, chance: Random) -> int:
        """Return the number of a title that somebody asks for: the first ones by far most often."""
        return int(self.titles ** chance.random()) - 1

    def copy_at_random(self, chance: Random, branch: str) -> int:
        """Return the number of a copy that a branch owns."""
        shelf = chance.choice(self._shelves_of[branch])
        rows = (self.copies - shelf - 1) // len(self._shelves) + 1
        return chance.randrange(rows) * len(self._shelves) + shelf

    def title_of(self, copy: int) -> int:
        """Return the number of a copy's title."""
        return bisect_right(self._first_copies, copy) - 1

    def copies_of(self, title: int) -> range:
        """Return the numbers of a title's copies."""
        return range(self._first_copies[title], self._first_copies[title + 1])

    def _title(self, number: int) -> Title:
        drawn = self.plan.number("title", number)
        first, second, third = drawn % 20, drawn // 20 % 20, drawn // 400 % 20
        names = (
            f"The {_ADJECTIVES[first]} {_NOUNS[second]}",
            f"{_ADJECTIVES[first]} {_NOUNS[second]}, {_ADJECTIVES[third]} {_NOUNS[third]}",
            f"A {_NOUNS[first]} by the {_NOUNS[second]}",
            f"{_NOUNS[first]} of the {_ADJECTIVES[third]} {_NOUNS[second]}",
        )
        return Title(
            id=self.plan.identifier(self.founded, "title", number),
            title=names[drawn // 8000 % len(names)],
            authors=(f"{chr(65 + drawn // 40_000 % 26)}. {_FAMILIES[drawn // 2_000_000 % 10]}",),
        )

    def category_of(self, title: int) -> str:
        """Return the category of a title's copies."""
        drawn = self.plan.number("category", title) % 100
        return "adult" if drawn < 60 else "children" if drawn < 85 else "young-adult"

    def copy(self, number: int) -> Copy:
        """Return a copy as it lies in its own branch, before anybody borrowed it."""
        title = self.title_of(number)
        return Copy(
            id=self.plan.identifier(self.founded, "copy", number),
            title_id=self.title(title).id,
            barcode=f"B{number:09}",
            category=self.category_of(title),
            branch_code=self._shelves[number % len(self._shelves)],
            price_cents=6_000 + self.plan.number("price", title) % 20_000 // 100 * 100,
        )

    def patron_id(self, number: int) -> str:
        """Return a patron's id."""
        return self.plan.identifier(self.registered_at(number), "patron", number)

    def patron(self, number: int) -> Patron:
        """Return a patron as circulation knows them."""
        junior = self.plan.number("category of", number) % 5 == 0
        return Patron(id=self.patron_id(number), category="junior" if junior else "adult")

    def home_of(self, number: int) -> str:
        """Return the code of a patron's branch."""
        return self._shelves[self.plan.number("home", number) % len(self._shelves)]

    def language_of(self, number: int) -> str:
        """Return a patron's language."""
        return LANGUAGES[self.plan.number("language", number) % len(LANGUAGES)]

    def registered_at(self, number: int) -> datetime:
        """Return the instant of a patron's registration, on the day before the first one."""
        return self.founded + timedelta(hours=2 + 10 * number / self.plan.patrons)


def barcode_number(barcode: str) -> int:
    """Return the number of the copy with a barcode."""
    return int(barcode[1:])


def card_of(patron: int) -> str:
    """Return a patron's card number."""
    return f"P{patron:09}"


def _places(patrons: int) -> Iterator[Place]:
    count = max(2, min(MOST_BRANCHES, patrons // PATRONS_OF_A_BRANCH + 2))
    for number in range(count):
        kind = KINDS[(number - 1) % (len(KINDS) - 1) + 1] if number else KINDS[0]
        name = f"{_PLACES[number % 10]} {_SIDES[number // 10 % 8]} Library"
        closed = frozenset({number % 5 + 1}) if kind in ("small", "mobile") else frozenset()
        yield Place(f"L{number:02}", name, kind, closed)
