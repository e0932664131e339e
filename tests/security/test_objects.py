"""Access to each patron's things: every route of the document, called by another patron.

The routes come from the document, so a new one is tested at once; a route whose things are unknown
here fails the test until its owner is stated.
"""

from typing import Any

from tests.authenticator import passkey_of
from tests.device import subscribed
from tests.library import PIN, Library, unique
from tests.security.conftest import Operation, operations
from tests.shops import known_to_a_shop

PUBLIC = {
    *("title_id", "code", "activity_id", "notice_id", "question_id", "venue", "season_id"),
    *("branch", "secret", "list_name", "link"),
}
"""Path parameters of open routes; `secret` and `link` are known to their patron only."""
OF_ONES_OWN = {
    "POST /v1/activities/{activity_id}/registration",
    "POST /v1/study-seasons/{season_id}/application",
    "POST /v1/study-rooms/{branch}/bookings",
    "POST /v1/questions/{question_id}/votes",
}
"""Routes that create something for the caller from a public thing."""
BY_CODE = {"PUT /v1/pin-resets/{reset_id}", "PUT /v1/card-applications/{application_id}"}
"""Routes whose callers have no account yet to show, and prove themselves with a secret code."""
BODIES: dict[str, Any] = {
    "POST /v1/me/passkeys/{passkey_id}/removal": {"pin": PIN},
    "PATCH /v1/holds/{hold_id}": {"frozen": True},
    "POST /v1/enquiries/{enquiry_id}/replies": {"text": "Somebody else"},
    "POST /v1/enquiries/{enquiry_id}/closure": {},
    "PATCH /v1/patrons/{patron_id}": {"name": "Somebody else"},
    "PUT /v1/me/lists/{number}/name": {"name": "Somebody else's"},
}
"""Bodies without which a route would not look for the thing."""


async def things_of(library: Library, card: str, branch: str) -> dict[str, str]:
    """Return an id of each kind of thing that a patron may have, by its name in paths."""
    overdue, kept, wanted = [(await library.copies(branch, 1))[0] for _ in range(3)]
    await library.flow.settle(within=60)
    library.now = "2020-11-02T10:00:00+08:00"
    await library.lend(card, [overdue], branch)
    library.now = "2020-11-20T10:00:00+08:00"  # four days late
    await library.job("circulation/overdue")
    [returned] = await library.take_back([overdue], branch)
    charge = returned["charge"]["id"]
    payment = await library.post("/v1/payments", {"charge_ids": [charge]}, by=card)
    await library.flow.settle(within=60)
    [loan] = await library.lend(card, [kept], branch)
    hold = await library.reserve(card, wanted, branch)
    await library.flow.settle(within=60)
    inbox = await library.get("/v1/me/inbox", by=card)
    activity = await library.activity(places=1)
    await library.post(f"/v1/activities/{activity}/registration", by=card)
    file = await library.upload(b'["A plan of the owner"]', by=card)
    question = {"subject": "Old maps", "text": "Where are they?", "attachments": [file]}
    enquiry = await library.post("/v1/enquiries", question, by=card)
    booking = await library.booking(branch, card)
    season = await library.season(branch)
    await library.post(f"/v1/study-seasons/{season}/application", {"branch": branch}, by=card)
    await library.post("/v1/me/calendar", {"with_titles": True}, by=card)
    account = await library.get("/v1/me", by=card)
    member = await library.patron(branch)
    member_id = await library.linked(card, member)
    invited = {"card_number": await library.patron(branch)}
    invitation = await library.post("/v1/me/family-invitations", invited, by=card)
    made = await library.post("/v1/me/lists", {"name": "The coast"}, by=card)
    device = await library.post("/v1/me/push-subscriptions", subscribed(unique("device")), by=card)
    passkey = await passkey_of(library, card)
    await library.flow.settle(within=60)  # the messages about all this are in the inbox
    return {
        "client_id": await known_to_a_shop(library, card),
        "member_id": member_id,
        "invitation_id": invitation["id"],
        "booking_id": booking["id"],
        "loan_id": loan["id"],
        "hold_id": hold["id"],
        "charge_id": charge,
        "payment_id": payment["id"],
        "notification_id": inbox["items"][0]["id"],
        "activity_id": activity,
        "enquiry_id": enquiry["id"],
        "attachment_id": file,
        "season_id": season,
        "subscription_id": device["id"],
        "passkey_id": passkey,
        "patron_id": account["patron"]["id"],
        "number": str(made["number"]),
        "title_id": loan["title_id"],
    }


