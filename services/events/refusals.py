"""The base class of the refusals of events, and refusals of several subjects."""

from shared.refusals import Refusal as BaseRefusal


class Refusal(BaseRefusal):
    """A request that the rules of events refuse."""


refusal = Refusal.define

NoSuchBranch = refusal(404, "no-such-branch", "There is no such library.", "branches")
"""A library that events does not know, or not yet; `branches` names the codes."""
NoSuchPatron = refusal(404, "no-such-patron", "There is no such patron.")
"""The patron was erased, though their token is still valid."""
