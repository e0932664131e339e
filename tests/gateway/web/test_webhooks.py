"""The desk page of webhooks, with real notices behind it."""

from collections.abc import AsyncIterator

import pytest

from services.gateway.app import create_app
from services.gateway.web.messages.desk import ABOUT
from services.gateway.web.session import SESSION
from services.notices.app import create_app as create_notices
from services.notices.kinds.kind import all_kinds
from services.notices.settings import Settings as NoticesSettings
from services.settings import Settings
from tests.gateway.web.browser import Browser, insist
from tests.gateway.web.conftest import SECRETS
from tests.support import reaching, served, token

STAFF = token("staff-1", ["staff"])
URL = "https://app.example.org/hook?key=<b>"


@pytest.fixture
async def desk(whole: None, settings: Settings) -> AsyncIterator[Browser]:
    told = settings.model_copy(update=SECRETS)
    keyed = told.model_dump() | {"webhook_keys": "the master key of these tests"}
    async with (
        served(create_notices, NoticesSettings(**keyed)) as notices,
        served(create_app, reaching(told, notices=notices.url)) as site,
        Browser(site.url) as browser,
    ):
        browser.give(SESSION, STAFF)
        yield browser


async def test_the_secret_is_on_the_page_that_answers_and_on_no_later_one(desk: Browser) -> None:
    page = await insist(lambda: desk.get("/desk/webhooks?lang=en"))
    assert "There are no webhooks yet." in page.text
    added = await desk.submit(page, "/desk/webhooks", url=URL, topics="hold.ready")
    assert added.status == 200
    assert "whsec_" in added.text
    assert URL in added.text
    assert "<b>" not in added.html
    later = await desk.get("/desk/webhooks")
    assert "whsec_" not in later.text
    assert URL in later.text


def test_each_kind_of_message_has_a_subject_in_words() -> None:
    kinds = {code.split(".")[0] for code in all_kinds()}
    assert kinds <= ABOUT.keys()


async def test_a_webhook_without_topics_or_with_a_bad_address_is_explained(desk: Browser) -> None:
    page = await insist(lambda: desk.get("/desk/webhooks?lang=en"))
    refused = await desk.submit(page, "/desk/webhooks", url="https://app.example.org")
    assert refused.status == 422
    assert "Messages about" in refused.text
    refused = await desk.submit(page, "/desk/webhooks", url="https://10.0.0.1", topics="hold.ready")
    assert refused.status == 422
    assert "names a host on the public internet" in refused.text
