"""The page about metrics lists exactly the metrics that are exposed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from services.gateway.app import create_app as create_gateway
from services.gateway.settings import Settings as GatewaySettings
from services.notices.app import create_app as create_notices
from services.notices.settings import Settings as NoticesSettings
from services.settings import Settings
from tests.support import served

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"


def family(name: str) -> str:
    """Return a metric's name without the suffix of its series."""
    return re.sub(r"_(bucket|count|sum)$", "", name)


async def exposed(create_app: Callable[[Any], FastAPI], settings: Settings) -> set[str]:
    async with served(create_app, settings) as api:
        answer = await api.operations("/metrics")
    assert answer.status == 200
    types = re.findall(r"^# TYPE (carrel_\w+) \w+$", answer.body.decode(), re.MULTILINE)
    return {name for name in types if not name.endswith("_created")}


async def test_every_metric_is_explained_and_every_explained_one_is_there(
    mongo_url: str, database: str
) -> None:
    own: dict[str, Any] = {
        "mongo_url": mongo_url,
        "database_prefix": database,
        "roles": ("api",),
    }
    names = await exposed(create_gateway, GatewaySettings(**own))
    names |= await exposed(create_notices, NoticesSettings(**own))
    text = PAGE.read_text()
    explained = re.findall(r"^\| `(carrel_\w+)` \|", text, re.MULTILINE)
    assert set(explained) == names
    assert len(explained) == len(set(explained))
    rules = re.sub(r"#.*|carrel-\w+", "", RULES.read_text())
    assert {family(name) for name in re.findall(r"\bcarrel_\w+", rules)} <= names
