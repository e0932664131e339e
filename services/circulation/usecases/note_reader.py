"""Note whether a patron wants their reading history kept."""

from services.circulation import store
from services.circulation.domain.history import Reader
from shared.contracts.accounts import PreferencesChanged
from shared.unit_of_work import Work


async def note_reader(work: Work, event: PreferencesChanged) -> None:
    """Keep what they chose, unless a newer choice is known. Who wants none has none from now on."""
    reader = Reader(event.patron_id, event.keep_history, event.version)
    if await store.history.note(work, reader) and not reader.keeps_history:
        await store.history.forget(work, reader.id)
