"""The base class of the refusals of accounts. None repeats the input."""

from shared.refusals import Refusal as BaseRefusal


class Refusal(BaseRefusal):
    """A request that the rules of accounts refuse."""


refusal = Refusal.define
