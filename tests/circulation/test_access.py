"""Permissions of each role."""

from typing import Any

from tests.circulation.desk import OPS, SERVICE, STAFF, STATION, Desk, card_of, noon
from tests.support import token

P1, P2 = token("p1"), token("p2")
TITLE = {"title": "Kite", "authors": [], "kind": "book", "copies": []}
COPY = {"barcode": "B9", "category": "adult", "branch": "HKCL"}
LEND = {"card_number": card_of("p1"), "barcodes": ["B1"], "branch": "HKCL"}
RETURN = {"barcodes": ["B1"], "branch": "HKCL", "channel": "desk"}
SUSPEND = {"starts_on": "2020-12-10", "reason": "closed"}

STAFF_ONLY: list[tuple[str, str, Any]] = [
    ("POST", "/v1/titles", TITLE),
    ("PATCH", "/v1/titles/x", {"title": "Kites"}),
    ("POST", "/v1/titles/x/copies", {"copies": [COPY]}),
    ("POST", "/v1/fine-suspensions", SUSPEND),
    ("PATCH", "/v1/fine-suspensions/x", {"resumes_on": None}),
    ("GET", "/v1/fine-suspensions", None),
    ("GET", "/v1/fine-suspensions/x/patrons", None),
    ("GET", "/v1/loans?patron=p1", None),
    ("GET", "/v1/patrons/p1/charges", None),
    ("POST", "/v1/charges/x/waiver", {"amount_cents": 1, "reason": "asked"}),
    ("POST", "/v1/charges/x/refund", None),
    ("GET", "/v1/policies", None),
    ("GET", "/v1/holds?patron=p1", None),
    ("GET", "/v1/holds/shelves/HKCL", None),
    ("GET", "/v1/holds/to-fetch/HKCL", None),
    ("GET", "/v1/titles/x/holds", None),
    ("GET", "/v1/copies/B1", None),
    ("POST", "/v1/copies/B1/removal", {"fault": "damaged"}),
    ("POST", "/v1/copies/B1/recovery", {"branch": "HKCL"}),
    ("GET", "/v1/offline-conflicts", None),
    ("POST", "/v1/offline-conflicts/x/resolution", {"note": "found"}),
    ("PUT", "/v1/policies/atlas", {"copy_category": "atlas", "reason": "new"}),
    ("DELETE", "/v1/policies/atlas?reason=over", None),
    ("GET", "/v1/policies/default/history", None),
    ("POST", "/v1/ops/jobs/circulation/overdue", None),
]
CASH: tuple[str, str, Any] = (
    *("POST", "/v1/patrons/x/payments"),
    {"charge_ids": ["x"], "amount_cents": 1},
)
DESK_ONLY: list[tuple[str, str, Any]] = [
    ("POST", "/v1/checkouts", LEND),
    ("POST", "/v1/returns", RETURN),
]
OF_A_PATRON = [
    ("POST", "/v1/me/renewals"),
    ("GET", "/v1/me/loans"),
    ("GET", "/v1/me/charges"),
    ("GET", "/v1/me/holds"),
    ("GET", "/v1/me/history"),
    ("GET", "/v1/me/limits"),
    ("GET", "/v1/me/accruing"),
]


async def test_a_patron_may_not_call_staff_routes(desk: Desk) -> None:
    expired, of_another = token(expires_in=-5), token(audience="other")
    altered = STAFF[:-9] + ("A" if STAFF[-9] != "A" else "B") + STAFF[-8:]
    for method, path, body in [*STAFF_ONLY, *DESK_ONLY, CASH]:
        for as_, status in (
            (P1, 403),
            (None, 401),
            (expired, 401),
            (of_another, 401),
            (altered, 401),
        ):
            answer = await desk.api.call(method, path, body, as_=as_)
            assert answer.status == status, (method, path, answer.json())


async def test_a_station_may_only_lend_return_and_take_cash(desk: Desk) -> None:
    for method, path, body in STAFF_ONLY:
        answer = await desk.api.call(method, path, body, as_=STATION)
        assert answer.status == 403, (method, path)
    for method, path, body in DESK_ONLY:
        answer = await desk.api.call(method, path, body, as_=STATION)
        assert answer.status == 200, (method, path)
    method, path, body = CASH
    assert (await desk.api.call(method, path, body, as_=STATION)).status == 404  # no such charge


async def test_routes_of_a_patrons_own_data_are_refused_to_other_roles(desk: Desk) -> None:
    for method, path in OF_A_PATRON:
        assert (await desk.api.call(method, path, as_=P1)).status == 200, path
        for other in (STAFF, STATION, OPS, SERVICE):
            assert (await desk.api.call(method, path, as_=other)).status == 403, path


async def test_the_catalogue_is_read_without_a_token(desk: Desk) -> None:
    made = (await desk.api.post("/v1/titles", TITLE, as_=STAFF)).json()
    assert (await desk.api.get("/v1/titles")).status == 200
    assert (await desk.api.get(f"/v1/titles/{made['id']}")).status == 200


async def test_another_patrons_resources_are_not_found(desk: Desk) -> None:
    await desk.patron("p2")
    loan = await desk.loan(on="2020-11-01")
    kept = await desk.loan(on="2020-11-01")
    [returned] = await desk.take_back(loan["barcode"], on="2020-11-20")
    paths = [
        f"/v1/loans/{loan['id']}",
        f"/v1/loans/{loan['id']}/fine-statement",
        f"/v1/charges/{returned['charge']['id']}",
    ]
    for path in paths:
        missing = await desk.api.get(path.replace(path.split("/")[3], "none"), as_=P2)
        theirs = await desk.api.get(path, as_=P2)
        assert (theirs.status, theirs.body) == (404, missing.body)  # as if it did not exist
        for allowed in (P1, STAFF, SERVICE):
            assert (await desk.api.get(path, as_=allowed)).status == 200
        for not_allowed in (STATION, OPS):
            assert (await desk.api.get(path, as_=not_allowed)).status == 403
    renewal = await desk.api.post(f"/v1/loans/{kept['id']}/renewals", as_=P2, at=noon("2020-11-02"))
    assert (renewal.status, renewal.json()["code"]) == (404, "no-such-loan")
    assert (await desk.stored(kept))["renewals"] == 0


async def test_staff_see_all_loans_of_a_patron_in_pages(desk: Desk) -> None:
    loans = [await desk.loan() for _ in range(3)]
    await desk.take_back(loans[0]["barcode"], on="2020-11-21")
    first = (await desk.api.get("/v1/loans?patron=p1&limit=2", as_=STAFF)).json()
    second = (
        await desk.api.get(f"/v1/loans?patron=p1&limit=2&after={first['next']}", as_=STAFF)
    ).json()
    seen = [item["id"] for item in first["items"] + second["items"]]
    assert seen == [loan["id"] for loan in loans]
    assert second["next"] is None


async def test_staff_can_list_only_the_loans_whose_copy_has_not_come_back(desk: Desk) -> None:
    back, lost, out = [await desk.loan() for _ in range(3)]
    await desk.take_back(back["barcode"], on="2020-11-21")
    path, price = f"/v1/loans/{lost['id']}/loss", {"price_cents": 5000}
    assert (await desk.api.post(path, price, as_=STAFF, at=noon("2020-11-21"))).status == 200
    listed = (await desk.api.get("/v1/loans?patron=p1&out_only=true", as_=STAFF)).json()["items"]
    assert [loan["id"] for loan in listed] == [lost["id"], out["id"]]
