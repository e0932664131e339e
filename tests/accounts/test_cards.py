"""Cards that expire: their terms, renewal by the patron and at the desk, and the warning before."""

import asyncio
from datetime import date
from typing import Any

import pytest

from services.accounts.cardholders.rules import Patron
from services.accounts.patrons.refusals import CardNotDue, CardRenewedAlready
from services.accounts.patrons.rules import (
    CardTerms,
    check_own_renewal,
    months_after,
    renew_card,
    warned_of_expiry,
)
from services.accounts.refusals import Refusal
from tests.accounts.people import MEI, STAFF, events, registered
from tests.support import Api, token

YEAR = CardTerms("adult", valid_months=12, renewable_online=True, warn_days=30)
UNCHANGED = {"address_unchanged": True}


def at(day: str) -> str:
    """Return noon of a day in the library's time zone, as business time."""
    return f"{day}T12:00:00+08:00"


def patron(expires_on: date | None, **more: Any) -> Patron:
    return Patron("p1", "adult", "KPL", "en", "digest", card_expires_on=expires_on, **more)


async def set_terms(api: Api, category: str = "adult", **more: Any) -> None:
    answer = await api.put(f"/v1/card-terms/{category}", {"valid_months": 12, **more}, as_=STAFF)
    assert answer.status == 200, answer.body


async def holder(api: Api, **more: Any) -> tuple[str, str]:
    """Register a patron whose card is valid until the end of June 2021; return id and token."""
    mei = await registered(api, **{"card_expires_on": "2021-06-30", **more})
    return mei["id"], token(mei["id"])


async def published(api: Api, topic: str) -> list[tuple[int, str | None]]:
    """Return version and expiry of a topic's events."""
    found = [event for one, event in await events(api) if one == topic]
    return [(event["version"], event["card_expires_on"]) for event in found]


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2021, 1, 15), 1, date(2021, 2, 15)),
        (date(2021, 1, 31), 1, date(2021, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2021, 12, 31), 24, date(2023, 12, 31)),
        (date(2021, 11, 30), 3, date(2022, 2, 28)),
    ],
)
def test_months_are_counted_to_the_same_day_or_the_last_one(
    day: date, months: int, then: date
) -> None:
    assert months_after(day, months) == then


@pytest.mark.parametrize(
    ("expires_on", "on", "renewed"),
    [
        (date(2021, 6, 30), date(2021, 6, 1), date(2022, 6, 30)),
        (date(2021, 6, 30), date(2021, 6, 30), date(2022, 6, 30)),
        (date(2021, 6, 30), date(2021, 7, 1), date(2022, 7, 1)),
        (date(2019, 1, 1), date(2021, 7, 1), date(2022, 7, 1)),
    ],
)
def test_the_new_period_counts_from_the_later_of_today_and_the_former_expiry(
    expires_on: date, on: date, renewed: date
) -> None:
    check_own_renewal(patron(expires_on), YEAR, on, address_unchanged=True)
    after = renew_card(patron(expires_on), YEAR, on)
    assert (after.card_expires_on, after.version) == (renewed, 2)
    with pytest.raises(CardRenewedAlready):
        renew_card(after, YEAR, on)


@pytest.mark.parametrize(
    ("terms", "unchanged", "on", "code"),
    [
        (YEAR, True, date(2021, 5, 30), "card-not-due"),
        (YEAR, False, date(2021, 6, 1), "address-changed"),
        (CardTerms("adult", 12, False, 30), True, date(2021, 6, 1), "renew-at-library"),
        (None, True, date(2021, 6, 1), "no-card-terms"),
    ],
)
def test_a_refused_renewal_names_the_way_out(
    terms: CardTerms | None, unchanged: bool, on: date, code: str
) -> None:
    holder = patron(date(2021, 6, 30))

    def renew() -> None:
        check_own_renewal(holder, terms, on, address_unchanged=unchanged)
        renew_card(holder, terms, on)

    with pytest.raises(Refusal) as refused:
        renew()
    assert refused.value.code == code
    if code == "card-not-due":
        assert isinstance(refused.value, CardNotDue)
        assert refused.value.reason.endswith("You can renew it from 2021-05-31.")


def test_a_warning_is_due_on_the_days_before_the_expiry_once() -> None:
    holder = patron(date(2021, 6, 30))
    assert warned_of_expiry(holder, YEAR, date(2021, 5, 30)) is holder
    assert warned_of_expiry(holder, YEAR, date(2021, 7, 1)) is holder
    warned = warned_of_expiry(holder, YEAR, date(2021, 5, 31))
    assert (warned.card_warned_for, warned.version) == (date(2021, 6, 30), 2)
    assert warned_of_expiry(warned, YEAR, date(2021, 6, 1)) is warned


async def test_a_card_is_valid_as_long_as_the_terms_of_its_category_say(api: Api) -> None:
    before = await registered(api)
    await set_terms(api, valid_months=36)
    terms = {"category": "adult", "valid_months": 36, "renewable_online": True, "warn_days": 30}
    listed = await api.get("/v1/card-terms", as_=STAFF)
    assert listed.json() == {"items": [terms]}
    body = {**MEI, "card_number": "HK-2"}
    answer = await api.post("/v1/patrons", body, as_=STAFF, at=at("2021-03-01"))
    junior = await registered(api, card_number="HK-3", category="junior")
    expiries = [one["card_expires_on"] for one in (before, answer.json(), junior)]
    assert expiries == [None, "2024-03-01", None]
    assert [expiry for _, expiry in await published(api, "patron.registered")] == expiries

    assert (await api.delete("/v1/card-terms/adult", as_=STAFF)).status == 204
    gone = await api.delete("/v1/card-terms/adult", as_=STAFF)
    assert (gone.status, gone.json()["code"]) == (409, "no-card-terms")


