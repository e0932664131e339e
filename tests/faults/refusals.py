"""Commands of a load that were refused although every replica answered in time."""

from services.gateway.edge.liveness import REST_SECONDS
from services.gateway.edge.proxy import DEADLINE_SECONDS, PAUSES
from tests.faults.load import KINDS, Attempt, Load

LATE_SECONDS = DEADLINE_SECONDS - PAUSES[-1]


def refused(load: Load, *services: str) -> list[Attempt]:
    """Return the commands at these services that met a replica which had ended.

    One that a busy machine answers late is answered 503 at its deadline, or before a pause that
    would end after it. Soon after a late one the gateway calls no replica that let it wait.
    """
    kinds = {kind for service in services for kind in KINDS[service]}
    late = [attempt for attempt in load.attempts if attempt.seconds >= LATE_SECONDS]
    return [
        attempt
        for attempt in load.attempts
        if attempt.kind in kinds
        and attempt.status == 503
        and not any(
            attempt.began - REST_SECONDS < one.ended <= attempt.ended or one is attempt
            for one in late
        )
    ]
