"""Stand-ins for Stripe and Mollie, as their documentation describes them.

They keep payments in memory, repeat the first answer for a repeated Idempotency-Key, and send
nothing by themselves: a test sends the notification when it wants, late, twice or never.
"""

import hashlib
import hmac
import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

SECRET = "sk_test_of_the_library"
WEBHOOK_KEYS = "whsec_new_one,whsec_former_one"

Notification = tuple[bytes, dict[str, str]]
"""Body and headers."""


class StandIn(ABC):
    """The parts of both: payments by id, refunds, and answers by key."""

    provider = ""

    def __init__(self) -> None:
        self.payments: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, int] = {}
        """Cents by Idempotency-Key."""
        self.fails = 0
        """Number of the next calls that end with an error of the provider."""
        self._answers: dict[str, tuple[int, str | None]] = {}

    @web.middleware
    async def once(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Check the secret, and answer a repeated key as the first time."""
        if request.headers.get("Authorization") != f"Bearer {SECRET}":
            return web.json_response({"error": {"code": "api_key"}}, status=401)
        if self.fails:
            self.fails -= 1
            return web.json_response({}, status=503)
        key = request.headers.get("Idempotency-Key", "")
        if key not in self._answers:
            answer: web.Response = await handler(request)
            if not key:
                return answer
            self._answers[key] = answer.status, answer.text
        status, text = self._answers[key]
        return web.Response(status=status, text=text, content_type="application/json")

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Serve the API in the block; yield its address."""
        app = web.Application(middlewares=[self.once])
        app.add_routes(self.routes())
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the API."""

    @property
    def only(self) -> str:
        """The id of the only payment."""
        [payment_id] = self.payments
        return payment_id

    @abstractmethod
    def pay(self) -> None:
        """Pay on the page of the only payment."""

    @abstractmethod
    def expire(self) -> None:
        """Let the page of the only payment lapse."""

    @property
    @abstractmethod
    def taken(self) -> list[int]:
        """The amounts that were taken, in cents."""

    @abstractmethod
    def notification(self) -> Notification:
        """Return the notification about the only payment."""


def _reply(status: int, body: Any) -> web.Response:
    return web.json_response(body, status=status)


class StripeStandIn(StandIn):
    """Checkout Sessions with a PaymentIntent that is captured by hand."""

    provider = "stripe"

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/checkout/sessions", self._create),
            web.get("/v1/checkout/sessions/{id}", self._get),
            web.post("/v1/checkout/sessions/{id}/expire", self._expire),
            web.post("/v1/payment_intents/{id}/capture", self._capture),
            web.post("/v1/refunds", self._refund),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        form = await request.post()
        lasts = int(str(form["expires_at"])) - time.time()
        if not 1800 <= lasts <= 86400 or form["payment_intent_data[capture_method]"] != "manual":
            return _reply(400, {"error": {"code": "parameter_invalid"}})
        session_id = f"cs_test_{len(self.payments)}"
        self.payments[session_id] = {
            "id": session_id,
            "object": "checkout.session",
            "status": "open",
            "url": f"https://checkout.stripe.com/c/pay/{session_id}",
            "client_reference_id": form["client_reference_id"],
            "payment_intent": None,
            "amount_total": int(str(form["line_items[0][price_data][unit_amount]"])),
            "success_url": form["success_url"],
        }
        return _reply(200, self.payments[session_id])

    async def _get(self, request: web.Request) -> web.Response:
        assert request.query["expand[]"] == "payment_intent"
        return _reply(200, self.payments[request.match_info["id"]])

    async def _expire(self, request: web.Request) -> web.Response:
        session = self.payments[request.match_info["id"]]
        if session["status"] != "open":
            return _reply(400, {"error": {"message": "not open"}})
        session["status"] = "expired"
        return _reply(200, session)

    async def _capture(self, request: web.Request) -> web.Response:
        intent = self.payments[request.match_info["id"].removeprefix("pi_")]["payment_intent"]
        if intent["status"] != "requires_capture":
            return _reply(400, {"error": {"code": "payment_intent_unexpected_state"}})
        intent["status"] = "succeeded"
        return _reply(200, intent)

    async def _refund(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.refunds[request.headers["Idempotency-Key"]] = int(str(form["amount"]))
        return _reply(200, {"object": "refund", "status": "succeeded"})

    def pay(self) -> None:
        session = self.payments[self.only]
        assert session["status"] == "open"
        intent = {"id": f"pi_{self.only}", "status": "requires_capture"}
        session.update(status="complete", payment_status="unpaid", payment_intent=intent)

    def expire(self) -> None:
        self.payments[self.only]["status"] = "expired"

    @property
    def taken(self) -> list[int]:
        return [
            one["amount_total"]
            for one in self.payments.values()
            if (one["payment_intent"] or {}).get("status") == "succeeded"
        ]

    def notification(self, *, key: str = "whsec_former_one", age: float = 0) -> Notification:
        event = {"type": "checkout.session.completed", "data": {"object": self.payments[self.only]}}
        body, at = json.dumps(event).encode(), str(int(time.time() - age))
        made = hmac.new(key.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
        return body, {"Stripe-Signature": f"t={at},v1={'0' * 64},v1={made},v0=x"}


class MollieStandIn(StandIn):
    """Payments that are taken as soon as they are made on the page."""

    provider = "mollie"
    cancelable = True

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/payments", self._create),
            web.get("/v2/payments/{id}", self._get),
            web.delete("/v2/payments/{id}", self._cancel),
            web.post("/v2/payments/{id}/refunds", self._refund),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        payment_id = f"tr_{len(self.payments)}x"
        self.payments[payment_id] = {
            "resource": "payment",
            "id": payment_id,
            "status": "open",
            "amount": asked["amount"],
            "metadata": asked["metadata"],
            "_links": {"checkout": {"href": f"https://www.mollie.com/checkout/{payment_id}"}},
        }
        return _reply(201, self.payments[payment_id])

    async def _get(self, request: web.Request) -> web.Response:
        found: Mapping[str, Any] | None = self.payments.get(request.match_info["id"])
        return _reply(200, found) if found else _reply(404, {"status": 404})

    async def _cancel(self, request: web.Request) -> web.Response:
        payment = self.payments[request.match_info["id"]]
        if payment["status"] != "open" or not self.cancelable:
            return _reply(422, {"status": 422})
        payment["status"] = "canceled"
        return _reply(200, payment)

    async def _refund(self, request: web.Request) -> web.Response:
        amount = (await request.json())["amount"]
        self.refunds[request.headers["Idempotency-Key"]] = _cents(amount)
        return _reply(201, {"resource": "refund", "status": "pending"})

    def pay(self) -> None:
        self.payments[self.only]["status"] = "paid"

    def expire(self) -> None:
        self.payments[self.only]["status"] = "expired"

    @property
    def taken(self) -> list[int]:
        return [_cents(one["amount"]) for one in self.payments.values() if one["status"] == "paid"]

    def notification(self) -> Notification:
        form = "application/x-www-form-urlencoded"
        return urlencode({"id": self.only}).encode(), {"Content-Type": form}


def _cents(amount: Mapping[str, str]) -> int:
    assert amount["currency"] == "HKD"
    return int(amount["value"].replace(".", ""))
