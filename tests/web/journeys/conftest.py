"""The record of a file of journeys."""

import pytest

from tests.web.routes import Driven


@pytest.fixture
def visited(request: pytest.FixtureRequest, driven: Driven, failed_before: int) -> Driven:
    """The record after all journeys of the file; the test is skipped if one of them failed."""
    if request.session.testsfailed > failed_before:
        pytest.skip("a journey of this file failed, so not all of its pages were visited")
    return driven
