"""Record the title of a book or of an activity, so that notifications can name it."""

from services.notices import store
from services.notices.store.titles import Activity, Title
from shared.contracts.circulation import TitleCatalogued
from shared.contracts.events import ActivitySnapshot
from shared.unit_of_work import Work


def note_title(work: Work, event: TitleCatalogued) -> None:
    """Store a book's title."""
    store.titles.save_title(work, Title(event.title_id, event.version, event.title))


def note_activity(work: Work, event: ActivitySnapshot) -> None:
    """Store an activity's title and its start."""
    activity = Activity(event.activity_id, event.version, event.title, event.starts_at)
    store.titles.save_activity(work, activity)
