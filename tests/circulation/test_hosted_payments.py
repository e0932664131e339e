"""Payments on the pages of a provider: each way in which they come, come late, or do not come."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from services.circulation.app import create_app
from services.circulation.settings import Settings
from tests.circulation import cashier
from tests.circulation.desk import STAFF, Desk, branch, noon, patron, settings_for
from tests.circulation.payment_pages import (
    SECRET,
    WEBHOOK_KEYS,
    MollieStandIn,
    Notification,
    StandIn,
    StripeStandIn,
)
from tests.support import Answer, served
from tests.warm import settings_of

BOTH = pytest.mark.parametrize("kind", [StripeStandIn, MollieStandIn])
PAGE = "https://library.example"


@dataclass
class Counter:
    """A library whose patrons pay on the pages of a provider, on two replicas."""

    desk: Desk
    other: Desk
    provider: StandIn

    async def begin(self, *charges: dict[str, Any]) -> dict[str, Any]:
        """Begin a payment; return it with its page."""
        answer = await cashier.ask_to_pay(self.desk, *charges)
        assert answer.status == 202, answer.json()
        payment: dict[str, Any] = answer.json()
        assert payment["state"] == "pending"
        assert payment["page_url"].startswith("https://")
        return payment

    async def hear(self, notification: Notification, desk: Desk | None = None) -> int:
        """Let the provider send a notification; return the status of the answer."""
        body, headers = notification
        api = (desk or self.desk).api
        answer = await api.call(
            "POST",
            "/v1/payments/notifications",
            data=body,
            headers={"Content-Type": "application/json", **headers},
            at=noon(cashier.PAID_ON),
        )
        return answer.status

    async def page(self, method: str, payment: dict[str, Any], as_: str = cashier.P1) -> Answer:
        path = f"/v1/payments/{payment['id']}/page"
        return await self.desk.api.call(method, path, as_=as_, at=noon(cashier.PAID_ON))

    async def state(self, payment: dict[str, Any]) -> tuple[str, str | None]:
        """Return a payment's state and its page."""
        found = (await self.desk.api.get(f"/v1/payments/{payment['id']}", as_=cashier.P1)).json()
        return found["state"], found["page_url"]


@pytest.fixture
async def counter(mongo_url: str, database: str, kind: type[StandIn]) -> AsyncIterator[Counter]:
    provider = kind()
    async with provider.served() as address:
        settings = settings_for(mongo_url, database).model_copy(
            update={
                "payment_provider": provider.provider,
                "payment_secret": SECRET,
                "payment_webhook_keys": WEBHOOK_KEYS,
                "payment_api": address,
                "public_url": PAGE,
            }
        )
        async with served(create_app, settings) as one, served(create_app, settings) as two:
            counter = Counter(Desk(one), Desk(two), provider)
            await counter.desk.hear(branch(), branch("LFU", "small"), patron(), patron("p2"))
            yield counter


@BOTH
async def test_a_patron_pays_on_the_page_and_the_notification_settles_it(counter: Counter) -> None:
    charge = await cashier.fine(counter.desk)
    payment = await counter.begin(charge)
    assert await counter.hear(counter.provider.notification()) == 204, "it comes early"
    assert (await counter.state(payment))[0] == "pending"

    counter.provider.pay()
    both = [counter.desk, counter.other] * 3
    heard = [counter.hear(counter.provider.notification(), desk) for desk in both]
    assert await asyncio.gather(*heard) == [204] * 6
    assert await counter.state(payment) == ("paid", None)
    assert cashier.kinds(await cashier.now(counter.desk, charge)) == {
        "charge": 450,
        "payment": -450,
    }
    assert counter.provider.taken == [450]
    assert await counter.desk.count("fine.paid") == 1
    assert await cashier.owed(counter.desk) == 0


@BOTH
async def test_a_lost_notification_costs_a_minute_or_nothing_once_the_patron_is_back(
    counter: Counter,
) -> None:
    first = await counter.begin(await cashier.fine(counter.desk))
    assert await cashier.job(counter.desk) == 0, "nobody has paid yet"
    counter.provider.pay()
    assert await cashier.job(counter.desk, f"{cashier.PAID_ON}T12:04:40+08:00") == 0, (
        "it is asked each minute"
    )
    assert await cashier.job(counter.desk) == 1
    assert (await counter.state(first))[0] == "paid"
    assert await cashier.job(counter.desk) == 0


@BOTH
async def test_a_patron_who_comes_back_from_the_page_has_paid(counter: Counter) -> None:
    payment = await counter.begin(await cashier.fine(counter.desk))
    assert (await counter.page("POST", payment)).json()["state"] == "pending"
    counter.provider.pay()
    assert (await counter.page("POST", payment)).json()["state"] == "paid"
    assert (await counter.page("POST", payment)).json()["state"] == "paid"


@BOTH
async def test_paying_again_leads_to_the_same_page(counter: Counter) -> None:
    charge = await cashier.fine(counter.desk)
    counter.provider.fails = 2
    assert (await cashier.ask_to_pay(counter.desk, charge)).json()["code"] == "payment-not-received"
    counter.provider.fails = 1
    payment = await counter.begin(charge)
    again = await counter.begin(charge)
    assert (again["id"], again["page_url"]) == (payment["id"], payment["page_url"])
    assert counter.provider.only


