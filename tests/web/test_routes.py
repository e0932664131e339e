"""The files of journeys together are responsible for every route of the pages."""

import importlib
from pathlib import Path

from services.gateway.web import site
from tests.web.routes import routes_of

FILES = sorted((Path(__file__).parent / "journeys").glob("test_*.py"))


def test_each_route_belongs_to_the_journeys_of_one_file() -> None:
    journeys = [importlib.import_module(f"tests.web.journeys.{file.stem}") for file in FILES]
    assert [
        one.__name__ for one in journeys if not hasattr(one, "test_each_route_is_visited")
    ] == []
    declared = [route for one in journeys for route in one.ROUTES]
    assert sorted(declared) == sorted(routes_of(*site.ROUTERS))
