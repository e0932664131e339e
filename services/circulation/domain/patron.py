"""A patron, as far as lending goes. Who the person is stays with accounts."""

from dataclasses import dataclass

from services.circulation.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Patron:
    """What accounts has told of a patron; `version` is that of its last event."""

    id: str
    category: str
    blocked: bool = False
    version: int = 1


def is_blocked(patron: Patron, outstanding_cents: int, policy: Policy) -> bool:
    """Whether the patron may borrow and renew nothing: blocked by accounts, or owing too much.

    What is owed is asked here too, so that a charge made a moment ago counts before accounts has
    heard of it.
    """
    return patron.blocked or policy.blocks(outstanding_cents)
