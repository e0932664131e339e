"""The texts of a notice of a closure, drafted from its facts in each language.

The sentences about due dates and fines state the usual rules of lending; staff change them before
they publish the notice if a policy differs.
"""

from collections.abc import Sequence
from datetime import date

from services.notices.domain.closure import ClosureState, CoveredBranch
from services.notices.domain.notice import NoticeWording
from services.notices.kinds.language import LANGUAGES
from shared.translations import marked

MOST_NAMES = 10
"""Number of branches that a text names; of more it has the number."""
MOST_IN_TITLE = 2


def closure_notice(state: ClosureState, code: str) -> NoticeWording:
    """Return the texts of a notice of the branches for which the closure is not withdrawn.

    `code` is the code of their language.
    """
    language = LANGUAGES[code]
    covered = [one for one in state.covered if not one.withdrawn]
    say = language.say
    by_end: dict[date | None, list[CoveredBranch]] = {}
    for one in covered:
        by_end.setdefault(one.reopened_on, []).append(one)
    closed = [
        say(
            marked("Closed from {starts_on}, open again from {reopened_on}: {libraries}.")
            if end
            else marked("Closed from {starts_on} until further notice: {libraries}.")
        ).format(
            starts_on=language.day(state.closure.starts_on),
            reopened_on=language.day(end) if end else "",
            libraries=_named(those, code, MOST_NAMES),
        )
        for end, those in sorted(by_end.items(), key=lambda pair: pair[0] or date.max)
    ]
    terms = [
        say(
            marked(
                "An item that is due while its library is closed is due on the first day on which "
                "the library is open again."
            )
        ),
        say(marked("No fine is charged for days on which the library is closed.")),
        say(marked("Reserved items are kept for you until after the library reopens.")),
    ]
    if state.closure.extra_renewals:
        terms.append(
            say(marked("More renewals of each item while the closure lasts: {number}.")).format(
                number=state.closure.extra_renewals
            )
        )
    reason = say(marked("Reason: {reason}")).format(reason=state.closure.reason)
    return NoticeWording(
        title=say(marked("Closed: {libraries}")).format(
            libraries=_named(covered, code, MOST_IN_TITLE)
        ),
        content="\n\n".join(("\n".join(closed), reason, "\n".join(terms))),
    )


def _named(covered: Sequence[CoveredBranch], code: str, most: int) -> str:
    language = LANGUAGES[code]
    if len(covered) > most:
        return language.say(marked("{number} libraries")).format(number=len(covered))
    return language.listed(one.name_in(code) for one in covered)