def placed(operation: Operation, things: dict[str, str]) -> str | None:
    """Return the path with the owner's things in it, or None if one is unknown here."""
    path = operation.path
    for name in operation.parameters:
        if name not in things:
            return None
        path = path.replace(f"{{{name}}}", things[name])
    return path


async def state(library: Library, card: str) -> Any:
    """Return all that the owner can see of their own things, except how current it is."""
    paths = (
        *("holds", "charges", "inbox", "preferences", "registrations", "enquiries", "admissions"),
        *("push-subscriptions", "bookings", "family", "authorizations", "lists", "passkeys"),
    )
    seen = [
        await library.get(path, by=card) for path in ("/v1/me", *(f"/v1/me/{p}" for p in paths))
    ]
    return [seen[0] | {"sources": None}, *seen[1:]]


async def test_another_patron_cannot_read_or_change_an_object_or_learn_that_it_exists(
    library: Library,
) -> None:
    branch = await library.branch()
    owner, other = [await library.patron(branch) for _ in range(2)]
    things = await things_of(library, owner, branch)
    secrets = {*things.values(), owner, f"Patron {owner}"}
    before = await state(library, owner)
    objects = [one for one in await operations(library) if one.parameters and one.roles]
    assert len(objects) > 25

    for operation in objects:
        path, told = placed(operation, things), operation.id
        if told in OF_ONES_OWN:
            continue
        if "patron" not in operation.roles:
            path = path or operation.path.replace("{", "").replace("}", "")
        assert path is not None, f"whose are the things of {told}?"
        body: Any = BODIES.get(told, {} if operation.has_body else None)
        status, answer = await library.try_(operation.method, path, body, by=other)
        assert status in (403, 404), f"{told}: {status} {answer}"
        if "patron" in operation.roles:
            assert status == 404, f"{told} says that there is such a thing"
        learnt = [secret for secret in secrets if secret in str(answer)]
        assert learnt == [], f"{told} tells {learnt}"
        if operation.method == "GET" and "patron" in operation.roles:  # so the ids are real
            if told == "GET /v1/charges/{charge_id}/statement":
                continue  # a paid charge has one too, tested by the loan
            seen, answer = await library.try_("GET", path, by=owner)
            assert seen == 200, f"{told}: its owner is answered {seen} {answer}"

    assert await state(library, owner) == before


async def test_objects_that_anyone_may_read_belong_to_the_library(library: Library) -> None:
    found = [one for one in await operations(library) if one.parameters and not one.roles]
    assert found
    for operation in found:
        if operation.id in BY_CODE:
            continue
        assert set(operation.parameters) <= PUBLIC, f"whose are the things of {operation.id}?"
        assert operation.method == "GET", f"anyone may change what {operation.id} is of"


async def test_objects_named_in_a_body_must_belong_to_the_caller(library: Library) -> None:
    branch = await library.branch()
    owner, other = [await library.patron(branch) for _ in range(2)]
    things = await things_of(library, owner, branch)
    body = {"charge_ids": [things["charge_id"]]}
    status, answer = await library.try_("POST", "/v1/payments", body, by=other)
    assert (status, answer["code"]) == (404, "no-such-charge")
    for file in (things["attachment_id"], await library.upload(b"An unsent plan", by=owner)):
        question = {"subject": "Maps", "text": "Where?", "attachments": [file]}
        status, answer = await library.try_("POST", "/v1/enquiries", question, by=other)
        assert (status, answer["code"]) == (404, "no-such-attachment")


async def test_an_ended_link_of_cards_shows_and_allows_nothing_more(library: Library) -> None:
    branch = await library.branch()
    owner, other = [await library.patron(branch) for _ in range(2)]
    [book] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    [loan] = await library.lend(owner, [book], branch)
    patron = await library.linked(other, owner)
    await library.flow.settle(within=60)
    path, renewal = f"/v1/me/family/{patron}/account", f"/v1/loans/{loan['id']}/renewals"
    shown = await library.get(path, by=other)
    assert [one["id"] for one in shown["loans"]] == [loan["id"]]
    assert set(shown) == {"patron_id", "loans", "holds"}
    status, _ = await library.try_("POST", f"{renewal}?preview=true", by=other)
    assert status in (200, 409)  # it is a loan of today: nothing may be to gain

    me = (await library.get("/v1/me", by=other))["patron"]["id"]
    await library.call("DELETE", f"/v1/me/family/{me}", by=owner)
    assert (await library.try_("GET", path, by=other))[0] == 404  # at once
    await library.flow.settle(within=60)
    status, answer = await library.try_("POST", renewal, by=other)
    assert (status, answer["code"]) == (404, "no-such-loan")


