"""The contrast of the pages' colours, as docs/design.md gives it, and the page that draws them."""

import re
from pathlib import Path

import pytest

from services.gateway import web
from services.gateway.app import create_app
from services.gateway.settings import Settings
from tests.gateway.web.browser import Browser
from tests.gateway.web.conftest import SECRETS
from tests.support import served

TOKENS = Path(*web.__path__) / "static" / "tokens.css"
DESIGN = Path(*web.__path__).parents[2] / "docs" / "design.md"
ROW = re.compile(r"^\| `--([\w-]+)` \| `--([\w-]+)` \| ([\d.]+) \| ([\d.]+) \|", re.MULTILINE)
SCHEMES = [
    dict(re.findall(r"--([\w-]+): (#\w{6})", block))
    for block in re.findall(r":root \{(.*?)\}", TOKENS.read_text(), re.DOTALL)[:2]
]
"""Colours by name, in light and in the dark."""


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb`, by WCAG 2.2."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(part * share for part, share in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(text: str, ground: str) -> float:
    """Return the contrast ratio of two colours, by WCAG 2.2."""
    darker, lighter = sorted((luminance(text), luminance(ground)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(("text", "ground", "light", "dark"), ROW.findall(DESIGN.read_text()))
def test_the_contrast_is_as_documented_and_enough(
    text: str, ground: str, light: str, dark: str
) -> None:
    enough = 3 if text in ("edge", "focus") else 4.5
    for colours, documented in zip(SCHEMES, (light, dark), strict=True):
        found = contrast(colours[text], colours[ground])
        assert f"{found:.1f}" == documented
        assert found >= enough


def test_every_colour_has_a_value_in_the_dark() -> None:
    light, dark = SCHEMES
    assert light.keys() == dark.keys()


async def test_the_page_of_all_components_is_there_in_a_simulation_alone(
    whole: None, settings: Settings
) -> None:
    for simulation, status in ((True, 200), (False, 404)):
        changed = settings.model_copy(update={**SECRETS, "simulation": simulation})
        async with served(create_app, changed) as api, Browser(api.url) as browser:
            assert (await browser.get("/design")).status == status
