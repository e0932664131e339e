"""Payments on the hosted pages of Stripe: a Checkout Session for each.

The money is reserved on the page and taken by `capture`, so a payment that has ended meanwhile
takes none. Source: docs.stripe.com/api, version of VERSION.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping

from services.circulation.charges.clients import HostedPage, NotOurs, Standing
from services.circulation.charges.clients.hosted import CURRENCY, Client
from services.circulation.rules.payment import Payment
from services.circulation.settings import Settings
from shared.ids import time_of
from shared.keys import each_of
from shared.mongo import Document

ADDRESS = "https://api.stripe.com"
PAGE_SECONDS = 3600
"""Seconds for which a page can be paid on; at least half an hour, by Stripe's rules."""
TOLERANCE_SECONDS = 300
"""Greatest age of a notification, as in Stripe's own libraries: an older one may be replayed."""

_STANDINGS: Mapping[str, Standing] = {
    "requires_capture": "authorised",
    "succeeded": "captured",
    "canceled": "declined",
}


class Stripe:
    """Implements `Provider`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = Client(settings, settings.payment_api or ADDRESS)

    async def authorise(self, payment: Payment) -> bool | HostedPage:
        """Open a page. A request that is refused, for example because it comes late, declines."""
        back = self._client.return_to(payment.id)
        begun_at = time_of(payment.id)  # by the real clock, and the same when it is asked again
        if begun_at is None:
            raise ValueError(f"the id {payment.id} has no time")
        form = {
            "mode": "payment",
            "client_reference_id": payment.id,
            "success_url": back,
            "cancel_url": back,
            "expires_at": str(int(begun_at.timestamp()) + PAGE_SECONDS),
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": CURRENCY.lower(),
            "line_items[0][price_data][unit_amount]": str(payment.cents),
            "line_items[0][price_data][product_data][name]": "Library charges",
            "payment_intent_data[capture_method]": "manual",
            "payment_intent_data[metadata][payment]": payment.id,
        }
        reply = await self._client.call(
            "POST", "/v1/checkout/sessions", key=payment.id, refused=(400,), data=form
        )
        return HostedPage(reply.body["id"], reply.body["url"]) if reply.done else False

    async def capture(self, payment: Payment) -> bool:
        """Implement `Provider.capture`."""
        intent = await self._intent(payment)
        if intent.get("status") != "requires_capture":
            return intent.get("status") == "succeeded"
        path = f"/v1/payment_intents/{intent['id']}/capture"
        key = f"{payment.id}:capture"
        return (await self._client.call("POST", path, key=key, refused=(400, 402))).done

    async def release(self, payment: Payment) -> None:
        """Implement `Provider.release`."""
        path = f"/v1/checkout/sessions/{payment.provider_id}/expire"
        await self._client.call("POST", path, refused=(400,))  # 400: it is not open any more

    async def refund(self, payment: Payment, reference: str, cents: int) -> None:
        """Implement `Provider.refund`."""
        form = {
            "payment_intent": (await self._intent(payment))["id"],
            "amount": str(cents),
            "metadata[refund]": reference,
        }
        await self._client.call("POST", "/v1/refunds", key=reference, data=form)

    async def standing(self, payment: Payment) -> Standing:
        """Implement `Provider.standing`."""
        if not payment.provider_id:
            return "unknown"
        session = await self._session(payment)
        if session["status"] == "expired":
            return "declined"
        intent = session.get("payment_intent") or {}
        return _STANDINGS.get(intent.get("status", ""), "open")

    async def payment_of(self, body: bytes, headers: Mapping[str, str]) -> str:
        """Implement `Provider.payment_of`; the signature is that of the raw body and its time."""
        parts = [part.partition("=") for part in headers.get("stripe-signature", "").split(",")]
        sent_at = next((value for name, _, value in parts if name == "t"), "")
        if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > TOLERANCE_SECONDS:
            raise NotOurs
        signed = f"{sent_at}.".encode() + body
        made = {
            hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()
            for key in each_of(self._settings.payment_webhook_keys)
        }
        given = [value for name, _, value in parts if name == "v1"]
        if not any(hmac.compare_digest(one, other) for one in given for other in made):
            raise NotOurs
        try:
            payment_id = json.loads(body)["data"]["object"]["client_reference_id"]
        except (ValueError, KeyError, TypeError):
            raise NotOurs from None
        return str(payment_id)

    async def _session(self, payment: Payment) -> Document:
        path = f"/v1/checkout/sessions/{payment.provider_id}?expand[]=payment_intent"
        return dict((await self._client.call("GET", path)).body)

    async def _intent(self, payment: Payment) -> Document:
        return (await self._session(payment)).get("payment_intent") or {}
