"""`make docs`: pages of the topics and the API that show everything without a network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from shared.contracts import published
from tests import patience
from tests.contracts.test_openapi import merged
from tests.systems import PROJECT
from tests.web.browser import headless_shell

pytestmark = pytest.mark.web

REFERENCE = PROJECT / "docs" / "reference"
LIMIT_MS = patience.stretched(120) * 1000


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the pages."""
    assert (REFERENCE / "node_modules").is_dir(), "make test-web installs it"
    folder = tmp_path_factory.mktemp("docs")
    made = [sys.executable, str(REFERENCE / "pages.py"), str(folder)]
    subprocess.run(made, check=True, capture_output=True)
    return folder


def opened(context: BrowserContext, file: Path) -> tuple[Page, list[str]]:
    """Return a page and the faults that occur in it from now on."""
    page = context.new_page()
    page.set_default_timeout(LIMIT_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.on("request", lambda one: faults.extend([one.url] * one.url.startswith("http")))
    page.goto(file.as_uri())
    return page, faults


def test_the_pages_show_each_topic_and_each_part_of_the_api_without_a_network(
    pages: Path,
) -> None:
    path = headless_shell()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, chromium_sandbox=os.geteuid() != 0
        )
        context = browser.new_context(offline=True)
        page, faults = opened(context, pages / "topics.html")
        page.get_by_role("heading", name="Servers").wait_for()
        text = page.inner_text("body")
        assert [topic for topic in published() if topic not in text] == []
        assert faults == []
        page, faults = opened(context, pages / "api.html")
        page.locator(".opblock-tag").first.wait_for()
        shown = {tag.strip() for tag in page.locator(".opblock-tag a").all_inner_texts()}
        operations = [one for path in merged()["paths"].values() for one in path.values()]
        assert shown == {tag for one in operations for tag in one.get("tags", ["default"])}
        assert faults == []
        browser.close()
