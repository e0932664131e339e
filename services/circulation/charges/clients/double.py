"""A test double of a payment provider. It moves no money."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from services.circulation.charges import store
from services.circulation.charges.clients import HostedPage, NotOurs, ProviderAway, Standing
from services.circulation.rules.payment import Payment
from shared.deadlines import allowed
from shared.mongo import Database

T = TypeVar("T")

CALL_SECONDS = 0.4
"""Time limit of a call, in seconds: a patron gets an answer within two seconds."""


class Double:
    """Keeps records as a provider would.

    It approves every call, unless a test has stored an order for the next call: `decline` to
    decline it; `late` to carry it out and answer too late; `lose` to answer too late without
    carrying it out. An order for `page` names a page for the next payment, which does not exist.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def authorise(self, payment: Payment) -> bool | HostedPage:
        """Implement `Provider.authorise`."""
        facts: dict[str, object] = {"cents": payment.cents}
        if await store.next_order(self._database, "page"):
            await store.record_call(self._database, payment.id, {**facts, "page": True})
            return HostedPage(payment.id, f"https://pay.example/{payment.id}")
        return await self._in_time(self._decide("authorise", payment.id, facts))

    async def capture(self, payment: Payment) -> bool:
        """Implement `Provider.capture`."""
        if not (await store.recorded_calls(self._database, payment.id)).get("authorise"):
            return False
        return await self._in_time(self._decide("capture", payment.id, {}))

    async def release(self, payment: Payment) -> None:
        """Implement `Provider.release`."""
        await store.record_call(self._database, payment.id, {"authorise": False})

    async def refund(self, payment: Payment, reference: str, cents: int) -> None:
        """Implement `Provider.refund`."""
        facts: dict[str, object] = {"of": payment.id, "cents": cents}
        await self._in_time(self._decide("refund", reference, facts))

    async def standing(self, payment: Payment) -> Standing:
        """Implement `Provider.standing`."""
        return await self._in_time(self._look_up(payment.id))

    async def payment_of(self, _body: bytes, _headers: Mapping[str, str]) -> str:
        """Raise NotOurs: it sends no notifications."""
        raise NotOurs

    async def _look_up(self, reference: str) -> Standing:
        if await store.next_order(self._database, "standing") == "lose":
            await asyncio.sleep(2 * allowed(CALL_SECONDS))
        books = await store.recorded_calls(self._database, reference)
        if books.get("authorise") is False or books.get("capture") is False:
            return "declined"
        if "capture" in books:
            return "captured"
        if "authorise" in books:
            return "authorised"
        return "open" if "page" in books else "unknown"

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
