"""The page that draws every component: it has each one, and passes the checks in both schemes."""

import re
from pathlib import Path

import pytest

from services.gateway import web
from services.gateway.web.design import patron as design
from tests.web.axe import looked_at
from tests.web.browser import Windows, scrolls_sideways
from tests.web.journeys.steps import EACH_WAY
from tests.web.reader import Reader
from tests.web.routes import Driven, routes_of
from tests.web.story import Story

pytestmark = [pytest.mark.web, pytest.mark.asyncio(loop_scope="session")]

ROUTES = routes_of(design.router)
LAYOUT = Path(*web.__path__) / "layout"
NOT_DRAWN = {"feeds", "at_fault"}
"""Macros that write into the head of a page, or into the tag of a field."""


@EACH_WAY
async def test_a_developer_sees_every_component_of_the_layout(reader: Reader) -> None:
    files = (path.read_text() for path in LAYOUT.glob("*.html"))
    macros = {name for text in files for name in re.findall(r"{% macro (\w+)", text)}
    await reader.page.goto("/design")
    for scheme in design.SCHEMES:
        drawn = await reader.page.eval_on_selector_all(
            f".{scheme} [data-part]",
            "parts => parts.filter(one => one.children.length > 1 && one.offsetHeight > 40)"
            ".map(one => one.dataset.part)",
        )
        assert macros - {*drawn} == NOT_DRAWN
        assert drawn.count("found") == 3, "in each language"


async def test_the_components_pass_the_checks(windows: Windows, story: Story) -> None:
    page = await windows.open(card=await story.reader())
    await page.goto("/design")
    await looked_at(page, None, "design")
    for width in (360, 705, 864, 1440):
        await page.set_viewport_size({"width": width, "height": 800})
        assert not await scrolls_sideways(page), width


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_each_route_is_visited(visited: Driven, method: str, path: str) -> None:
    assert visited.missing(method, path) == set(), "by no journey"
