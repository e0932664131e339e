"""The payment provider: the interface that circulation calls, and a test double.

Carrel includes no real provider. With CARREL_PAYMENT_PROVIDER=double the double below handles
payments and moves no money. Without one, charges are paid in cash at the desk of a library.
"""

import asyncio
from collections.abc import Awaitable
from typing import Literal, Protocol, TypeVar

import shared
from services.circulation.charges import store
from services.circulation.refusals import NoPaymentProvider
from services.circulation.settings import Settings
from shared.deadlines import allowed
from shared.mongo import Database

T = TypeVar("T")

CALL_SECONDS = 0.4
"""Time limit of a call to the provider, in seconds: a patron gets an answer within two seconds."""

Standing = Literal["unknown", "authorised", "captured", "declined"]


class ProviderAway(Exception):
    """The provider did not answer in time. It may or may not have carried out the call."""


class Provider(Protocol):
    """The interface of a payment provider.

    Each call may be repeated under its reference and counts once. Raises ProviderAway if the
    provider does not answer.
    """

    async def authorise(self, reference: str, cents: int) -> bool:
        """Reserve the money; return False if it was declined. A reservation lapses by itself."""

    async def capture(self, reference: str) -> bool:
        """Take the reserved money; return False if it was declined."""

    async def refund(self, reference: str, refund_reference: str, cents: int) -> None:
        """Give back a part of the money that was taken under `reference`."""

    async def standing(self, reference: str) -> Standing:
        """Return the state of a payment as the provider knows it."""


class Double:
    """A test double of a provider: it keeps records as a provider would, and moves no money.

    It approves every call, unless a test has stored an order for the next call: `decline` to
    decline it; `late` to carry it out and answer too late; `lose` to answer too late without
    carrying it out.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authorise(self, reference: str, cents: int) -> bool:
        """Implement `Provider.authorise`."""
        return await self._in_time(self._decide("authorise", reference, {"cents": cents}))

    async def capture(self, reference: str) -> bool:
        """Implement `Provider.capture`."""
        if not (await store.recorded_calls(self._database, reference)).get("authorise"):
            return False
        return await self._in_time(self._decide("capture", reference, {}))

    async def refund(self, reference: str, refund_reference: str, cents: int) -> None:
        """Implement `Provider.refund`."""
        facts = {"of": reference, "cents": cents}
        await self._in_time(self._decide("refund", refund_reference, facts))

    async def standing(self, reference: str) -> Standing:
        """Implement `Provider.standing`."""
        return await self._in_time(self._look_up(reference))

    async def _look_up(self, reference: str) -> Standing:
        if await store.next_order(self._database, "standing") == "lose":
            await asyncio.sleep(2 * allowed(CALL_SECONDS))
        books = await store.recorded_calls(self._database, reference)
        if books.get("authorise") is False or books.get("capture") is False:
            return "declined"
        if "capture" in books:
            return "captured"
        return "authorised" if "authorise" in books else "unknown"

    async def _decide(self, call: str, reference: str, facts: dict[str, object]) -> bool:
        order = await store.next_order(self._database, call)
        if order == "lose":
            await asyncio.sleep(2 * allowed(CALL_SECONDS))
        facts = {**facts, call: order != "decline"}
        books = await store.record_call(self._database, reference, facts)
        if order == "late":
            await asyncio.sleep(2 * allowed(CALL_SECONDS))
        return bool(books[call])

    async def _in_time(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(allowed(CALL_SECONDS)):
                return await answer
        except TimeoutError:
            raise ProviderAway from None


def provider_of(settings: shared.settings.Settings, database: Database) -> Provider:
    """Return the provider that circulation's settings name. Raises NoPaymentProvider."""
    if isinstance(settings, Settings) and settings.payment_provider == "double":
        return Double(database)
    raise NoPaymentProvider
