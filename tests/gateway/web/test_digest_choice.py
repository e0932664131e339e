"""The choice of one e-mail a day in My Setting, with real accounts and notices."""

from typing import Any

import pytest

from services.accounts.app import create_app as create_accounts
from services.accounts.settings import Settings as AccountsSettings
from services.gateway.app import create_app
from services.gateway.web.session import SESSION
from services.notices.app import create_app as create_notices
from services.notices.settings import Settings as NoticesSettings
from services.settings import Settings
from tests.gateway.web.browser import Browser, insist
from tests.gateway.web.conftest import SECRETS
from tests.support import reaching, served, token

MEI = {
    "card_number": "HK0009",
    "pin": "593817",
    "name": "Chan Mei-ling",
    "category": "adult",
    "home_branch": "HKCL",
    "language": "en",
    "contact": {"email": "mei@example.org"},
}
MAIL = {
    "smtp_host": "127.0.0.1",
    "mail_from": "library@example.org",
    "public_url": "https://library.example.org",
}


@pytest.mark.parametrize("offered", [True, False])
async def test_a_patron_chooses_one_email_a_day_while_there_is_a_mail_server(
    whole: None, settings: Settings, *, offered: bool
) -> None:
    told = settings.model_copy(update=SECRETS)
    mail = MAIL if offered else {}
    async with (
        served(create_accounts, AccountsSettings(**told.model_dump())) as accounts,
        served(create_notices, NoticesSettings(**{**told.model_dump(), **mail})) as notices,
        served(create_app, reaching(told, accounts=accounts.url, notices=notices.url)) as site,
        Browser(site.url) as browser,
    ):
        staff = token("staff-1", ["staff"])
        mei = (await accounts.post("/v1/patrons", MEI, as_=staff)).json()["id"]
        chosen = {"channels": ["email"], "digest": True}
        before = await accounts.patch("/v1/me/preferences", chosen, as_=token(mei))
        assert before.json()["digest"] is True

        async def stored() -> Any:
            return await accounts.app.state.database.preferences.find_one({"_id": mei})

        browser.give(SESSION, token(mei))
        page = await insist(lambda: browser.get("/setting"))
        assert ("One e-mail a day with everything" in page.text) is offered
        # Every other choice is kept, as the form was shown.
        await browser.submit(page, "/setting", keep_history="yes")
        assert ((await stored())["digest"], (await stored())["keep_history"]) == (True, True)
        page = await browser.get("/setting")
        await browser.submit(page, "/setting", digest=[])
        assert (await stored())["digest"] is not offered