async def test_staff_set_and_remove_an_expiry(api: Api) -> None:
    patron_id, _ = await holder(api)
    path = f"/v1/patrons/{patron_id}"
    for changes, expiry in (
        ({"name": "Chan May"}, "2021-06-30"),
        ({"card_expires_on": "2021-08-01"}, "2021-08-01"),
        ({"card_expires_on": None}, None),
    ):
        answer = await api.patch(path, changes, as_=STAFF)
        assert answer.json()["card_expires_on"] == expiry
    assert await published(api, "patron.updated") == [(2, "2021-08-01"), (3, None)]


async def test_a_patron_renews_the_card_in_its_last_days_and_after_them(api: Api) -> None:
    await set_terms(api)
    patron_id, mei = await holder(api)
    shown = (await api.get("/v1/me/card", as_=mei, at=at("2021-07-01"))).json()
    assert (
        shown.pop("card_number")
        == (await api.get(f"/v1/patrons/{patron_id}", as_=STAFF)).json()["card_number"]
    )
    assert shown == {
        "card_expires_on": "2021-06-30",
        "expired": True,
        "renewable_online": True,
        "renewable_from": "2021-05-31",
    }
    early = await api.post("/v1/me/card/renewal", UNCHANGED, as_=mei, at=at("2021-05-30"))
    assert (early.status, early.json()["code"]) == (409, "card-not-due")
    renewed = await api.post("/v1/me/card/renewal", UNCHANGED, as_=mei, at=at("2021-07-01"))
    assert renewed.json()["card_expires_on"] == "2022-07-01"
    assert await published(api, "patron.card-renewed") == [(2, "2022-07-01")]
    trail = [one async for one in api.app.state.database.audit_trail.find({"by": patron_id})]
    assert [one["act"] for one in trail] == ["POST /v1/me/card/renewal"]


async def test_a_patron_who_moved_is_sent_to_the_desk_which_renews_at_any_time(api: Api) -> None:
    await set_terms(api)
    patron_id, mei = await holder(api)
    moved = {"address_unchanged": False}
    refused = await api.post("/v1/me/card/renewal", moved, as_=mei, at=at("2021-06-30"))
    assert (refused.status, refused.json()["code"]) == (409, "address-changed")
    path = f"/v1/patrons/{patron_id}/card/renewal"
    assert (await api.post(path, as_=mei)).status == 403
    renewed = await api.post(path, as_=STAFF, at=at("2021-03-01"))
    assert renewed.json()["card_expires_on"] == "2022-06-30"
    again = await api.post(path, as_=STAFF, at=at("2021-03-01"))
    assert (again.status, again.json()["code"]) == (409, "card-renewed-already")


@pytest.mark.parametrize("key", [None, "the same form"])
async def test_renewals_at_once_renew_a_card_once(api: Api, key: str | None) -> None:
    await set_terms(api)
    _, mei = await holder(api)
    answers = await asyncio.gather(
        *(
            api.post(
                "/v1/me/card/renewal",
                UNCHANGED,
                as_=mei,
                at=at("2021-06-20"),
                headers={"Idempotency-Key": key} if key else None,
            )
            for _ in range(8)
        )
    )
    done = [one.json()["card_expires_on"] for one in answers if one.status == 200]
    assert done == ["2022-06-30"] * (8 if key else 1)
    assert await published(api, "patron.card-renewed") == [(2, "2022-06-30")]


async def test_the_job_at_several_replicas_warns_once_of_each_expiry(api: Api) -> None:
    await set_terms(api)
    await holder(api)
    await holder(api, card_number="HK-2", card_expires_on="2021-09-30")
    await holder(api, card_number="HK-3", category="institution")
    for day, warned in (("2021-05-30", 0), ("2021-05-31", 1), ("2021-06-30", 0), ("2021-09-01", 1)):
        jobs = (api.job("accounts/cards", at=at(day)) for _ in range(4))
        assert sum(await asyncio.gather(*jobs)) == warned
    expiring = await published(api, "patron.card-expiring")
    assert expiring == [(2, "2021-06-30"), (2, "2021-09-30")]


async def test_an_erased_patron_has_no_expiry(api: Api, lending: Any) -> None:
    patron_id, _ = await holder(api)
    assert (await api.delete(f"/v1/patrons/{patron_id}", as_=STAFF)).status == 200
    assert await published(api, "patron.erased") == [(2, None)]


async def test_cards_that_expire_are_listed_by_home_library_in_their_order(api: Api) -> None:
    days = ("2021-06-30", "2021-06-02", "2021-06-02", "2021-07-31", "2021-05-31")
    ids = [
        (await registered(api, card_number=f"X-{place}", card_expires_on=day))["id"]
        for place, day in enumerate(days)
    ]
    home = (await api.get(f"/v1/patrons/{ids[0]}", as_=STAFF)).json()["home_branch"]
    listed: list[str] = []
    after = ""
    while True:
        path = f"/v1/expiring-cards?branch={home}&limit=1{after}"
        page = (await api.get(path, as_=STAFF, at=at("2021-06-01"))).json()
        listed += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next'].replace(' ', '%20')}"
    assert listed == [*sorted(ids[1:3]), ids[0]]
    count = f"/v1/expiring-cards/count?branch={home}"
    assert (await api.get(count, as_=STAFF, at=at("2021-06-01"))).json()["count"] == 3
    expired = f"{count}&first=2021-05-01&last=2021-05-31"
    assert (await api.get(expired, as_=STAFF, at=at("2021-06-01"))).json()["count"] == 1
    elsewhere = await api.get("/v1/expiring-cards?branch=OTHER", as_=STAFF)
    assert elsewhere.json()["items"] == []
    assert (await api.get(count, as_=token("p1"))).status == 403
