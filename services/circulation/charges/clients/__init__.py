"""The payment provider: the interface that circulation calls, and those who implement it.

Without a provider, charges are paid in cash at the desk of a library. With
CARREL_PAYMENT_PROVIDER=double a test double handles payments and moves no money.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from services.circulation.rules.payment import Payment

Standing = Literal["unknown", "open", "authorised", "captured", "declined"]
"""State of a payment at its provider. Open: its page waits for the patron."""


class ProviderAway(Exception):
    """The provider did not answer in time. It may or may not have carried out the call."""


class NotOurs(Exception):
    """A notification that does not come from the provider, or is about nothing of ours."""


@dataclass(frozen=True)
class HostedPage:
    """A page of the provider on which a patron pays."""

    provider_id: str
    """Id by which the provider knows the payment."""
    url: str


class Provider(Protocol):
    """The interface of a payment provider.

    Each call may be repeated for its payment and counts once. Raises ProviderAway if the provider
    does not answer.
    """

    async def authorise(self, payment: Payment) -> bool | HostedPage:
        """Reserve the money; return False if it was declined. A reservation lapses by itself.

        Returns a page instead if the patron is to pay there; `standing` then tells what happened.
        """

    async def capture(self, payment: Payment) -> bool:
        """Take the reserved money; return False if it was declined."""

    async def release(self, payment: Payment) -> None:
        """Close the page of a payment, unless the patron has paid on it."""

    async def refund(self, payment: Payment, reference: str, cents: int) -> None:
        """Give back a part of the money that was taken, once for a reference."""

    async def standing(self, payment: Payment) -> Standing:
        """Return the state of a payment as the provider knows it."""

    async def payment_of(self, body: bytes, headers: Mapping[str, str], /) -> str:
        """Return the id of the payment that a notification of the provider is about.

        The notification may be late, repeated or out of order: it says only that the standing may
        have changed. Raises NotOurs.
        """