async def test_a_patron_cannot_reserve_for_another_patron(library: Library) -> None:
    branch = await library.branch()
    owner, other = [await library.patron(branch) for _ in range(2)]
    [book] = await library.copies(branch, 1)
    title = (await library.get(f"/v1/copies/{book}", by="staff"))["title_id"]
    account = (await library.get("/v1/me", by=owner))["patron"]["id"]
    body = {"title_id": title, "pickup_branch": branch, "patron_id": account}
    status, _ = await library.try_("POST", "/v1/holds", body, by=other)
    assert status in (403, 404, 422)
    assert (await library.get("/v1/me/holds", by=owner))["items"] == []


async def test_no_caller_exceeds_the_rights_of_their_role(library: Library) -> None:
    card = await library.patron(await library.branch())
    callers = {"patron": card} | {
        role: role for role in ("staff", "station", "tracer", "admin", "ops")
    }
    for operation in await operations(library):
        path = operation.path.replace("{", "").replace("}", "")
        for role, name in callers.items():
            if operation.roles and role not in operation.roles:
                body: Any = {} if operation.has_body else None
                status, answer = await library.try_(operation.method, path, body, by=name)
                assert (status, answer["code"]) == (403, "forbidden"), f"{role}: {operation.id}"
        if operation.roles:
            status, answer = await library.try_(operation.method, path)
            assert (status, answer["code"]) == (401, "unauthenticated"), operation.id


async def test_no_answer_for_a_patron_is_stored_or_given_to_another(library: Library) -> None:
    branch = await library.branch()
    owner, other = [await library.patron(branch) for _ in range(2)]
    url, session = library.system.gateway_url, library._session
    headers = [{"Authorization": f"Bearer {library.tokens[card]}"} for card in (owner, other)]
    async with session.get(f"{url}/v1/me", headers=headers[0]) as answer:
        tag = answer.headers["ETag"]
    async with session.get(f"{url}/v1/me", headers=headers[0] | {"If-None-Match": tag}) as answer:
        assert answer.status == 304
    async with session.get(f"{url}/v1/me", headers=headers[1] | {"If-None-Match": tag}) as answer:
        assert answer.status == 200
        assert (await answer.json())["patron"]["name"] == f"Patron {other}"
        assert "Authorization" in answer.headers["Vary"]

    for operation in await operations(library):
        if operation.method == "GET" and "patron" in operation.roles and not operation.parameters:
            async with session.get(url + operation.path, headers=headers[0]) as answer:
                assert answer.status == 200, operation.id
                assert "no-store" in answer.headers["Cache-Control"], operation.id


async def test_unknown_fields_in_a_body_are_refused(library: Library) -> None:
    """Roles, owners, amounts and versions cannot be sent by any caller."""
    branch = await library.branch()
    card = await library.patron(branch)
    callers = {role: role for role in ("staff", "station", "tracer", "admin", "ops")}
    callers |= {"patron": card, "": ""}
    privileged = {"roles": ["ops"], "owner_id": "x", "version": 9, "$set": {"a": 1}, "a.b": 1}
    for operation in await operations(library):
        if not operation.has_body or operation.path == "/v1/me/stream":
            continue
        by = next(name for role, name in callers.items() if role in operation.roles or not role)
        path = operation.path.replace("{", "").replace("}", "")
        status, answer = await library.try_(operation.method, path, privileged, by=by)
        assert (status, answer["code"]) == (422, "malformed"), f"{operation.id}: {answer}"
        refused = {error["field"] for error in answer["errors"]}
        assert {f"body.{name}" for name in privileged} <= refused, f"{operation.id}: {refused}"

    patron = {
        "card_number": "MASS-1",
        "pin": PIN,
        "name": "Somebody",
        "category": "adult",
        "home_branch": branch,
        "language": "en",
    }
    for more in ({"roles": ["ops"]}, {"role": "ops"}, {"status": "active"}, {"id": "x"}):
        status, _ = await library.try_("POST", "/v1/patrons", patron | more, by="staff")
        assert status == 422, more