@BOTH
async def test_a_closed_page_frees_the_charges(counter: Counter) -> None:
    charge, other = await cashier.fines(counter.desk, 450, 300)
    payment = await counter.begin(charge)
    assert (await counter.page("DELETE", payment, cashier.P2)).json()["code"] == "no-such-payment"
    assert (await counter.page("POST", payment, cashier.P2)).json()["code"] == "no-such-payment"
    assert (await counter.page("DELETE", payment)).json()["state"] == "declined"
    assert (await counter.page("DELETE", payment)).json()["state"] == "declined"

    await counter.begin(charge, other)
    assert len(counter.provider.payments) == 2
    assert counter.provider.taken == []


@BOTH
async def test_other_charges_close_the_page_that_is_open(counter: Counter) -> None:
    charge, other = await cashier.fines(counter.desk, 450, 300)
    payment = await counter.begin(charge)
    more = await counter.begin(charge, other)
    assert more["amount_cents"] == 750
    assert (await counter.state(payment))[0] == "declined"


@BOTH
async def test_a_page_that_is_paid_when_it_is_closed_is_paid(counter: Counter) -> None:
    payment = await counter.begin(await cashier.fine(counter.desk))
    counter.provider.pay()
    assert (await counter.page("DELETE", payment)).json()["state"] == "paid"
    assert counter.provider.taken == [450]


@BOTH
async def test_a_page_that_lapses_takes_nothing(counter: Counter) -> None:
    charge = await cashier.fine(counter.desk)
    payment = await counter.begin(charge)
    counter.provider.expire()
    assert await cashier.job(counter.desk) == 1
    assert await counter.state(payment) == ("declined", None)
    assert await cashier.owed(counter.desk) == 450
    assert counter.provider.taken == []


@BOTH
async def test_a_refund_is_given_once(counter: Counter) -> None:
    charge = await cashier.fine(counter.desk)
    await counter.begin(charge)
    counter.provider.pay()
    await counter.hear(counter.provider.notification())
    await cashier.lowered(counter.desk, charge, 150)
    path = f"/v1/charges/{charge['id']}/refund"
    counter.provider.fails = 1
    first = await counter.desk.api.post(path, as_=STAFF, at=noon(cashier.PAID_ON))
    again = await counter.desk.api.post(path, as_=STAFF, at=noon(cashier.PAID_ON))
    assert (first.status, again.status) == (202, 201)
    assert list(counter.provider.refunds.values()) == [300]


@pytest.mark.parametrize("kind", [StripeStandIn])
async def test_only_the_provider_is_heard(counter: Counter) -> None:
    payment = await counter.begin(await cashier.fine(counter.desk))
    counter.provider.pay()
    stripe = counter.provider
    assert isinstance(stripe, StripeStandIn)
    body, headers = stripe.notification()
    for bad in (
        stripe.notification(key="whsec_of_another"),
        stripe.notification(age=600),
        stripe.notification(age=-600),
        (body + b" ", headers),
        (body, {}),
        (body, {"Stripe-Signature": "t=now,v1="}),
        (body, {"Stripe-Signature": "v1=" + "0" * 64}),
    ):
        assert await counter.hear(bad) == 403
    assert (await counter.state(payment))[0] == "pending"
    for key in WEBHOOK_KEYS.split(","):
        assert await counter.hear(stripe.notification(key=key)) == 204
    assert (await counter.state(payment))[0] == "paid"


@pytest.mark.parametrize("kind", [MollieStandIn])
async def test_money_that_is_paid_after_the_end_is_given_back_once(counter: Counter) -> None:
    payment = await counter.begin(await cashier.fine(counter.desk))
    await counter.page("DELETE", payment)
    counter.provider.pay()  # the page was left open on a phone
    for _ in range(2):
        assert await counter.hear(counter.provider.notification()) == 204
    assert (await counter.state(payment))[0] == "declined"
    assert list(counter.provider.refunds.values()) == [450]


@pytest.mark.parametrize("kind", [MollieStandIn])
async def test_a_page_that_can_not_be_closed_stays(counter: Counter) -> None:
    payment = await counter.begin(await cashier.fine(counter.desk))
    assert isinstance(counter.provider, MollieStandIn)
    counter.provider.cancelable = False
    assert (await counter.page("DELETE", payment)).json()["code"] == "payment-under-way"
    assert (await counter.state(payment))[0] == "pending"
    for unknown in (b"id=tr_unknown", b"id=../secrets", b"", b"\xff"):
        assert await counter.hear((unknown, {})) == 403


@pytest.mark.parametrize(
    ("provider", "given", "missing"),
    [
        ("stripe", {}, "CARREL_PAYMENT_SECRET"),
        ("stripe", {"payment_secret": "s"}, "CARREL_PAYMENT_WEBHOOK_KEYS"),
        ("mollie", {"payment_secret": "s"}, "CARREL_PUBLIC_URL"),
    ],
)
def test_a_provider_without_its_settings_does_not_start(
    provider: str, given: dict[str, str], missing: str
) -> None:
    with pytest.raises(ValueError, match=missing):
        settings_of(Settings, payment_provider=provider, card_key="k" * 32, **given)
