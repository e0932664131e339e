"""Circulation's data on patrons: from events of accounts, or from its answers."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.accounts.app import create_app as create_accounts
from services.accounts.cardholders.rules import Patron as AccountsPatron
from services.accounts.patrons.commands.records import (
    AmendPatron,
    RegisterPatron,
    amend_patron,
    register_patron,
)
from services.accounts.patrons.events import patron_fields
from services.accounts.patrons.rules import erase
from services.accounts.settings import Settings as AccountsSettings
from services.circulation.app import create_app
from services.circulation.holds.consumers import keep_patron
from shared.contracts.accounts import (
    PatronBlocked,
    PatronErased,
    PatronRegistered,
    PatronSnapshot,
    PatronUnblocked,
    PatronUpdated,
)
from shared.contracts.circulation import FineAssessed, LoanCheckedOut
from shared.ids import card_digest
from shared.owners import OwnerAway, OwnerBehind
from shared.unit_of_work import Origin, Run
from tests.circulation.desk import KEY, STATION, Desk, branch, card_of, noon, settings_for
from tests.support import PUBLIC_SERVICE_KEYS, SERVICE_KEYS, Api, served

ORIGIN = Origin(datetime(2020, 12, 1, tzinfo=UTC))


def life(patron_id: str, *, erased: bool) -> list[PatronSnapshot]:
    """Return all events of one patron, in order."""
    kinds: list[tuple[type[PatronSnapshot], dict[str, Any]]] = [
        (PatronRegistered, {}),
        (PatronBlocked, {"status": "blocked"}),
        (PatronUnblocked, {}),
        (PatronUpdated, {"category": "junior", "card_digest": card_digest("C-new", KEY)}),
    ]
    if erased:
        kinds.append((PatronErased, {"status": "erased", "card_digest": ""}))
    fields = {
        "patron_id": patron_id,
        "category": "adult",
        "home_branch": "HKCL",
        "language": "en",
        "status": "active",
        "card_digest": card_digest(card_of(patron_id), KEY),
    }
    return [
        kind(**{**fields, **more}, version=version)
        for version, (kind, more) in enumerate(kinds, start=1)
    ]


async def test_patron_events_three_times_in_any_order_leave_the_newest(desk: Desk) -> None:
    state = desk.api.app.state
    for seed in range(20):
        erased = bool(seed % 2)
        events = life(f"e{seed}", erased=erased) * 3
        random.Random(seed).shuffle(events)  # noqa: S311
        for event in events:
            inbox = f"{event.patron_id}-{event.version}"
            await keep_patron(event, Run(state.unit_of_work, ORIGIN, inbox=inbox, within=30))
        assert await state.database.patrons.find_one({"_id": f"e{seed}"}) == {
            "_id": f"e{seed}",
            "category": "" if erased else "junior",
            "blocked": erased,
            "version": 5 if erased else 4,
            "card_digest": "" if erased else card_digest("C-new", KEY),
            "card_expires_on": None,
        }


# ---- asked at the desk --------------------------------------------------------------------------


@dataclass(frozen=True)
class Counter:
    """A desk with an accounts service that it can ask."""

    desk: Desk
    accounts: Api

    async def register(self, card: str) -> AccountsPatron:
        """Register a patron whose event has not arrived yet."""
        run = Run(self.accounts.app.state.unit_of_work, ORIGIN)
        return await run(
            register_patron,
            RegisterPatron(
                card_number=card,
                card_digest=card_digest(card, KEY),
                pin_hash="none",
                name="Chan Mei-ling",
                category="adult",
                home_branch="HKCL",
                language="en",
                email=None,
                phone=None,
            ),
        )

    async def amend(self, patron_id: str, card: str) -> AccountsPatron:
        """Give a patron another card."""
        run = Run(self.accounts.app.state.unit_of_work, ORIGIN)
        change = AmendPatron(patron_id, card_number=card, card_digest=card_digest(card, KEY))
        return await run(amend_patron, change)

    async def lend(self, card: str, barcode: str) -> Any:
        """Check a copy out as a station."""
        body = {"card_number": card, "barcodes": [barcode], "branch": "HKCL"}
        return await self.desk.api.post(
            "/v1/checkouts", body, as_=STATION, at=noon("2020-11-20"), key=f"{card}-{barcode}"
        )


@pytest.fixture
async def counter(mongo_url: str, database: str) -> AsyncIterator[Counter]:
    settings = AccountsSettings(
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        simulation=True,
        card_key=KEY,
        service_keys=PUBLIC_SERVICE_KEYS,
    )
    async with served(create_accounts, settings, trust_test_keys=False) as accounts:
        own = settings_for(mongo_url, database).model_copy(
            update={"urls": {"accounts": accounts.url}, "service_key": SERVICE_KEYS["circulation"]}
        )
        async with served(create_app, own) as api:
            desk = Desk(api)
            await desk.hear(branch())
            yield Counter(desk, accounts)


async def test_a_newly_registered_patron_can_borrow_at_once(counter: Counter) -> None:
    patron = await counter.register("D-1")
    first, second = await counter.desk.copies(2)
    answer = await counter.lend("D-1", first)
    assert answer.json()["results"][0]["loan"]["patron_id"] == patron.id
    # Stored from now on: the next check-out does not ask accounts.
    stored = await counter.desk.api.app.state.database.patrons.find_one({"_id": patron.id})
    assert (stored["card_digest"], stored["version"]) == (card_digest("D-1", KEY), 1)
    assert (await counter.lend("D-1", second)).json()["results"][0]["ok"]


async def test_an_unknown_card_is_refused(counter: Counter) -> None:
    [barcode] = await counter.desk.copies(1)
    answer = await counter.lend("D-none", barcode)
    assert (answer.status, answer.json()["code"]) == (404, "no-such-card")


async def test_a_reassigned_card_lends_to_its_new_holder(counter: Counter) -> None:
    desk = counter.desk
    patron = await counter.register("D-2")
    for holder in ("p1", patron.id):  # the event that p1 has another card has not arrived yet
        await desk.patron(holder, card_digest=card_digest("D-2", KEY))
    [barcode] = await desk.copies(1)
    answer = await counter.lend("D-2", barcode)
    assert answer.json()["results"][0]["loan"]["patron_id"] == patron.id


# ---- cards that no event names ----


def without_card(patron: AccountsPatron, kind: type[PatronSnapshot] = PatronRegistered) -> Any:
    """Return an event of a patron as accounts publishes it."""
    event = patron_fields(kind, patron)
    assert event.card_digest == ""
    return event


async def stored(counter: Counter, patron_id: str) -> tuple[str, int]:
    """Return the digest of the card and the version that circulation has of a patron."""
    found = await counter.desk.api.app.state.database.patrons.find_one({"_id": patron_id})
    return found["card_digest"], found["version"]


async def test_the_card_is_asked_for_when_an_event_arrives(counter: Counter) -> None:
    patron = await counter.register("D-3")
    await counter.desk.hear(without_card(patron))
    assert await stored(counter, patron.id) == (card_digest("D-3", KEY), 1)


async def test_a_card_that_was_replaced_meanwhile_is_not_stored(counter: Counter) -> None:
    patron = await counter.register("D-4")
    newer = await counter.amend(patron.id, "D-5")
    for event in (without_card(patron), without_card(newer, PatronUpdated), without_card(patron)):
        await counter.desk.hear(event)
        assert await stored(counter, patron.id) == (card_digest("D-5", KEY), 2)


async def test_an_event_waits_for_an_answer_that_is_as_new(counter: Counter) -> None:
    patron = await counter.register("D-6")
    with pytest.raises(OwnerBehind):
        await counter.desk.hear(without_card(replace(patron, version=2), PatronUpdated))
    database = counter.desk.api.app.state.database
    assert await database.patrons.find_one({"_id": patron.id}) is None


async def test_an_event_of_a_patron_who_was_erased_meanwhile_names_no_card(
    counter: Counter,
) -> None:
    patron = await counter.register("D-7")
    await counter.accounts.app.state.database.patrons.delete_one({"_id": patron.id})
    await counter.desk.hear(without_card(patron))
    assert await stored(counter, patron.id) == ("", 1)
    await counter.desk.hear(without_card(erase(patron), PatronErased))
    assert await stored(counter, patron.id) == ("", 2)


async def test_an_event_waits_while_accounts_is_away(desk: Desk) -> None:
    event = life("e-away", erased=False)[0].model_copy(update={"card_digest": ""})
    with pytest.raises(OwnerAway):
        await desk.hear(event)


# ---- events -------------------------------------------------------------------------------------


async def test_loan_events_have_no_title_and_a_fine_event_has_its_whole_statement(
    desk: Desk,
) -> None:
    loan = await desk.loan(on="2020-11-01")
    [returned] = await desk.take_back(loan["barcode"], on="2020-11-20")
    outbox = desk.api.app.state.database.outbox
    told = {row["topic"]: row async for row in outbox.find()}
    assert set(told) == {"title.catalogued", "loan.checked-out", "loan.returned", "fine.assessed"}
    lent = LoanCheckedOut.model_validate_json(told["loan.checked-out"]["body"])
    assert (lent.loan_id, lent.version, lent.key) == (loan["id"], 1, "p1")
    assert b"Factory" not in told["loan.checked-out"]["body"] + told["loan.returned"]["body"]
    fine = FineAssessed.model_validate_json(told["fine.assessed"]["body"])
    spans = [span.model_dump(mode="json", by_alias=True) for span in fine.spans]
    assert spans == returned["statement"]["spans"]
    assert fine.amount_cents == returned["charge"]["amount_cents"] == 750
    assert told["fine.assessed"]["headers"]["ce_time"] == "2020-11-20T04:00:00Z"
