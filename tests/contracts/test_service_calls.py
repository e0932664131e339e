"""A service may use the routes of others that it declares in the registry, and no other."""

import re
from importlib import import_module

import pytest

from services.registry import CALLERS, NAMES, OWNERS, SERVICES
from shared.http.openapi import operations_of
from shared.rights import ROLES
from tests.support import served, token
from tests.warm import settings_of


@pytest.mark.parametrize("service", NAMES)
def test_each_route_for_services_is_declared_by_those_that_use_it(service: str) -> None:
    settings = import_module(f"services.{service}.settings").Settings()
    app = import_module(f"services.{service}.app").create_app(settings)
    accepting = {
        f"{one.method} {one.path}"
        for one in operations_of(app)
        if "service" in one.roles and one.roles != frozenset(ROLES)  # each may log out
    }
    assert set[str]().union(*CALLERS[service].values()) == accepting


@pytest.mark.parametrize("owner", OWNERS)
async def test_a_service_is_refused_all_that_it_does_not_declare(
    mongo_url: str, database: str, owner: str
) -> None:
    """Each route for services as each of them, with every kind of snapshot."""
    [declared] = [one for one in SERVICES if one.name == owner]
    settings = settings_of(
        import_module(f"services.{owner}.settings").Settings,
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        card_key="key of these tests",
    )
    async with served(import_module(f"services.{owner}.app").create_app, settings) as api:
        for route in sorted(set[str]().union(*CALLERS[owner].values())):
            method, template = route.split()
            kinds = declared.snapshots if "{kind}" in template else ("none",)
            for caller in (*NAMES, "nobody"):
                for kind in kinds:
                    path = re.sub(r"\{\w+\}", kind, template)
                    answer = await api.call(method, path, {}, as_=token(caller, ["service"]))
                    may = route in CALLERS[owner].get(caller, ())
                    assert (answer.status != 403) == may, (caller, method, path, answer.status)
                    assert answer.status < 500


def test_only_the_gateway_reads_snapshots_and_personal_data() -> None:
    for owner in OWNERS:
        for caller, routes in CALLERS[owner].items():
            reads = {one for one in routes if "snapshots" in one or "personal" in one}
            assert (caller == "gateway") == bool(reads), (caller, owner)
