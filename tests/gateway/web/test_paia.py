"""PAIA as discovery systems and apps use it: what VuFind's driver reads, field by field."""

import asyncio
import re
from collections.abc import AsyncIterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import aiohttp
import orjson
import pytest

from services.gateway.app import create_app
from services.gateway.paia.answers import Answers
from services.settings import Settings
from tests.gateway.web.conftest import SECRETS
from tests.library import PIN, Library
from tests.support import served, until

VUFIND = "read_patron read_fees read_items write_items change_password"
DATETIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d))?")
STORAGE = "http://purl.org/ontology/paia#StorageCondition"
FEE = "http://purl.org/ontology/paia#FeeCondition"


class Client:
    """A client of PAIA that sends JSON, as VuFind does."""

    def __init__(self, library: Library, session: aiohttp.ClientSession) -> None:
        self._library, self._session = library, session
        self.token = self.patron = self.scope = ""

    async def call(
        self, verb: str, path: str, body: Any = None, **more: Any
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Send a request; return its status, its decoded body, and the response."""
        headers = {"Accept": "application/json", "Carrel-Time": self._library.now}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        headers |= more.pop("headers", {})
        url = f"{self._library.system.gateway_url}{path}"
        async with self._session.request(verb, url, json=body, headers=headers, **more) as answer:
            content = await answer.read()
            is_json = "application/json" in answer.headers.get("Content-Type", "") and content
            return answer.status, await answer.json() if is_json else content, answer

    async def log_in(self, card: str, scope: str = VUFIND) -> dict[str, Any]:
        """Log in, and use the token from now on."""
        body = {"username": card, "password": PIN, "grant_type": "password", "scope": scope}
        status, answer, _ = await self.call("POST", "/paia/auth/login", body)
        assert status == 200, answer
        self.token, self.patron = answer["access_token"], answer["patron"]
        return dict(answer)

    async def core(self, method: str = "", body: Any = None, verb: str = "") -> Any:
        """Call a method of PAIA core, which has to succeed."""
        verb = verb or ("GET" if body is None else "POST")
        path = f"/paia/core/{self.patron}{method}"
        status, answer, _ = await self.call(verb, path, body)
        assert status in (200, 204), answer
        return answer


@pytest.fixture
async def client(library: Library) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(library, session)


async def test_vufind_logs_in_and_reads_the_patron(library: Library, client: Client) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    opened = await client.log_in(card)
    assert opened["token_type"] == "Bearer"
    assert opened["expires_in"] == 3600
    assert set(opened["scope"].split()) == set(VUFIND.split())
    assert re.fullmatch(r"[A-Za-z0-9-]+", opened["patron"])  # VuFind does not escape it
    patron = await client.core()
    assert patron == {
        "name": f"Patron {card}",
        "expires": "9999-12-31",
        "status": 0,
        "type": ["urn:carrel:category:adult"],
    }


async def test_vufind_reads_loans_holds_and_fees(library: Library, client: Client) -> None:
    branch = await library.branch()
    card, other = await library.patron(branch), await library.patron(branch)
    await client.log_in(card)
    [lent] = await library.copies(branch, 1)
    [loan] = await library.lend(card, [lent], branch)
    [wanted] = await library.copies(branch, 1)
    await library.lend(other, [wanted], branch)
    hold = await library.reserve(card, wanted, branch)

    documents = {one["status"]: one for one in (await client.core("/items"))["doc"]}
    assert documents[3] == {
        "status": 3,
        "item": f"urn:carrel:copy:{loan['title_id']}:{lent}",
        "edition": f"urn:carrel:title:{loan['title_id']}",
        "about": f"Title {lent}",
        "renewals": 0,
        "starttime": loan["borrowed_on"],
        "endtime": loan["due_on"],
        "duedate": loan["due_on"],
        "cancancel": False,
        "canrenew": True,
        "storage": f"Library {branch}",
        "storageid": f"urn:carrel:branch:{branch}",
    }
    reserved = documents[1]
    assert DATETIME.fullmatch(reserved.pop("starttime"))
    assert reserved == {
        "status": 1,
        "item": f"urn:carrel:hold:{hold['id']}",
        "edition": f"urn:carrel:title:{hold['title_id']}",
        "about": f"Title {wanted}",
        "queue": 1,
        "cancancel": True,
        "canrenew": False,
        "storage": f"Library {branch}",
        "storageid": f"urn:carrel:branch:{branch}",
    }
    assert await client.core("/fees") == {"amount": "0.00 HKD", "fee": []}


async def test_vufind_reserves_at_the_home_library_and_cancels(
    library: Library, client: Client
) -> None:
    home, other = await library.branch(), await library.branch()
    card, holder = await library.patron(home), await library.patron(home)
    await client.log_in(card)
    [barcode] = await library.copies(home, 1)
    [loan] = await library.lend(holder, [barcode], home)
    copy = f"urn:carrel:copy:{loan['title_id']}:{barcode}"
    asked = {"doc": [{"item": copy, "confirm": {}}]}

    [unmet] = (await client.core("/request", asked))["doc"]
    assert unmet["status"] == 0
    assert unmet["item"] == copy
    assert unmet["error"] == "Please choose where to collect it."
    setting = unmet["condition"][STORAGE]
    assert setting["default"] == [f"urn:carrel:branch:{home}"]
    option = {"id": f"urn:carrel:branch:{other}", "about": f"Library {other}"}
    assert option | {"amount": "3.30 HKD"} in setting["option"]

    [placed] = (await client.core("/request", {"doc": [{"item": copy}]}))["doc"]
    assert "error" not in placed
    assert placed["status"] == 1
    assert placed["requested"] == copy
    assert placed["storage"] == f"Library {home}"
    assert placed["about"] == f"Title {barcode}"

    [again] = (await client.core("/request", {"doc": [{"item": copy}]}))["doc"]
    assert again["status"] == 5
    assert again["error"] == "You have reserved this title already."
    assert DATETIME.fullmatch(again["starttime"])

    [gone] = (await client.core("/cancel", {"doc": [{"item": placed["item"]}]}))["doc"]
    assert (gone["item"], gone["status"], "error" in gone) == (placed["item"], 0, False)
    assert (await client.core("/items"))["doc"] == []
    [unknown] = (await client.core("/cancel", {"doc": [{"item": placed["item"]}]}))["doc"]
    assert unknown["item"] == placed["item"]
    assert unknown["error"]


async def test_an_app_chooses_the_pick_up_library(library: Library, client: Client) -> None:
    home, other = await library.branch(), await library.branch()
    card, holder = await library.patron(home), await library.patron(home)
    await client.log_in(card)
    [barcode] = await library.copies(home, 1)
    [loan] = await library.lend(holder, [barcode], home)
    confirm = {STORAGE: [f"urn:carrel:branch:{other}"], "urn:other": ["urn:of:another:library"]}
    edition = f"urn:carrel:title:{loan['title_id']}"
    [placed] = (await client.core("/request", {"doc": [{"edition": edition, "confirm": confirm}]}))[
        "doc"
    ]
    assert (placed["status"], placed["storageid"]) == (1, f"urn:carrel:branch:{other}")
    assert placed["edition"] == edition


async def test_four_requests_at_once_reserve_a_title_once(library: Library, client: Client) -> None:
    home = await library.branch()
    card, holder = await library.patron(home), await library.patron(home)
    await client.log_in(card)
    [barcode] = await library.copies(home, 1)
    [loan] = await library.lend(holder, [barcode], home)
    asked = {"doc": [{"edition": f"urn:carrel:title:{loan['title_id']}"}]}
    answers = await asyncio.gather(*(client.core("/request", asked) for _ in range(4)))
    statuses = sorted(one["doc"][0]["status"] for one in answers)
    assert statuses == [1, 5, 5, 5]
    assert len((await client.core("/items"))["doc"]) == 1


async def test_vufind_renews(library: Library, client: Client) -> None:
    branch = await library.branch()
    card, other = await library.patron(branch), await library.patron(branch)
    await client.log_in(card)
    barcodes = [*await library.copies(branch, 1), *await library.copies(branch, 1)]
    await library.lend(card, barcodes, branch)
    await library.reserve(other, barcodes[1], branch)
    library.now = "2020-11-09T10:00:00+08:00"
    items = {one["about"]: one["item"] for one in (await client.core("/items"))["doc"]}
    docs = [{"item": items[f"Title {one}"]} for one in barcodes]
    answer = await client.core("/renew", {"doc": [*docs, {"item": "urn:carrel:copy:a:b"}]})
    renewed, refused, unknown = answer["doc"]
    assert (renewed["status"], renewed["renewals"], "error" in renewed) == (3, 1, False)
    assert renewed["endtime"] == "2020-11-23"
    assert (refused["item"], refused["status"]) == (docs[1]["item"], 3)
    assert refused["error"].startswith("Another reader is waiting for it.")
    assert unknown == {
        "item": "urn:carrel:copy:a:b",
        "status": 0,
        "error": "This is not among your loans or reservations, or cannot be reserved.",
    }


async def test_the_fine_of_an_overdue_loan_is_agreed_to_before_it_is_renewed(
    library: Library, client: Client
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    await client.log_in(card)
    [barcode] = await library.copies(branch, 1)
    await library.lend(card, [barcode], branch)
    library.now = "2020-11-20T10:00:00+08:00"
    [loan] = (await client.core("/items"))["doc"]
    [unmet] = (await client.core("/renew", {"doc": [{"item": loan["item"]}]}))["doc"]
    assert (unmet["status"], unmet["endtime"]) == (3, loan["endtime"])
    [option] = unmet["condition"][FEE]["option"]
    assert (option["amount"], option["about"]) == ("6.00 HKD", "Overdue fine")
    assert (await client.core("/fees"))["fee"] == []
    confirm = {FEE: [option["id"]]}
    asked = {"doc": [{"item": loan["item"], "confirm": confirm}]}
    [renewed] = (await client.core("/renew", asked))["doc"]
    assert renewed["renewals"] == 1
    assert await client.core("/fees") == {
        "amount": "6.00 HKD",
        "fee": [
            {
                "amount": "6.00 HKD",
                "date": "2020-11-20",
                "about": f"Title {barcode}",
                "feetype": "Overdue fine",
                "feeid": "urn:carrel:fee:fine",
            }
        ],
    }

    async def blocked() -> Any:
        return (await client.core())["status"] == 3

    await until(blocked)


async def test_a_wrong_pin_or_token_is_refused(library: Library, client: Client) -> None:
    card = await library.patron(await library.branch())
    body = {"username": card, "password": "000000", "grant_type": "password"}
    status, answer, response = await client.call("POST", "/paia/auth/login", body)
    assert (status, answer) == (
        403,
        {"error": "access_denied", "error_description": "Your card number or PIN is wrong."},
    )
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    await client.log_in(card, "read_items")
    own = client.patron
    assert (await client.call("GET", f"/paia/core/{own}/fees"))[1]["error"] == "insufficient_scope"
    assert (await client.call("GET", "/paia/core/p-1/items"))[1]["error"] == "not_found"
    client.token = client.token[:-8] + "AAAAAAAA"
    status, answer, _ = await client.call("GET", f"/paia/core/{own}/items")
    assert (status, answer["error"], answer["code"]) == (401, "invalid_grant", 401)


async def test_a_token_of_an_app_opens_nothing_else(library: Library, client: Client) -> None:
    card = await library.patron(await library.branch())
    await client.log_in(card)
    for path in ("/v1/me", "/v1/me/charges", "/v1/me/stream", "/v1/me/preferences"):
        assert (await client.call("GET", path))[0] == 401
    assert (await client.call("POST", "/v1/me/renewals"))[0] == 401
    assert (await client.call("DELETE", "/v1/sessions"))[0] == 401
    cookie = {"Cookie": f"carrel_session={client.token}", "Accept": "text/html"}
    page = await client.call(
        "GET", "/setting", headers=cookie | {"Authorization": ""}, allow_redirects=False
    )
    assert page[2].headers.get("Location", "").startswith("/log-in")


async def test_a_log_out_ends_the_token_at_once(library: Library, client: Client) -> None:
    card = await library.patron(await library.branch())
    await client.log_in(card)
    status, answer, _ = await client.call("POST", "/paia/auth/logout", {"patron": client.patron})
    assert (status, answer) == (200, {"patron": client.patron})
    status, answer, _ = await client.call("GET", f"/paia/core/{client.patron}/items")
    assert (status, answer["error"]) == (401, "invalid_grant")


async def test_each_method_answers_options_and_head_and_names_its_scopes(
    library: Library, client: Client
) -> None:
    card = await library.patron(await library.branch())
    for path, verbs in (
        ("/paia/core/p-1", "GET, PATCH, HEAD, OPTIONS"),
        ("/paia/core/p-1/request", "POST, OPTIONS"),
        ("/paia/core/p-1/notifications/n-1", "GET, DELETE, HEAD, OPTIONS"),
        ("/paia/auth/login", "POST, OPTIONS"),
        ("/daia", "GET, HEAD, OPTIONS"),
    ):
        status, body, response = await client.call("OPTIONS", path)
        assert (status, body, response.headers["Allow"]) == (200, b"", verbs)
        allowed = response.headers["Access-Control-Allow-Headers"]
        assert allowed == "Content-Type, Authorization, Accept-Language"
    await client.log_in(card, "read_items read_fees")
    own = f"/paia/core/{client.patron}/items"
    status, body, response = await client.call("HEAD", own)
    assert (status, body) == (200, b"")
    assert response.headers["X-PAIA-Version"] == "1.4.0"
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert response.headers["X-Accepted-OAuth-Scopes"] == "read_items"
    assert response.headers["X-OAuth-Scopes"] == "read_fees read_items"
    assert "X-OAuth-Scopes" in response.headers["Access-Control-Expose-Headers"]
    token, client.token = client.token, ""
    status, answer, _ = await client.call("GET", f"{own}?access_token={token}")
    assert (status, answer) == (200, {"doc": []})
    status, answer, response = await client.call("POST", own, {})
    assert (status, answer["error"]) == (405, "invalid_request")
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
    for path in ("/paia/core", "/paia/", "/paia/auth/other", f"{own}/more"):
        assert (await client.call("GET", path))[0] == 404


async def test_an_error_has_the_callers_language_and_a_status_that_can_be_hidden(
    library: Library, client: Client
) -> None:
    chinese = {"Accept-Language": "zh-HK"}
    status, answer, response = await client.call(
        "GET", "/paia/core/p-1?suppress_response_codes=1", headers=chinese
    )
    assert (status, answer["code"]) == (200, 401)
    assert answer["error_description"] == "登入時限已過，請重新登入。"
    assert response.headers["Content-Language"] == "zh-Hant"
    # JSONP is not configured, and a browser gets JSON as any client.
    plain = {"Accept": "text/html"}
    _, answer, _ = await client.call("GET", "/paia/core/p-1?callback=f", headers=plain)
    assert answer["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"grant_type=password&username=1&password=2", "text/plain", 400),
        (b'{"grant_type"', "application/json", 400),
        (b"[]", "application/json; charset=utf-8", 422),
        (b"grant_type=password", "application/x-www-form-urlencoded; charset=latin-1", 400),
        (b"grant_type=other&username=1", "application/x-www-form-urlencoded", 422),
        (b'{"grant_type":"password","username":["1"]}', "application/json", 422),
        (b"grant_type=password&username=1&scope=all", "application/x-www-form-urlencoded", 422),
    ],
)
async def test_a_body_that_is_no_log_in_is_an_invalid_request(
    library: Library, content: bytes, kind: str, status: int
) -> None:
    url = f"{library.system.gateway_url}/paia/auth/login"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=content, headers={"Content-Type": kind}) as answer,
    ):
        error = await answer.json()
    assert (answer.status, error["error"], "code" in error) == (status, "invalid_request", False)


async def test_documents_that_are_no_list_are_an_invalid_request(
    library: Library, client: Client
) -> None:
    await client.log_in(await library.patron(await library.branch()))
    for method in ("request", "renew", "cancel"):
        path = f"/paia/core/{client.patron}/{method}"
        wrong: list[list[dict[str, Any]]] = [[], [{"item": 1}], [{"item": "urn:a:b"}] * 21]
        for body in ({}, *({"doc": docs} for docs in wrong)):
            status, answer, _ = await client.call("POST", path, body)
            assert (status, answer["error"]) == (422, "invalid_request")
        [unknown] = (await client.core(f"/{method}", {"doc": [{"edition": "urn:a:b"}]}))["doc"]
        assert (unknown["edition"], unknown["status"]) == ("urn:a:b", 0)
        assert unknown["error"]


async def test_notifications_are_read_and_deleted(library: Library, client: Client) -> None:
    branch = await library.branch()
    card, other = await library.patron(branch), await library.patron(branch)
    for _ in range(2):  # the first time on a device of programs: only then the patron is told
        await client.log_in(card, "read_notifications delete_notifications")
    [barcode] = await library.copies(branch, 1)
    await library.lend(other, [barcode], branch)
    await library.reserve(card, barcode, branch)
    await library.take_back([barcode], branch)

    async def listed() -> Any:
        return (await client.core("/notifications"))["notification"]

    async def both() -> Any:
        found = await listed()
        return len(found) > 1 and found

    one, alert = sorted(await until(both, within=30), key=lambda each: barcode not in each["about"])
    base = f"{library.system.gateway_url}/paia/core/{client.patron}/notifications/"
    assert one["id"].startswith(base)
    assert DATETIME.fullmatch(one["date"])
    assert f"Title {barcode}" in one["about"]
    local = f"/notifications/{one['id'].removeprefix(base)}"
    assert await client.core(local) == one
    assert await client.core(local, verb="DELETE") == b""
    assert await listed() == [alert]
    assert alert["about"].startswith("Somebody logged in to your library account")
    status, answer, _ = await client.call("DELETE", f"/paia/core/{client.patron}/notifications/n")
    assert (status, answer["error"]) == (404, "not_found")


async def test_a_contact_is_not_changed_without_a_pin(library: Library, client: Client) -> None:
    await client.log_in(await library.patron(await library.branch()))
    path = f"/paia/core/{client.patron}"
    status, answer, _ = await client.call("PATCH", path, {"email": "new@example.org"})
    assert (status, answer["error"]) == (501, "not_implemented")


async def test_vufind_changes_the_pin(library: Library, client: Client) -> None:
    card = await library.patron(await library.branch())
    await client.log_in(card)
    new = "840263"
    body = {"patron": client.patron, "username": client.patron, "new_password": new}
    status, answer, _ = await client.call("POST", "/paia/auth/change", body | {"old_password": "1"})
    assert (status, answer["error"]) == (403, "access_denied")
    body["old_password"] = PIN
    status, answer, _ = await client.call(
        "POST", "/paia/auth/change", body | {"new_password": "123456"}
    )
    assert (status, answer["error"]) == (422, "invalid_request")
    assert answer["error_description"].startswith("A PIN such as 123456")
    status, answer, _ = await client.call("POST", "/paia/auth/change", body)
    assert (status, answer) == (200, {"patron": client.patron})
    assert (await client.core())["status"] == 0  # the own token stays valid
    assert (await library.try_("GET", "/v1/me", by=card))[0] == 401
    log_in = {"username": card, "password": PIN, "grant_type": "password"}
    assert (await client.call("POST", "/paia/auth/login", log_in))[0] == 403


async def test_a_reset_says_nothing_of_a_card(library: Library, client: Client) -> None:
    card = await library.patron(await library.branch())
    answers = []
    for one in (card, "C-UNKNOWN"):
        asked = {"grant_type": "password", "username": one, "scope": "reset_password"}
        client.token = ""
        status, opened, _ = await client.call("POST", "/paia/auth/login", asked)
        assert (status, opened["patron"], opened["scope"]) == (200, one, "reset_password")
        refused, _, _ = await client.call("POST", "/paia/auth/reset", {"patron": one})
        assert refused == 401
        client.token = opened["access_token"]
        status, answer, _ = await client.call("POST", "/paia/auth/reset", {"patron": one})
        assert status == 200
        message = re.sub(r"forgotten-pin/[\w-]+$", "", answer.pop("message"))
        answers.append((opened["access_token"], message, answer == {"patron": one}))
        assert (await client.call("GET", f"/paia/core/{one}"))[0] == 401
    assert answers[0] == answers[1]


async def test_five_wrong_pins_lock_the_card_for_apps_too(library: Library, client: Client) -> None:
    card = await library.patron(await library.branch())
    body = {"username": card, "password": "000000", "grant_type": "password"}
    for _ in range(5):
        assert (await client.call("POST", "/paia/auth/login", body))[0] == 403
    status, answer, _ = await client.call("POST", "/paia/auth/login", body | {"password": PIN})
    assert (status, answer["error"]) == (403, "access_denied")
    assert "too many" in answer["error_description"].lower()


async def test_staff_get_no_token_for_apps(library: Library, client: Client) -> None:
    card = await library.hire("staff")
    body = {"username": card, "password": PIN, "grant_type": "password"}
    status, answer, _ = await client.call("POST", "/paia/auth/login", body)
    assert (status, answer["error"]) == (403, "access_denied")


async def test_a_hold_goes_from_reserved_to_provided(library: Library, client: Client) -> None:
    home, away = await library.branch(), await library.branch()
    card, holder = await library.patron(home), await library.patron(home)
    await client.log_in(card)
    [barcode] = await library.copies(home, 1)
    await library.lend(holder, [barcode], home)
    await library.reserve(card, barcode, home)

    async def shown() -> dict[str, Any]:
        [document] = (await client.core("/items"))["doc"]
        return dict(document)

    assert (await shown())["status"] == 1
    await library.take_back([barcode], away)
    assert (await shown())["status"] == 2
    await library.post(f"/v1/copies/{barcode}/arrival", {"branch": home}, by="staff")
    provided = await shown()
    assert (provided["status"], provided["starttime"]) == (4, "2020-11-02")
    assert provided["endtime"] > "2020-11-02"


async def test_vufind_reads_where_copies_are(library: Library, client: Client) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    lent, free = await library.copies(branch, 2)
    [loan] = await library.lend(card, [lent], branch)
    [wanted] = await library.copies(branch, 1)
    [other] = await library.lend(card, [wanted], branch)
    await library.reserve(await library.patron(branch), wanted, branch)
    title = f"urn:carrel:title:{loan['title_id']}"
    query = f"id={title}|urn:carrel:title:none&format=json"
    status, answer, response = await client.call("GET", f"/daia?{query}")
    assert status == 200
    assert response.headers["X-DAIA-Version"] == "1.0.0"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    [document] = answer["document"]
    page = f"{library.system.gateway_url}/catalogue/{loan['title_id']}"
    assert (document["id"], document["href"]) == (title, page)
    assert document["about"] == f"Title {lent} / A. Author"
    items = {one["id"].rpartition(":")[2]: one for one in document["item"]}
    department = {"id": f"urn:carrel:branch:{branch}", "content": f"Library {branch}"}
    assert items[free] == {
        "id": f"urn:carrel:copy:{loan['title_id']}:{free}",
        "department": department,
        "available": [{"service": "presentation"}, {"service": "loan"}],
    }
    assert items[lent]["unavailable"] == [
        {"service": "presentation"},
        {"service": "loan", "expected": "unknown", "href": page},
    ]
    both = f"{title}|urn:carrel:title:{other['title_id']}"
    _, answer, _ = await client.call("GET", f"/daia?id={both}&format=json")
    assert {one["id"] for one in answer["document"]} == {*both.split("|")}
    [item] = next(one for one in answer["document"] if one["id"] != title)["item"]
    assert item["unavailable"][1]["queue"] == 1
    many = "|".join(f"urn:carrel:title:{place}" for place in range(52))
    _, answer, response = await client.call("GET", f"/daia?id={many}&format=json")
    assert answer["document"] == []
    assert response.headers["Link"].endswith('title%3A51>; rel="next"')


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("id=urn:a:b", 422, "invalid_request"),
        ("format=json", 422, "invalid_request"),
        ("id=urn:a:b&format=json&patron=p-1", 501, "not_implemented"),
        ("id=urn:a:b&format=json&access_token=x", 501, "not_implemented"),
    ],
)
async def test_a_wrong_query_of_daia_is_refused(
    client: Client, query: str, status: int, error: str
) -> None:
    found, answer, _ = await client.call("GET", f"/daia?{query}")
    assert (found, answer["error"], answer["code"]) == (status, error, status)


def use_app(base: str, card: str) -> list[int]:
    """Use PAIA by a client of OAuth 2.0 as apps do, and return the statuses of the answers."""
    oauthlib, client = import_module("requests_oauthlib"), import_module("oauthlib.oauth2")
    app = oauthlib.OAuth2Session(client=client.LegacyApplicationClient("app"))
    token = app.fetch_token(f"{base}/paia/auth/login", username=card, password=PIN)
    own = f"{base}/paia/core/{token['patron']}"
    answers = [app.get(f"{own}{method}") for method in ("", "/items", "/fees", "/notifications")]
    answers += [app.post(f"{base}/paia/auth/logout", data={"patron": token["patron"]})]
    assert all(answer.headers["X-PAIA-Version"] == "1.4.0" for answer in answers)
    return [*(answer.status_code for answer in answers), app.get(own).status_code]


async def test_an_app_uses_an_account_by_oauth(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    card = await library.patron(await library.branch())
    statuses = await asyncio.to_thread(use_app, library.system.gateway_url, card)
    assert statuses == [200, 200, 200, 200, 200, 401]


async def test_jsonp_is_answered_if_it_is_configured(whole: None, settings: Settings) -> None:
    own = settings.model_copy(update={**SECRETS, "paia_jsonp": True})
    async with served(create_app, own) as api, aiohttp.ClientSession() as session:
        query = "suppress_response_codes&callback="
        async with session.get(f"{api.url}/paia/core/p-1?{query}show_1") as answer:
            body = await answer.text()
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/javascript; charset=utf-8"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert re.fullmatch(r"/\*\*/show_1\(\{.*\}\);", body)
        async with session.get(f"{api.url}/paia/core/p-1?{query}alert(1)//") as answer:
            assert (await answer.json())["error"] == "invalid_grant"


async def test_a_page_of_a_configured_site_reads_answers(whole: None, settings: Settings) -> None:
    site = "https://app.example"
    own = settings.model_copy(update={**SECRETS, "cors_origins": (site,)})
    headers = {"Origin": site, "Access-Control-Request-Method": "POST"}
    async with served(create_app, own) as api, aiohttp.ClientSession() as session:
        url = f"{api.url}/paia/core/p-1/request"
        asks = headers | {"Access-Control-Request-Headers": "Authorization, Content-Type"}
        async with session.options(url, headers=asks) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
            assert answer.headers["Access-Control-Allow-Origin"] == site
            assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        async with session.post(url, headers={"Origin": site}) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == site
            assert "X-OAuth-Scopes" in answer.headers["Access-Control-Expose-Headers"]


async def test_vufind_reads_an_expired_and_a_locked_patron(
    library: Library, client: Client
) -> None:
    card = await library.patron(await library.branch())
    await client.log_in(card)
    path = f"/v1/patrons/{client.patron}"
    address = {"lines": ["Flat 8, 1 Harbour Road"], "locality": "Wan Chai"}
    contact = {"email": f"{card.lower()}@example.org", "postal_address": address}
    changes = {"card_expires_on": "2020-10-31", "contact": contact}
    await library.call("PATCH", path, changes, by="staff")
    expired = await client.core()
    assert (expired["status"], expired["expires"]) == (2, "2020-10-31")
    assert expired["email"] == contact["email"]
    assert expired["address"] == "Flat 8, 1 Harbour Road, Wan Chai"
    await library.call("PATCH", path, {"card_expires_on": None}, by="staff")
    await library.post(f"{path}/block", {"reason": "Card found in the street"}, by="staff")
    assert (await client.call("GET", f"/paia/core/{client.patron}"))[0] == 401  # sessions end
    await client.log_in(card)
    assert (await client.core())["status"] == 1


async def test_an_unexpected_error_has_the_form_of_paia() -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    sent: list[Any] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    async def never() -> Any:
        raise AssertionError

    scope = {"type": "http", "method": "GET", "path": "/paia/core/p", "query_string": b""}
    own: Any = SimpleNamespace(paia_jsonp=False)
    with pytest.raises(RuntimeError):
        await Answers(broken, own)(scope | {"headers": []}, never, keep)
    assert sent[0]["status"] == 500
    assert orjson.loads(sent[1]["body"])["error"] == "internal_error"
