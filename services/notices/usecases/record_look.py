"""Record a look at the visits of a branch, before anything of them is shown."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.notices import store
from services.notices.domain.refusals import NoSuchBranch
from services.notices.domain.visit import Format, Look, check_span
from services.notices.domain.visit_refusals import TooManyVisits
from shared.ids import new_id
from shared.unit_of_work import Work

MOST_SHOWN = 2_000
"""Number of visits that one look may show."""


@dataclass(frozen=True)
class RecordLook:
    """A request to see who was inside a branch in a span of time."""

    by: str
    name: str
    branch: str
    start: datetime
    until: datetime
    since: datetime
    """Begin of the library day of `start`: visits without a known end are looked for from here."""
    case_number: str
    reason: str
    format: Format


def record_look(work: Work, command: RecordLook) -> Look:
    """Store the look and return it. Raises NoSuchBranch, BadSpan or TooManyVisits."""
    check_span(command.start, command.until)
    if store.branches.get(work, command.branch) is None:
        raise NoSuchBranch([command.branch])
    look = Look(
        id=new_id(),
        at=work.now,
        by=command.by,
        name=command.name,
        branch=command.branch,
        start=command.start,
        until=command.until,
        case_number=command.case_number,
        reason=command.reason,
        format=command.format,
        found=0,
    )
    found = store.visits.count_inside(work, command.since, look)
    if found > MOST_SHOWN:
        raise TooManyVisits(MOST_SHOWN)
    look = replace(look, found=found)
    store.visits.add_look(work, look)
    return look
