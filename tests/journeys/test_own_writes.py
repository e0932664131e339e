"""After any command, every gateway replica shows its effect at once, even without events.

The two gateways have no consumer: they show only changes that came with the commands' answers.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import date, timedelta
from typing import Any

import aiohttp
import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError

from ops.infrastructure.processes import System
from services.gateway.consumers import subscriptions
from services.gateway.edge.proxy import owner_of
from services.gateway.views.rebuild import rebuild
from services.settings import Settings
from shared.http.dependencies import KEYED
from shared.owners import Owners
from tests.conftest import BROKER
from tests.library import PIN, ROLES, Library, unique
from tests.support import Client, patient_client, until
from tests.systems import started_system

pytestmark = pytest.mark.embedded  # no event is processed: the gateways have what was answered

DAY = timedelta(days=1)
NO_SIGN = {
    "DELETE /v1/card-terms/{category}": "is about cards, not accounts",
    "PATCH /v1/copies/{barcode}": "is about the catalogue",
    "POST /v1/titles/{title_id}/numbered-copies": "is about the catalogue",
    "POST /v1/title-imports": "is about the catalogue",
    "POST /v1/title-imports/{import_id}/run": "is about the catalogue",
    "POST /v1/card-applications": "is about cards, not accounts",
    "POST /v1/letter-runs": "is about letters",
    "POST /v1/letter-runs/{run_id}/posting": "is about letters",
    "POST /v1/letter-runs/{run_id}/prints": "is about letters",
    "POST /v1/payments/notifications": "is of the provider: tests/circulation",
    "POST /v1/payments/{payment_id}/page": "pays as POST /v1/payments: tests/circulation",
    "DELETE /v1/payments/{payment_id}/page": "changes nothing, if nothing was paid",
    "POST /v1/tills": "is about cash, not accounts",
    "POST /v1/tills/{till_id}/closing": "is about cash, not accounts",
    "POST /v1/patrons/{patron_id}/notes": "is shown to staff only",
    "DELETE /v1/patrons/{patron_id}/notes/{note_id}": "is shown to staff only",
    "POST /v1/me/card/renewal": "is of the card: tests/accounts",
    "POST /v1/patron-searches": "asks, and changes nothing",
    "POST /v1/account-names": "asks, and changes nothing",
    "POST /v1/patron-checks": "asks, and changes nothing",
    "POST /v1/overdue-deliveries": "asks, and changes nothing",
    "POST /v1/dispatches": "is about the way of copies between libraries",
    "POST /v1/patrons/{patron_id}/card/renewal": "is of the card: tests/accounts",
    "POST /v1/patrons/{patron_id}/verification": "is of the card: tests/accounts",
    "PUT /v1/card-applications/{application_id}": "is about cards, not accounts",
    "PUT /v1/card-terms/{category}": "is about cards, not accounts",
    "PUT /v1/titles/{title_id}/work": "is about the catalogue",
    "POST /v1/sessions": "opens a session",
    "POST /v1/sessions/renewal": "renews a session",
    "DELETE /v1/sessions": "ends sessions, see below",
    "DELETE /v1/sessions/current": "ends a session, see below",
    "POST /v1/unsubscriptions": "is sent by a mail program, which shows no account",
    "POST /v1/ops/keys/rotate": "is about keys",
    "POST /v1/ops/keys/revoke": "is about keys",
    "POST /v1/staff": "is about staff",
    "POST /v1/staff-removals": "is about staff",
    "POST /v1/staff-requests": "is about staff",
    "POST /v1/staff-requests/{request_id}/approval": "is about staff",
    "DELETE /v1/staff-requests/{request_id}": "is about staff",
    "POST /v1/staff/{staff_id}/disable": "is about staff",
    "POST /v1/staff/{staff_id}/enable": "is about staff",
    "PUT /v1/staff/{staff_id}/role": "is about staff",
    "PUT /v1/staff/{staff_id}/pin": "is about staff",
    "DELETE /v1/staff/{staff_id}/second-factor": "is about staff",
    "PUT /v1/staff/{staff_id}/provider-login": "is about staff",
    "DELETE /v1/staff/{staff_id}/provider-login": "is about staff",
    "POST /v1/second-factors": "is about staff",
    "PUT /v1/self-checkouts/{branch}": "is about a library",
    "POST /v1/self-checkouts/{branch}/secret": "is about a library",
    "POST /v1/second-factors/confirmation": "is about staff",
    "POST /v1/second-factors/removal": "is about staff",
    "POST /v1/authorization-checks": "asks, and changes nothing",
    "POST /v1/log-out-checks": "asks, and changes nothing",
    "POST /v1/me/authorizations": "is shown in My Setting only",
    "DELETE /v1/me/authorizations/{client_id}": "is shown in My Setting only",
    "POST /v1/me/lists": "is shown among the lists only",
    "PUT /v1/me/lists/{number}/name": "is shown among the lists only",
    "DELETE /v1/me/lists/{number}": "is shown among the lists only",
    "PUT /v1/me/lists/{number}/titles/{title_id}": "is shown among the lists only",
    "DELETE /v1/me/lists/{number}/titles/{title_id}": "is shown among the lists only",
    "POST /v1/me/lists/{number}/link": "is shown among the lists only",
    "DELETE /v1/me/lists/{number}/link": "is shown among the lists only",
    "POST /v1/me/calendar": "is shown in My Setting only",
    "DELETE /v1/me/calendar": "is shown in My Setting only",
    "POST /v1/me/family-invitations": "is shown to both, by accounts, once it is delivered",
    "DELETE /v1/me/family-invitations/{invitation_id}": "is shown by accounts",
    "PUT /v1/me/pin": "is kept by nobody but accounts",
    "POST /v1/me/passkeys/challenge": "stores nothing",
    "POST /v1/me/passkeys": "is kept by nobody but accounts",
    "POST /v1/me/passkeys/{passkey_id}/removal": "is kept by nobody but accounts",
    "POST /v1/sessions/passkey-challenge": "stores nothing",
    "POST /v1/sessions/passkey": "logs in",
    "POST /v1/sessions/provider-request": "stores nothing",
    "POST /v1/sessions/provider": "logs in",
    "PUT /v1/me/contact/confirmation": "is kept by nobody but accounts",
    "POST /v1/loans/receipts/{patron_id}": "sends an e-mail",
    "POST /v1/payments/{payment_id}/receipt": "sends an e-mail",
    "POST /v1/pin-resets": "is answered without a word about the card",
    "PUT /v1/pin-resets/{reset_id}": "is kept by nobody but accounts",
    "PUT /v1/policies/{policy_id}": "is for loans to come",
    "POST /v1/policies/{policy_id}/effect": "is a preview",
    "DELETE /v1/policies/{policy_id}": "is for loans to come",
    "POST /v1/titles/{title_id}/copies": "is about copies that nobody has",
    "POST /v1/offline-conflicts/{conflict_id}/resolution": "is a note of the staff",
    "PUT /v1/branches/{code}/place": "is shown with the branch",
    "POST /v1/branches": "is shown where a notice names it",
    "PATCH /v1/branches/{code}": "moves no date at once",
    "PUT /v1/branches/{code}/names": "is shown with the branch",
    "PUT /v1/branches/{code}/services/{service}": "moves no date",
    "DELETE /v1/branches/{code}/services/{service}": "moves no date",
    "PUT /v1/branches/{code}/services/{service}/periods/{starts_on}": "moves no date",
    "DELETE /v1/branches/{code}/services/{service}/periods/{starts_on}": "moves no date",
    "PUT /v1/study-rooms/{branch}": "is about a room that nobody has booked",
    "POST /v1/enquiries/{enquiry_id}/notes": "is shown to staff only",
    "POST /v1/guest-enquiries": "is of a guest, who has no account",
    "POST /v1/guest-enquiries/confirmation": "is of a guest, who has no account",
    "POST /v1/guest-enquiries/replies": "is of a guest, who has no account",
    "POST /v1/guest-enquiries/closure": "is of a guest, who has no account",
    "POST /v1/guest-enquiries/erasure": "is of a guest, who has no account",
    "POST /v1/attachments": "is shown once it is sent with a message",
    "POST /v1/study-seasons": "is a season that nobody has applied for",
    "POST /v1/study-seasons/{season_id}/closing": "publishes the list, without any result",
    "POST /v1/study-seasons/{season_id}/check-ins": "is seen at the door",
    "POST /v1/activities/{activity_id}/attendance": "is seen at the door",
    "DELETE /v1/activities/{activity_id}/attendance/{patron_id}": "is seen at the door",
    "POST /v1/questions": "is about the question bank",
    "PUT /v1/questions/{question_id}": "is about the question bank",
    "DELETE /v1/questions/{question_id}": "is about the question bank",
    "POST /v1/questions/{question_id}/votes": "is about the question bank",
    "POST /v1/branches/{code}/counts": "is about visitors",
    "POST /v1/branches/{code}/venue": "is about visitors",
    "POST /v1/branches/{code}/visits": "is about visitors",
    "POST /v1/visits": "is about visitors",
    "POST /v1/me/visits": "is about visitors",
    "POST /v1/visits/leavings": "is about visitors",
    "POST /v1/tickets": "is about visitors",
    "POST /v1/tracings": "is about visitors",
    "PUT /v1/branches/{code}/ready-delay": "is for items that become ready later",
    "PUT /v1/wordings/{kind}/{language}": "is about texts, which no view has",
    "POST /v1/wordings/{kind}/{language}/restorations": "is about texts, which no view has",
    "POST /v1/wordings/{kind}/{language}/previews": "changes nothing",
    "POST /v1/wordings/{kind}/{language}/trials": "changes nothing",
    "POST /v1/me/push-subscriptions": "is kept by nobody but notices",
    "DELETE /v1/me/push-subscriptions/{subscription_id}": "is kept by nobody but notices",
    "POST /v1/webhooks": "is about client apps",
    "PATCH /v1/webhooks/{webhook_id}": "is about client apps",
    "DELETE /v1/webhooks/{webhook_id}": "is about client apps",
    "POST /v1/webhooks/{webhook_id}/secret": "is about client apps",
    "POST /v1/webhooks/{webhook_id}/tests": "is about client apps",
    # Due dates follow in sweeps, after the command; fines are queried when they are shown.
    "POST /v1/closures": "moves dates later",
    "PATCH /v1/closures/{closure_id}": "moves dates later",
    "POST /v1/closures/{closure_id}/notice-draft": "is shown to staff only",
    "PUT /v1/notice-drafts/{draft_id}": "is shown to staff only",
    "DELETE /v1/notice-drafts/{draft_id}": "is shown to staff only",
    "POST /v1/closures/{closure_id}/reopening": "moves dates later",
    "POST /v1/closures/{closure_id}/withdrawal": "moves dates later",
    "POST /v1/fine-suspensions": "is asked for when fines are shown",
    "PATCH /v1/fine-suspensions/{suspension_id}": "is asked for when fines are shown",
    "POST /v1/fine-suspensions/{suspension_id}/withdrawal": "is asked for when fines are shown",
}
"""Commands that change nothing of an account at once, each with the reason."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with two gateways that serve, and none that consumes events."""
    with started_system(tmp_path_factory, broker=BROKER, replicas={"gateway": 2}) as started:
        for replica in (0, 1):
            gateway = started.process("gateway", replica)
            gateway.stop()
            gateway.environment = {**gateway.environment, "CARREL_ROLES": "api"}
            gateway.start()
        yield started


