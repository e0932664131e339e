"""Lists of titles that a patron keeps: one for later, and others by name."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from services.circulation.refusals import ListFull, ListLimit

MOST_LISTS = 20
MOST_TITLES = 100
FOR_LATER = 0
"""Number of the list that each patron has without making it; pages name it in their language."""


@dataclass(frozen=True, slots=True)
class ListedTitle:
    """A title on a list, by the name that it had then: it may leave the catalogue."""

    title_id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleList:
    """A patron's list, the title that was added last first."""

    id: str
    patron_id: str
    number: int
    """Number among the lists of the patron; that of a deleted list is given again."""
    name: str = ""
    titles: tuple[ListedTitle, ...] = ()
    link: str | None = None
    """Secret in the address under which anyone can read the list; None: nobody else can."""
    version: int = 0
    """0: it is not stored, because there was nothing to keep yet."""

    @property
    def personal_of(self) -> str:
        """Id of the patron whose list it is."""
        return self.patron_id


def list_id(patron_id: str, number: int) -> str:
    """Return the id of a patron's list."""
    return f"{patron_id}.{number}"


def empty_list(patron_id: str, number: int = FOR_LATER, name: str = "") -> TitleList:
    """Return a new list."""
    return TitleList(id=list_id(patron_id, number), patron_id=patron_id, number=number, name=name)


def free_number(taken: Collection[int]) -> int:
    """Return the number of a patron's next list. Raises ListLimit."""
    free = (one for one in range(FOR_LATER + 1, MOST_LISTS) if one not in taken)
    if (number := next(free, None)) is None:
        raise ListLimit(limit=MOST_LISTS)
    return number


def with_title(kept: TitleList, added: ListedTitle) -> TitleList:
    """Return the list with a title, unchanged if it has it. Raises ListFull."""
    if any(one.title_id == added.title_id for one in kept.titles):
        return kept
    if len(kept.titles) >= MOST_TITLES:
        raise ListFull(limit=MOST_TITLES)
    return replace(kept, titles=(added, *kept.titles))


def without_title(kept: TitleList, title_id: str) -> TitleList:
    """Return the list without a title, unchanged if it does not have it."""
    titles = tuple(one for one in kept.titles if one.title_id != title_id)
    return kept if len(titles) == len(kept.titles) else replace(kept, titles=titles)
