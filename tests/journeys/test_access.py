"""Access through the gateway: patrons cannot see each other's data, and roles are enforced."""

import pytest

from tests.library import Library

pytestmark = pytest.mark.embedded  # who may do what is the same on any broker


async def test_another_patrons_resources_are_not_found(library: Library) -> None:
    branch = await library.branch()
    owner, other = [await library.patron(branch) for _ in range(2)]
    [book] = await library.copies(branch, 1)
    await library.flow.settle()
    [loan] = await library.lend(owner, [book], branch)
    library.now = "2020-11-20T10:00:00+08:00"  # four days late
    await library.job("circulation/overdue")
    [returned] = await library.take_back([book], branch)
    await library.flow.settle()
    inbox = await library.get("/v1/me/inbox", by=owner)
    told = inbox["items"][0]["id"]

    for method, path in (
        ("GET", f"/v1/loans/{loan['id']}"),
        ("GET", f"/v1/loans/{loan['id']}/fine-statement"),
        ("GET", f"/v1/charges/{returned['charge']['id']}"),
        ("POST", f"/v1/loans/{loan['id']}/renewals"),
        ("POST", f"/v1/me/inbox/{told}/read"),
    ):
        status, problem = await library.try_(method, path, by=other)
        assert (path, status) == (path, 404), problem
    assert (await library.get("/v1/me/inbox", by=other))["items"] == []
    assert (await library.get("/v1/me", by=other))["charges"] == []
    assert (await library.get("/v1/me", by=owner))["charges"][0]["amount_cents"] == 600


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/patrons"),
        ("POST", "/v1/titles"),
        ("POST", "/v1/checkouts"),
        ("POST", "/v1/returns"),
        ("POST", "/v1/checkouts/undo"),
        ("POST", "/v1/returns/undo"),
        ("POST", "/v1/branches"),
        ("POST", "/v1/closures"),
        ("PATCH", "/v1/closures/any"),
        ("POST", "/v1/closures/any/withdrawal"),
        ("POST", "/v1/fine-suspensions"),
        ("POST", "/v1/notices"),
        ("POST", "/v1/activities"),
        ("POST", "/v1/staff"),
        ("POST", "/v1/ops/jobs/circulation/overdue"),
    ],
)
async def test_a_patron_may_not_call_staff_routes(library: Library, method: str, path: str) -> None:
    card = await library.patron(await library.branch())
    status, problem = await library.try_(method, path, {}, by=card)
    assert (status, problem["code"]) == (403, "forbidden")


async def test_the_gateway_does_not_forward_routes_for_services(library: Library) -> None:
    body = {"assertion": "guess"}
    status, _ = await library.try_("POST", "/v1/service-sessions", body)
    assert status == 404
