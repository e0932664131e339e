"""The base class of the refusals of notices, and the refusal that all subjects share."""

from shared.refusals import Refusal as BaseRefusal


class Refusal(BaseRefusal):
    """A request that the rules of notices refuse."""


refusal = Refusal.define

BadCursor = refusal(422, "bad-cursor", "The cursor does not come from this list.")
