"""A reader whose visits are recorded, and the record of a file of journeys."""

import pytest
from pytest_asyncio import fixture

from tests.web.browser import Windows
from tests.web.reader import Reader
from tests.web.routes import Driven, Way


@pytest.fixture(scope="module")
def failed_before(request: pytest.FixtureRequest) -> int:
    """The number of tests that failed in this process before the file began."""
    return request.session.testsfailed


@pytest.fixture(scope="module")
def driven(failed_before: int) -> Driven:
    """A record of the routes that the journeys of the file have used."""
    return Driven()


@fixture(loop_scope="session")
async def reader(windows: Windows, driven: Driven, language: str, way: Way) -> Reader:
    """Return a reader with a new window, whose visits are recorded."""
    page = await windows.open(language, scripts=way != "no scripts")
    driven.over(page.context, way, language)
    return Reader(page, language, way)


@pytest.fixture
def visited(request: pytest.FixtureRequest, driven: Driven, failed_before: int) -> Driven:
    """The record after all journeys of the file; the test is skipped if one of them failed."""
    if request.session.testsfailed > failed_before:
        pytest.skip("a journey of this file failed, so not all of its pages were visited")
    return driven
