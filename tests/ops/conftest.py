"""Minimal services for tests of process handling: they start, answer, crash and stop."""

import shutil
from pathlib import Path

import pytest

from ops.environment import kind_of_settings
from services import registry, settings
from services.gateway.settings import LIMITS
from services.registry import NAMES

APP = """
import os
from fastapi import FastAPI, Response

def create_app(settings):
    app = FastAPI()
    app.state.operations = app

    @app.get("/health/ready")
    def ready():
        return Response(status_code=200)

    @app.get("/environment")
    def environment():
        return {name: value for name, value in os.environ.items() if name.startswith("CARREL_")}

    @app.get("/crash")
    def crash():
        os._exit(3)

    @app.get("/give-up")
    def give_up():
        app.state.give_up()

    return app
"""

FIELDS = sorted({name for service in NAMES for name in kind_of_settings(service).model_fields})
SETTINGS = f"""
from pydantic import create_model
from services import settings

LIMITS = {LIMITS!r}
more = set({FIELDS!r}) - set(settings.Settings.model_fields)
Settings = create_model("Settings", __base__=settings.Settings, **dict.fromkeys(more, (str, "")))
"""


@pytest.fixture
def small_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose package `services` hides the real one from processes started there."""
    for service in NAMES:
        folder = tmp_path / "services" / service
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "settings.py").write_text(SETTINGS)
        (folder / "app.py").write_text(APP)
    (tmp_path / "services" / "__init__.py").touch()
    for module in (registry, settings):
        shutil.copy(str(module.__file__), tmp_path / "services")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def database(fresh_database: str) -> str:
    """A new database for each test, set up by the test itself."""
    return fresh_database
