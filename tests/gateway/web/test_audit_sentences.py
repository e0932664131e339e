"""The audit trail says in sentences who did what, with names in place of ids."""

from functools import partial

import pytest

from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import SESSION
from services.gateway.web.staff.acts import FAILED_LOG_IN, OTHER, SENTENCES
from tests.contracts.test_recorded_routes import operations
from tests.gateway.web.browser import Browser, insist
from tests.library import Library


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sentence_names_who_acted_and_the_same_people_in_each_language(language: str) -> None:
    for text in (*SENTENCES.values(), FAILED_LOG_IN, OTHER):
        told = LANGUAGES[language].say(text)
        for name in ("%(who)s", "%(whom)s", "%(act)s"):
            assert told.count(name) == text.count(name), told


def test_each_sentence_is_of_a_route() -> None:
    routes = {f"{one.method} {one.path}" for one in operations()} | {"POST /v1/sessions"}
    assert SENTENCES.keys() <= routes


async def test_operators_read_who_did_what_to_whom(library: Library) -> None:
    card = await library.patron(await library.branch())
    [patron] = (await library.get(f"/v1/patrons?card={card}", by="staff"))["items"]
    reason = {"reason": "Found in the street"}
    await library.post(f"/v1/patrons/{patron['id']}/block", reason, by="staff")
    async with Browser(library.system.gateway_url, at=library.now) as browser:
        browser.give(SESSION, await library.engage("ops"))
        listed = f"/audit-trail?service=accounts&about={patron['id']}"
        page = await insist(partial(browser.get, listed))
        blocked = f"A. staff (Librarian) blocked Patron {card}."
        opened = f"A. staff (Librarian) opened the account of Patron {card} by the card."
        assert blocked in page.text
        assert opened in page.text
        only = await insist(
            partial(browser.get, f"{listed}&act=POST+/v1/patrons/%7Bpatron_id%7D/block")
        )
        assert blocked in only.text
        assert opened not in only.text
        before = await insist(partial(browser.get, f"{listed}&day=2001-02-03"))
        assert "Nothing is recorded here." in before.text
        later = await insist(partial(browser.get, f"{listed}&lang=zh-Hant"))
        assert f"A.staff(館員)暫停了Patron{card}的借閱權。" in later.text.replace(" ", "")