class Account:
    """A patron who sends commands to one gateway and reads from the other."""

    def __init__(self, library: Library, session: aiohttp.ClientSession) -> None:
        self._library = library
        self._session = session
        self.card = ""
        self.played: set[str] = set()
        self.loses_answers = False
        """True if each command is carried out first without an answer, and then repeated."""

    async def do(self, command: str, body: Any = None, by: str = "", **ids: str) -> Any:
        """Send a command, written as its route, as the patron or the staff."""
        self.played.add(command)
        method, path = command.split(" ")
        path, by, key = path.format(**ids), by or self.card, unique("key")
        if self.loses_answers and method in KEYED:
            await self._lose_answer(method, path, body, by, key)
        return await self._library.call(method, path, body, by=by, key=key)

    async def _lose_answer(self, method: str, path: str, body: Any, by: str, key: str) -> None:
        """Send a command to its owner, and its answer to no gateway."""
        owner = owner_of(path.partition("?")[0])
        assert owner is not None
        if by in ROLES:
            await self._library.engage(by)
        client = Client(self._library.system.url(owner), self._session)
        token, now = self._library.tokens[by], self._library.now
        answer = await client.insist(method, path, body, as_=token, at=now, key=key)
        assert answer.status < 400, answer.body

    async def sees(self, path: str = "/v1/me") -> Any:
        """Return the first answer of the other gateway."""
        headers = {
            "Authorization": f"Bearer {self._library.tokens[self.card]}",
            "Carrel-Time": self._library.now,
        }
        url = self._library.system.url("gateway", 1) + path
        async with self._session.get(url, headers=headers) as response:
            return await response.json()

    async def is_refused(self) -> None:
        """Wait until the other gateway refuses the patron's token."""

        async def refused() -> bool:
            return bool((await self.sees()).get("code") == "unauthenticated")

        await until(refused)


