"""The payment provider: what circulation asks of one, and the double that stands in for it.

No real provider comes with Carrel. With CARREL_PAYMENT_PROVIDER=double payments are carried out by
the double below, which moves no money; without it there are none.
"""

import asyncio
from collections.abc import Awaitable
from typing import Literal, Protocol, TypeVar

import shared.settings
from services.circulation import store
from services.circulation.domain.refusals import NoPaymentProvider
from services.circulation.settings import Settings
from shared.mongo import Database

T = TypeVar("T")

CALL_SECONDS = 0.4
"""How long a provider may take to answer: a patron is to have an answer within two seconds."""

Standing = Literal["unknown", "authorised", "captured", "declined"]


class ProviderAway(Exception):
    """The provider did not answer. Whether it has done what it was asked is not known."""


class Provider(Protocol):
    """Moves money. Each call may be made again under its reference: it counts once.

    Raises ProviderAway where it does not answer.
    """

    async def authorise(self, reference: str, cents: int) -> bool:
        """Reserve the money; False if it was declined. A reservation lapses by itself."""

    async def capture(self, reference: str) -> bool:
        """Take the money that was reserved; False if it was declined."""

    async def refund(self, reference: str, refund_reference: str, cents: int) -> None:
        """Give back a part of what was taken under `reference`."""

    async def standing(self, reference: str) -> Standing:
        """What has become of a payment, as far as the provider knows."""


class Double:
    """The test double of a provider: it keeps books as one would, and moves no money.

    It approves everything, unless a test has left it an order for its next call: `decline`;
    `late`, to do it and answer too late; `lose`, not to do it and answer too late.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authorise(self, reference: str, cents: int) -> bool:
        """As `Provider.authorise`."""
        return await self._in_time(self._decide("authorise", reference, {"cents": cents}))

    async def capture(self, reference: str) -> bool:
        """As `Provider.capture`."""
        if not (await store.double.look_up(self._database, reference)).get("authorise"):
            return False
        return await self._in_time(self._decide("capture", reference, {}))

    async def refund(self, reference: str, refund_reference: str, cents: int) -> None:
        """As `Provider.refund`."""
        facts = {"of": reference, "cents": cents}
        await self._in_time(self._decide("refund", refund_reference, facts))

    async def standing(self, reference: str) -> Standing:
        """As `Provider.standing`."""
        return await self._in_time(self._look_up(reference))

    async def _look_up(self, reference: str) -> Standing:
        if await store.double.next_order(self._database, "standing") == "lose":
            await asyncio.sleep(2 * CALL_SECONDS)
        books = await store.double.look_up(self._database, reference)
        if books.get("authorise") is False or books.get("capture") is False:
            return "declined"
        if "capture" in books:
            return "captured"
        return "authorised" if "authorise" in books else "unknown"

    async def _decide(self, call: str, reference: str, facts: dict[str, object]) -> bool:
        order = await store.double.next_order(self._database, call)
        if order == "lose":
            await asyncio.sleep(2 * CALL_SECONDS)
        facts = {**facts, call: order != "decline"}
        books = await store.double.record(self._database, reference, facts)
        if order == "late":
            await asyncio.sleep(2 * CALL_SECONDS)
        return bool(books[call])

    async def _in_time(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                return await answer
        except TimeoutError:
            raise ProviderAway from None


def provider_of(settings: shared.settings.Settings, database: Database) -> Provider:
    """The provider that circulation's settings name. Raises NoPaymentProvider."""
    if isinstance(settings, Settings) and settings.payment_provider == "double":
        return Double(database)
    raise NoPaymentProvider
