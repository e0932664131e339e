"""Change the wording of a kind of notification in one language."""

from dataclasses import dataclass

from services.notices.messages import store
from services.notices.messages.rules import MessageWording, Texts, reworded, texts_of, wording_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ChangeWording:
    """Other texts, or those of an earlier version, for one kind and language."""

    kind: str
    language: str
    texts: Texts | None
    """The texts, already checked; None to take those of the version `again`."""
    again: int
    """Number of an earlier version; 0 is the built-in wording."""
    seen: int
    """Version of the wording that the librarian has read; 0 if there was none."""
    librarian: str


def change_wording(work: Work, command: ChangeWording) -> MessageWording | None:
    """Save the texts as the next version, and return the wording; None if it is as built in.

    Inbox and e-mails have the texts from now on, also for notifications of earlier events. Raises
    WordingChanged or NoSuchVersion.
    """
    wording = wording_id(command.kind, command.language)
    before = store.get(work, wording)
    texts = command.texts or texts_of(before, command.again)
    if before is None and not texts.parts and command.seen == 0:
        return None
    changed = reworded(
        before,
        wording,
        texts,
        seen=command.seen,
        librarian=command.librarian,
        at=work.now,
    )
    if changed is not before:
        store.save(work, changed)
    return changed
