"""A notice: what a branch or the whole library announces to everyone, and drafts of notices."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime


@dataclass(frozen=True)
class NoticeWording:
    """The texts of a notice in one language."""

    title: str
    content: str


@dataclass(frozen=True)
class Notice:
    """A notice as readers see it; of a withdrawn one nothing but its facts is left."""

    id: str
    version: int
    title: str
    content: str
    branches: tuple[str, ...]
    """Branch codes; empty: the whole library."""
    date: date
    published_at: datetime
    wordings: Mapping[str, NoticeWording] = field(default_factory=dict)
    """The texts in other languages, by language."""
    amended_at: datetime | None = None
    """Instant of the last amendment; None: it is as it was published."""
    withdrawn_at: datetime | None = None
    """Instant of the withdrawal; None: readers see it."""

    @property
    def changed_at(self) -> datetime:
        """Instant of the last change that readers see."""
        return self.withdrawn_at or self.amended_at or self.published_at

    def amended(
        self, title: str, content: str, wordings: Mapping[str, NoticeWording], at: datetime
    ) -> "Notice":
        """Return the notice with other texts."""
        return replace(
            self,
            version=self.version + 1,
            title=title,
            content=content,
            wordings=wordings,
            amended_at=at,
        )

    def withdrawn(self, at: datetime) -> "Notice":
        """Return the tombstone of the notice, without its texts."""
        return replace(
            self, version=self.version + 1, title="", content="", wordings={}, withdrawn_at=at
        )

    def in_language(self, code: str) -> NoticeWording:
        """Return the texts in a language, or else the first texts."""
        return self.wordings.get(code) or NoticeWording(self.title, self.content)


@dataclass(frozen=True)
class EarlierNotice:
    """The texts of a notice before an amendment, which readers can still read."""

    id: str
    """Id of the notice and the version of these texts."""
    notice_id: str
    version: int
    title: str
    content: str
    wordings: Mapping[str, NoticeWording]
    since: datetime
    """Instant from which readers saw these texts."""
    until: datetime
    """Instant of the amendment that replaced them."""

    @classmethod
    def of(cls, notice: Notice, until: datetime) -> "EarlierNotice":
        """Return the texts of a notice that is amended at an instant."""
        return cls(
            id=f"{notice.id}.{notice.version}",
            notice_id=notice.id,
            version=notice.version,
            title=notice.title,
            content=notice.content,
            wordings=notice.wordings,
            since=notice.changed_at,
            until=until,
        )


@dataclass(frozen=True)
class NoticeDraft:
    """A notice that only staff see. Publishing it deletes the draft; the notice has its id."""

    id: str
    version: int
    title: str
    content: str
    branches: tuple[str, ...]
    """Branch codes; empty: the whole library."""
    wordings: Mapping[str, NoticeWording]
    publish_at: datetime | None
    """Business time at which it is published; None: not before staff publish it."""
    closure_id: str | None
    """Closure from which it was drafted; None: none."""

    def published(self, at: datetime, day: date) -> Notice:
        """Return the notice that is published at an instant, dated on a day."""
        return Notice(
            id=self.id,
            version=1,
            title=self.title,
            content=self.content,
            branches=self.branches,
            date=day,
            published_at=at,
            wordings=self.wordings,
        )
