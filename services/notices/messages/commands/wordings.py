"""Change the wording of a kind of notification in one language."""

from services.notices.messages import store
from services.notices.messages.rules import MessageWording, Texts, reworded, texts_of, wording_id
from shared.unit_of_work import Work


def change_wording(
    work: Work,
    *,
    kind: str,
    language: str,
    texts: Texts | None,
    again: int,
    seen: int,
    librarian: str,
) -> MessageWording | None:
    """Save the texts as the next version, and return the wording; None if it is as built in.

    Without `texts` it takes those of version `again` back; 0 is the built-in wording. Inbox and
    e-mails have the texts from now on, also for notifications of earlier events. Raises
    WordingChanged or NoSuchVersion.
    """
    wording = wording_id(kind, language)
    before = store.get(work, wording)
    texts = texts or texts_of(before, again)
    if before is None and not texts.parts and seen == 0:
        return None
    changed = reworded(
        before,
        wording,
        texts,
        seen=seen,
        librarian=librarian,
        at=work.now,
    )
    if changed is not before:
        store.save(work, changed)
    return changed
