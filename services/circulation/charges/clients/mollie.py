"""Payments on the hosted pages of Mollie, which takes the money as soon as a patron has paid.

Source: docs.mollie.com, the Payments API, v2.
"""

import re
from collections.abc import Mapping
from urllib.parse import parse_qs

from services.circulation.charges.clients import HostedPage, NotOurs, Standing
from services.circulation.charges.clients.hosted import CURRENCY, Client
from services.circulation.rules.payment import Payment
from services.circulation.settings import Settings
from shared.mongo import Document

ADDRESS = "https://api.mollie.com"

_STANDINGS: Mapping[str, Standing] = {
    "paid": "captured",
    "canceled": "declined",
    "expired": "declined",
    "failed": "declined",
}


def _amount(cents: int) -> Mapping[str, str]:
    whole, part = divmod(cents, 100)
    return {"currency": CURRENCY, "value": f"{whole}.{part:02}"}


class Mollie:
    """Implements `Provider`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = Client(settings, settings.payment_api or ADDRESS)

    async def authorise(self, payment: Payment) -> bool | HostedPage:
        """Open a page."""
        asked = {
            "amount": _amount(payment.cents),
            "description": "Library charges",
            "redirectUrl": self._client.return_to(payment.id),
            "webhookUrl": f"{self._settings.public_url}/v1/payments/notifications",
            "metadata": {"payment": payment.id},
        }
        reply = await self._client.call(
            "POST", "/v2/payments", key=payment.id, refused=(422,), json=asked
        )
        if not reply.done:
            return False
        return HostedPage(reply.body["id"], reply.body["_links"]["checkout"]["href"])

    async def capture(self, payment: Payment) -> bool:
        """Return whether the money was taken."""
        return await self.standing(payment) == "captured"

    async def release(self, payment: Payment) -> None:
        """Cancel a page; of some ways to pay that is not possible, and the page stays open."""
        path = f"/v2/payments/{payment.provider_id}"
        await self._client.call("DELETE", path, refused=(404, 422))

    async def refund(self, payment: Payment, reference: str, cents: int) -> None:
        """Implement `Provider.refund`."""
        path = f"/v2/payments/{payment.provider_id}/refunds"
        asked = {"amount": _amount(cents), "metadata": {"refund": reference}}
        await self._client.call("POST", path, key=reference, json=asked)

    async def standing(self, payment: Payment) -> Standing:
        """Implement `Provider.standing`."""
        if not payment.provider_id:
            return "unknown"
        return _STANDINGS.get((await self._get(payment.provider_id))["status"], "open")

    async def payment_of(self, body: bytes, _headers: Mapping[str, str]) -> str:
        """Implement `Provider.payment_of`; Mollie signs nothing, so it is asked what this is."""
        ids = parse_qs(body.decode("ascii", "replace")).get("id", [])
        if len(ids) != 1 or not re.fullmatch(r"tr_[A-Za-z0-9]{1,60}", ids[0]):
            raise NotOurs
        metadata = (await self._get(ids[0])).get("metadata")
        if not isinstance(metadata, dict) or "payment" not in metadata:
            raise NotOurs
        return str(metadata["payment"])

    async def _get(self, provider_id: str) -> Document:
        reply = await self._client.call("GET", f"/v2/payments/{provider_id}", refused=(404,))
        if not reply.done:
            raise NotOurs
        return dict(reply.body)
