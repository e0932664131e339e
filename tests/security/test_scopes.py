"""Tokens that are limited to scopes: they open the routes of these scopes, and nothing else."""

import re
from collections.abc import Iterator
from typing import Any

import aiohttp

from services.gateway.paia.methods import METHODS
from services.registry import OWNERS
from services.settings import Settings
from shared.rights import ROUTES_OF_SCOPES
from tests.library import PIN, Library
from tests.support import Client

LOG_OUT = "DELETE /v1/sessions/current"


def of_patrons(document: dict[str, Any]) -> Iterator[str]:
    """Yield the operations of a service that a patron may call, as `GET /v1/me`."""
    for path, by_method in document["paths"].items():
        for method, operation in by_method.items():
            if any("patron" in roles for roles in operation["security"]):
                yield f"{method.upper()} {path}"


async def test_no_service_lets_a_token_with_scopes_do_more(library: Library) -> None:
    card = await library.patron(await library.branch())
    settings = library.system.settings(Settings)
    seen = set()
    async with aiohttp.ClientSession() as session:
        for scopes in (["read_fees"], list(ROUTES_OF_SCOPES)):
            typed = {"card_number": card, "pin": PIN, "scopes": scopes}
            opened = await library.post("/v1/sessions", typed, by="")
            assert opened["renewal_token"] is None
            opens = {route for scope in scopes for route in ROUTES_OF_SCOPES[scope]} | {LOG_OUT}
            for owner in OWNERS:
                client = Client(settings.urls_of(owner)[0], session)
                document = (await client.call("GET", "/openapi.json")).json()
                for route in of_patrons(document):
                    seen.add(route)
                    if route in opens:
                        continue
                    method, _, template = route.partition(" ")
                    path = re.sub(r"\{.*?\}", "x", template)
                    answer = await client.call(method, path, as_=opened["access_token"])
                    assert (answer.status, answer.json()["code"]) == (403, "forbidden"), route
    assert len(seen) > 50
    declared = {route for routes in ROUTES_OF_SCOPES.values() for route in routes}
    assert declared - seen == {"GET /v1/me"}, "a route of a scope that no owner has"


async def test_the_gateway_takes_a_token_with_scopes_for_paia_only(library: Library) -> None:
    card = await library.patron(await library.branch())
    typed = {"card_number": card, "pin": PIN, "scopes": list(ROUTES_OF_SCOPES)}
    library.tokens["app"] = (await library.post("/v1/sessions", typed, by=""))["access_token"]
    for route in {route for routes in ROUTES_OF_SCOPES.values() for route in routes} | {LOG_OUT}:
        method, _, template = route.partition(" ")
        status, answer = await library.try_(method, re.sub(r"\{.*?\}", "x", template), by="app")
        assert (status, answer["code"]) == (401, "unauthenticated"), route
    own = (await library.get("/v1/me", by=card))["patron"]["id"]
    assert (await library.try_("GET", f"/paia/core/{own}/items", by="app"))[0] == 200
    # A token without scopes is none of PAIA.
    assert (await library.try_("GET", f"/paia/core/{own}/items", by=card))[0] == 401


async def test_a_patron_reaches_no_account_but_their_own_by_paia(library: Library) -> None:
    branch = await library.branch()
    card, other = await library.patron(branch), await library.patron(branch)
    typed = {"card_number": card, "pin": PIN, "scopes": list(ROUTES_OF_SCOPES)}
    library.tokens["app"] = (await library.post("/v1/sessions", typed, by=""))["access_token"]
    theirs = (await library.get("/v1/me", by=other))["patron"]["id"]
    for path, methods in METHODS.items():
        for verb in methods if "{patron}" in path else ():
            place = path.format(patron=theirs, notification="n-1")
            status, answer = await library.try_(verb, place, by="app")
            assert (status, answer["error"]) == (404, "not_found"), path