async def build(running: System) -> None:
    """Rebuild the views from the owners' data: no consumer has processed the events so far."""
    settings = running.settings(Settings)
    client, owners = patient_client(settings.mongo_url), Owners(settings, "gateway")

    async def built() -> bool:
        try:
            await rebuild(
                client[f"{settings.database_prefix}_gateway"], settings, owners, subscriptions
            )
        except GroupCoordinatorNotAvailableError:
            return False  # without consumers, a new broker sets up its groups at the first request
        return True

    await until(built, within=30)
    await owners.close()
    client.close()


@pytest.fixture
async def account(library: Library) -> AsyncIterator[Account]:
    await build(library.system)
    async with aiohttp.ClientSession() as session:
        yield Account(library, session)


async def heard_of(library: Library, card: str, barcode: str, branch: str) -> dict[str, Any]:
    """Lend the first copy, once circulation knows the patron and the branch; return the loan."""

    body = {"card_number": card, "barcodes": [barcode], "branch": branch}
    key = unique("K")

    async def lent() -> Any:
        status, answer = await library.try_("POST", "/v1/checkouts", body, by="staff", key=key)
        return answer["results"][0].get("loan") if status == 200 else None

    loan: dict[str, Any] = await until(lent)
    return loan


@pytest.mark.parametrize(
    "unanswered", [False, True], ids=["answered", "repeated after a lost answer"]
)
async def test_another_gateway_shows_the_effect_of_any_command_at_once(
    library: Library, account: Account, *, unanswered: bool
) -> None:
    account.loses_answers = unanswered
    branch, other = await library.branch(), await library.branch()
    queued = await library.patron(branch)
    account.card = card = await library.patron(branch)
    account.played |= {"POST /v1/patrons", "POST /v1/titles"}
    assert (await account.sees())["patron"]["home_branch"] == branch
    [first] = await library.copies(branch, 1)
    [reserved] = await library.copies(branch, 1)
    priced = unique("K")
    body = {
        "title": "A dear book",
        "authors": [],
        "kind": "book",
        "copies": [{"barcode": priced, "category": "adult", "branch": branch, "price_cents": 9000}],
    }
    await account.do("POST /v1/titles", body, by="staff")

    # ---- loans
    loan = await heard_of(library, card, first, branch)
    account.played.add("POST /v1/checkouts")
    [shown] = (await account.sees())["loans"]
    assert (shown["id"], shown["title"]) == (loan["id"], f"Title {first}")
    await account.do(
        "PATCH /v1/titles/{title_id}", {"title": "Corrected"}, "staff", title_id=loan["title_id"]
    )
    assert (await account.sees())["loans"][0]["title"] == "Corrected"
    library.now = "2020-11-03T10:00:00+08:00"
    await account.do("POST /v1/loans/{loan_id}/renewals", loan_id=loan["id"])
    assert (await account.sees())["loans"][0]["renewals_left"] == 4
    library.now = "2020-11-04T10:00:00+08:00"
    await account.do("POST /v1/me/renewals")
    assert (await account.sees())["loans"][0]["renewals_left"] == 3
    library.now = "2020-11-05T10:00:00+08:00"
    patron_id = (await account.sees())["patron"]["id"]
    await account.do("POST /v1/patrons/{patron_id}/renewals", by="staff", patron_id=patron_id)
    assert (await account.sees())["loans"][0]["renewals_left"] == 2
    library.now = "2020-11-04T10:00:00+08:00"
    await account.do("POST /v1/loans/{loan_id}/claim", {}, "staff", loan_id=loan["id"])
    assert (await account.sees())["loans"][0]["claimed_returned_on"] == "2020-11-04"
    await account.do("DELETE /v1/loans/{loan_id}/claim", by="staff", loan_id=loan["id"])
    assert (await account.sees())["loans"][0]["claimed_returned_on"] is None

    # ---- holds
    await heard_of(library, queued, reserved, branch)
    hold = await library.reserve(card, reserved, branch)
    account.played.add("POST /v1/holds")
    assert [one["position"] for one in (await account.sees())["holds"]] == [1]
    change = {"pickup_branch": other, "frozen": True}
    await account.do("PATCH /v1/holds/{hold_id}", change, hold_id=hold["id"])
    [shown] = (await account.sees())["holds"]
    assert (shown["pickup_branch"], shown["frozen"]) == (other, True)
    await account.do("PATCH /v1/holds/{hold_id}", {"frozen": False}, hold_id=hold["id"])
    await library.take_back([reserved], branch)
    assert [one["state"] for one in (await account.sees())["holds"]] == ["in-transit"]
    place = {"branch": other}
    await account.do("POST /v1/copies/{barcode}/arrival", place, "staff", barcode=reserved)
    assert [one["state"] for one in (await account.sees())["holds"]] == ["ready"]
    await account.do(
        "POST /v1/copies/{barcode}/removal", {"fault": "damaged"}, "staff", barcode=reserved
    )
    assert [one["state"] for one in (await account.sees())["holds"]] == ["waiting"]
    await account.do("POST /v1/copies/{barcode}/recovery", place, "staff", barcode=reserved)
    assert [one["state"] for one in (await account.sees())["holds"]] == ["ready"]
    await account.do("DELETE /v1/holds/{hold_id}", hold_id=hold["id"])
    assert (await account.sees())["holds"] == []

    # ---- mistakes
    [wrong] = await library.lend(card, [reserved], branch)
    undo = {"step": "check-out", "branch": branch}
    assert wrong["id"] in {one["id"] for one in (await account.sees())["loans"]}
    await account.do("POST /v1/loans/{loan_id}/undo", undo, "staff", loan_id=wrong["id"])
    assert [one["id"] for one in (await account.sees())["loans"]] == [loan["id"]]
    await library.lend(card, [reserved], branch)
    lent = {"card_number": card, "barcode": reserved, "branch": branch}
    await account.do("POST /v1/checkouts/undo", lent, "staff")
    assert [one["id"] for one in (await account.sees())["loans"]] == [loan["id"]]

    # ---- one's own phone
    allowed = await library.call(
        "PUT", f"/v1/self-checkouts/{branch}", {"allowed": True}, by="staff"
    )
    scan = {"branch": branch, "day_code": allowed["day_code"], "barcode": reserved}
    borrowed = (await account.do("POST /v1/me/self-checkouts", scan))["loan"]
    assert borrowed["id"] in {one["id"] for one in (await account.sees())["loans"]}
    await account.do("POST /v1/loans/{loan_id}/undo", undo, "staff", loan_id=borrowed["id"])

    # ---- money
    [lost] = await library.lend(card, [priced], branch)
    library.now = "2020-12-14T10:00:00+08:00"
    await library.take_back([first], branch)
    account.played.add("POST /v1/returns")
    returned = {"barcode": first, "branch": branch, "channel": "desk"}
    await account.do("POST /v1/returns/undo", returned, "staff")
    assert loan["id"] in {one["id"] for one in (await account.sees())["loans"]}
    await library.take_back([first], branch)
    seen = await account.sees()
    assert [one["id"] for one in seen["loans"]] == [lost["id"]]
    [fine] = seen["charges"]
    waiver = {"amount_cents": 50, "reason": "asked"}
    await account.do("POST /v1/charges/{charge_id}/waiver", waiver, "staff", charge_id=fine["id"])
    left = (await account.sees())["charges"][0]["outstanding_cents"]
    assert left == fine["outstanding_cents"] - 50
    await account.do("POST /v1/payments", {"charge_ids": [fine["id"]]})
    assert (await account.sees())["totals"]["outstanding_cents"] == 0
    await account.do("POST /v1/loans/{loan_id}/loss", {}, "staff", loan_id=lost["id"])
    charges = (await account.sees())["charges"]
    assert {"lost", "lost-processing"} <= {one["kind"] for one in charges}
    cents = sum(one["outstanding_cents"] for one in charges)
    owing = {"charge_ids": [one["id"] for one in charges], "amount_cents": cents}
    cash = "POST /v1/patrons/{patron_id}/payments"
    paid = await account.do(cash, owing, "staff", patron_id=patron_id)
    assert (await account.sees())["totals"]["outstanding_cents"] == 0
    mistake, cancellation = (
        {"reason": "Another reader"},
        "POST /v1/payments/{payment_id}/cancellation",
    )
    await account.do(cancellation, mistake, "staff", payment_id=paid["id"])
    assert (await account.sees())["totals"]["outstanding_cents"] == cents
    await account.do(cash, owing, "staff", patron_id=patron_id)
    assert (await account.sees())["totals"]["outstanding_cents"] == 0
    await library.take_back([priced], branch)
    [credited] = (await account.sees())["charges"]
    assert credited["refund_due_cents"] == 9000
    await account.do("POST /v1/charges/{charge_id}/refund", by="staff", charge_id=credited["id"])
    assert (await account.sees())["charges"] == []

    # ---- preferences and notifications
    address = {"email": "reader@example.org", "phone": None}
    await account.do("PUT /v1/me/contact", address | {"pin": PIN})
    waits = {"email": None, "phone": None, "new_email": address["email"], "postal_address": None}
    assert await account.sees("/v1/me/contact") == waits
    follows = {"followed_branches": [branch], "activity_types": ["talk"]}
    await account.do("PATCH /v1/me/preferences", follows)
    news = {"branches": [branch], "title": "News", "content": "It is open.", "date": "2020-12-14"}
    await account.do("POST /v1/notices", news, "staff")
    talk = {
        "title": "A talk",
        "type": "talk",
        "venue": "Online",
        "starts_at": "2020-12-20T10:00:00+08:00",
        "organiser": "The library",
        "places": 1,
    }
    activity = await account.do("POST /v1/activities", talk, "staff")
    info = await account.sees("/v1/me/info")
    assert [row["content"] for row in info["library_information"]] == ["It is open."]
    assert "A talk" in [row["title"] for row in info["activities"]]
    registration = "/v1/activities/{activity_id}/registration"
    await account.do(f"POST {registration}", activity_id=activity["id"])
    [registered] = (await account.sees())["activities"]
    assert (registered["title"], registered["state"]) == ("A talk", "confirmed")
    place = {"venue": "Hall"}
    await account.do(
        "PATCH /v1/activities/{activity_id}", place, "staff", activity_id=activity["id"]
    )
    assert [one["venue"] for one in (await account.sees())["activities"]] == ["Hall"]
    await account.do(f"DELETE {registration}", activity_id=activity["id"])
    assert (await account.sees())["activities"] == []
    of_staff = "/v1/patrons/{patron_id}/registrations"
    wanted = {"activity_id": activity["id"]}
    await account.do(f"POST {of_staff}", wanted, "staff", patron_id=patron_id)
    assert [one["state"] for one in (await account.sees())["activities"]] == ["confirmed"]
    of_it = {"patron_id": patron_id, "activity_id": activity["id"]}
    await account.do(f"DELETE {of_staff}/{{activity_id}}", None, "staff", **of_it)
    assert (await account.sees())["activities"] == []
    await account.do(f"POST {registration}", activity_id=activity["id"])
    why = {"reason": "The hall is closed."}
    cancellation = "POST /v1/activities/{activity_id}/cancellation"
    await account.do(cancellation, why, "staff", activity_id=activity["id"])
    assert (await account.sees())["activities"] == []
    assert "A talk" not in [
        row["title"] for row in (await account.sees("/v1/me/info"))["activities"]
    ]

    async def told() -> Any:
        return (await library.get("/v1/me/inbox", by=card))["items"]

    [message, *_] = await until(told, within=30)
    await build(library.system)
    unread = (await account.sees())["inbox"]["unread"]
    assert unread > 0
    await account.do("POST /v1/me/inbox/{notification_id}/read", notification_id=message["id"])
    assert (await account.sees())["inbox"]["unread"] == unread - 1

    # ---- questions
    enquiry = "/v1/enquiries/{enquiry_id}"
    question = {"subject": "Old maps", "text": "Where are they?"}
    asked = (await account.do("POST /v1/enquiries", question))["id"]

    async def states() -> list[str]:
        return [one["state"] for one in (await account.sees())["enquiries"]]

    assert await states() == ["new"]
    take = {"to": "me", "seen": 1}
    await account.do(f"POST {enquiry}/assignment", take, "staff", enquiry_id=asked)
    assert await states() == ["assigned"]
    answer = {"text": "On the sixth floor.", "seen": 2}
    await account.do(f"POST {enquiry}/answers", answer, "staff", enquiry_id=asked)
    assert await states() == ["answered"]
    await account.do(f"POST {enquiry}/replies", {"text": "Thank you."}, enquiry_id=asked)
    assert await states() == ["assigned"]
    again = (await account.do("POST /v1/enquiries", question))["id"]
    assert await states() == ["assigned", "new"]
    merger = {"into": asked, "seen": 1, "seen_into": 4}
    await account.do(f"POST {enquiry}/merger", merger, "staff", enquiry_id=again)
    assert await states() == ["assigned"]
    await account.do(f"POST {enquiry}/closure", {}, enquiry_id=asked)
    assert await states() == []

    # ---- single sessions of study rooms
    async def booked() -> list[str]:
        return [one["branch"] for one in (await account.sees())["bookings"]]

    booking = await library.booking(branch, await library.patron(branch))
    tomorrow: dict[str, Any] = {"day": booking["starts_at"][:10], "session": 1}
    of_room = "POST /v1/study-rooms/{branch}"
    first = (await account.do(f"{of_room}/bookings", tomorrow, branch=branch))["id"]
    assert await booked() == [branch]
    await account.do("DELETE /v1/me/bookings/{booking_id}", booking_id=first)
    assert await booked() == []
    of_staff, wanted = "/v1/patrons/{patron_id}/bookings", {**tomorrow, "branch": branch}
    first = (await account.do(f"POST {of_staff}", wanted, "staff", patron_id=patron_id))["id"]
    assert await booked() == [branch]
    of_one = {"patron_id": patron_id, "booking_id": first}
    await account.do(f"DELETE {of_staff}/{{booking_id}}", None, "staff", **of_one)
    assert await booked() == []
    second = await account.do(f"{of_room}/bookings", tomorrow, branch=branch)
    before, library.now = library.now, second["starts_at"]
    await account.do(f"{of_room}/check-ins", {"code": second["code"]}, "station", branch=branch)
    library.now = before
    assert await booked() == []

    # ---- linked cards
    member = await library.patron(branch)
    invited = {"card_number": card}

    async def linked() -> list[str]:
        return [one["patron_id"] for one in (await account.sees())["family"]]

    await library.post("/v1/me/family-invitations", invited, by=member)
    [invitation] = await library.delivered(card)
    links = "/v1/me/family"
    acceptance = f"POST {links}-invitations/{{invitation_id}}/acceptance"
    link = await account.do(acceptance, invitation_id=invitation["id"])
    assert await linked() == [link["patron_id"]]
    seen = await account.sees(f"{links}/{link['patron_id']}/account")
    assert seen == {"patron_id": link["patron_id"], "loans": [], "holds": []}
    await account.do(f"DELETE {links}/{{member_id}}", member_id=link["patron_id"])
    assert await linked() == []
    assert (await account.sees(f"{links}/{link['patron_id']}/account"))["code"] == "not-linked"
    junior = await library.patron(branch, "junior")
    found = (await library.get(f"/v1/patrons?card={junior}", by="staff"))["items"][0]["id"]
    await account.do("POST /v1/patrons/{patron_id}/family", invited, "staff", patron_id=found)
    assert await linked() == [found]

    # ---- study rooms
    season, application = await library.season(branch), "/v1/study-seasons/{season_id}/application"

    async def admitted() -> list[str]:
        return [one["state"] for one in (await account.sees())["admissions"]]

    room = {"branch": branch}
    await account.do(f"POST {application}", room, season_id=season)
    assert await admitted() == ["applied"]
    await account.do(f"DELETE {application}", season_id=season)
    assert await admitted() == []
    received = {"paper_number": "A-1", "received_on": library.now[:10]}
    paper = {"card_number": card, **room, **received}
    await account.do(f"POST {application}s", paper, "staff", season_id=season)
    assert await admitted() == ["applied"]
    today, library.now = library.now, f"{date.fromisoformat(library.now[:10]) + DAY}T10:00:00+08:00"
    await library.post(f"/v1/study-seasons/{season}/closing", by="staff")
    await account.do("POST /v1/study-seasons/{season_id}/draw", None, "staff", season_id=season)
    assert await admitted() == ["granted"]
    library.now = today

    # ---- notices
    closure = {"branches": [branch], "from": "2021-06-01", "reopened_on": "2021-06-02"}
    shut = await library.post("/v1/closures", closure | {"reason": "Repairs"}, by="staff")
    draft = await library.post(f"/v1/closures/{shut['id']}/notice-draft", by="staff")
    publication = "POST /v1/notice-drafts/{draft_id}/publication"
    await account.do(publication, {"seen": 1}, "staff", draft_id=draft["id"])
    news = (await account.sees("/v1/me/info"))["library_information"]
    assert draft["content"] in [row["content"] for row in news]

    here: dict[str, str] = {"notice_id": draft["id"]}
    amended = {"title": "Open", "content": "It stays open.", "seen": 1}
    await account.do("PUT /v1/notices/{notice_id}", amended, "staff", **here)
    news = (await account.sees("/v1/me/info"))["library_information"]
    assert "It stays open." in [row["content"] for row in news]
    await account.do("DELETE /v1/notices/{notice_id}?seen=2", None, "staff", **here)
    account.played.add("DELETE /v1/notices/{notice_id}")
    news = (await account.sees("/v1/me/info"))["library_information"]
    assert [row["content"] for row in news] == ["It is open."]

    # ---- the patron
    patron = (await account.sees())["patron"]["id"]
    await account.do(
        "PATCH /v1/patrons/{patron_id}", {"home_branch": other}, "staff", patron_id=patron
    )
    assert (await account.sees())["patron"]["home_branch"] == other
    reason = {"reason": "A card was lost."}
    await account.do("POST /v1/patrons/{patron_id}/block", reason, "staff", patron_id=patron)
    await account.is_refused()
    library.tokens[card] = await library._log_in(card)
    assert (await account.sees())["patron"]["status"] == "blocked"
    await account.do("POST /v1/patrons/{patron_id}/unblock", reason, "staff", patron_id=patron)
    assert (await account.sees())["patron"]["status"] == "active"
    await account.do("DELETE /v1/patrons/{patron_id}", by="staff", patron_id=patron)
    await account.is_refused()

    assert await commands(library) - account.played - set(NO_SIGN) == set()


async def commands(library: Library) -> set[str]:
    """Return every command of the API except the jobs."""
    document = await library.get("/openapi.json")
    return {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
        if method in ("post", "put", "patch", "delete") and "/v1/ops/jobs/" not in path
    }


async def test_another_gateway_refuses_the_tokens_of_a_session_that_was_ended(
    library: Library, account: Account
) -> None:
    account.card = card = await library.patron(await library.branch())
    here, there = library.tokens[card], await library._log_in(card)
    assert (await account.sees())["patron"]["name"]
    await account.do("DELETE /v1/sessions/current")
    await account.is_refused()
    for path in ("/v1/me", "/v1/me/charges", "/v1/me/preferences"):  # of the gateway and of owners
        assert (await library.try_("GET", path, by=card))[0] == 401
    library.tokens[card] = there
    assert (await account.sees())["patron"]["name"]
    library.tokens[card] = await library._log_in(card)
    await account.do("DELETE /v1/sessions")
    for token in (here, there, library.tokens[card]):
        library.tokens[card] = token
        await account.is_refused()
