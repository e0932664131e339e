"""The desk pages of wordings, the delay of ready items and held messages, with real notices."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.accounts.app import create_app as create_accounts
from services.accounts.settings import Settings as AccountsSettings
from services.gateway.app import create_app
from services.gateway.web.session import SESSION
from services.notices.app import create_app as create_notices
from services.notices.channels.rules.deliveries import (
    closed,
    delivery_of,
    digest_of,
    held,
    held_back,
    with_part,
)
from services.notices.kinds.kind import all_kinds
from services.notices.patrons.rules import notification
from services.notices.settings import Settings as NoticesSettings
from services.settings import Settings
from shared.mongo import to_document
from tests.gateway.web.browser import Browser, insist
from tests.gateway.web.conftest import SECRETS
from tests.support import Api, reaching, served, token

STAFF = token("staff-1", ["staff"], name="Lee Ka-ming")
PAGE = "/desk/wording?kind=hold.ready&of=en"


@pytest.fixture
async def notices(settings: Settings) -> AsyncIterator[Api]:
    told = settings.model_copy(update=SECRETS)
    async with served(create_notices, NoticesSettings(**told.model_dump())) as notices:
        yield notices


@pytest.fixture
async def desk(whole: None, settings: Settings, notices: Api) -> AsyncIterator[Browser]:
    """A librarian's browser."""
    told = settings.model_copy(update=SECRETS)
    async with (
        served(create_accounts, AccountsSettings(**told.model_dump())) as accounts,
        served(create_app, reaching(told, accounts=accounts.url, notices=notices.url)) as site,
        Browser(site.url) as browser,
    ):
        browser.give(SESSION, STAFF)
        yield browser


def test_every_kind_of_message_has_a_name() -> None:
    assert all(kind.name for kind in all_kinds().values())


async def test_staff_change_a_wording_try_it_out_and_take_it_back(desk: Browser) -> None:
    listed = await insist(lambda: desk.get("/desk/wordings?lang=en"))
    assert listed.text.count("As built in") == 3 * len(all_kinds())
    page = await desk.get(PAGE)
    assert "{shelf_until}" in page.text
    typed = {"subject": "Ready: {title}", "closing": "<b>Bring</b> your card."}
    shown = await desk.submit(page, "/desk/wording", do="preview", **typed)
    assert shown.status == 200
    assert "Ready: “Jane Eyre”" in shown.text
    assert "&lt;b&gt;Bring&lt;/b&gt; your card." in shown.html
    assert "<b>" not in shown.html
    refused = await desk.submit(shown, "/desk/wording", do="save", text="{patron}", **typed)
    assert refused.status == 422
    assert "a brace without a partner" in refused.text
    trial = await desk.submit(shown, "/desk/wording", do="trial", address="a@example.org", **typed)
    assert "no mail server is set" in trial.text
    saved = await desk.submit(shown, "/desk/wording", do="save", **typed)
    assert "The wording is saved." in saved.text
    assert "Lee Ka-ming" in saved.text
    late = await desk.submit(page, "/desk/wording", do="save", closing="Mine.")
    assert late.status == 409
    assert "Someone has changed this wording" in late.text
    assert "Mine." in late.text
    listed = await desk.get("/desk/wordings")
    assert listed.text.count("As built in") == 3 * len(all_kinds()) - 1
    back = await desk.submit(saved, "/desk/wording/restoration", version="0")
    assert "The wording is saved." in back.text
    again = await desk.submit(back, "/desk/wording/restoration", version="1")
    assert "Ready: {title}" in again.html
    assert (await desk.get("/desk/wording?kind=no.kind&of=en")).status == 404
    assert (await desk.get("/desk/wording?kind=hold.ready&of=fr")).status == 422


async def test_the_desk_shows_what_is_held_back_and_until_when(desk: Browser, notices: Api) -> None:
    at = datetime(2021, 2, 26, 2, tzinfo=UTC)
    later = at + timedelta(hours=7)
    told = [notification(f"e-{number}", "p", "hold.ready", at, {}) for number in range(3)]
    open_digest = with_part(digest_of("p", later, later.date()))
    sent_digest = closed(replace(open_digest, id="d-2"))
    with_others = replace(held(delivery_of(told[1], at), sent_digest), state="sent", ended_at=at)
    for one in (
        held_back(told[0], at + timedelta(minutes=30), at),
        open_digest,
        held(delivery_of(told[2], at), open_digest),
        with_others,
    ):
        await notices.app.state.database.deliveries.insert_one(to_document(one))
    page = await insist(lambda: desk.get("/desk/deliveries?patron=p&lang=en"))
    assert page.status == 200, page.text
    assert "Held back until" in page.text
    assert "Held back for the e-mail of" in page.text
    assert "Sent with others in one e-mail" in page.text
    assert "One e-mail a day with everything" in page.text
    assert "1 message" in page.text
    assert "Inbox" in page.text
    assert page.text.count("Held back") >= 2
    held_ones = await desk.get("/desk/deliveries?state=held")
    assert "with others in one e-mail" not in held_ones.text
