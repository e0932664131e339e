"""Pages for guests who ask a librarian, in each language, and what the desk sees of them."""

from collections.abc import AsyncIterator

import pytest

from services.gateway.app import create_app
from services.gateway.settings import Settings as GatewaySettings
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.site import TEXTS
from services.notices.app import create_app as create_notices
from services.notices.settings import Settings as NoticesSettings
from services.settings import Settings
from tests.gateway.web.browser import Browser, Patient
from tests.gateway.web.conftest import SECRETS
from tests.mail_server import MailServer, listening
from tests.notices.mails import parts, send, with_mail
from tests.notices.test_guests import LINK
from tests.support import Api, reaching, served, token, until

STAFF = token("staff-1", ["staff"], name="Chan Tai Man")
ADDRESS = "wong.siu@example.org"
TYPED = {"subject": "Old photographs", "text": "Of the Peak Tram?", "address": ADDRESS}


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with listening(MailServer()) as server:
        yield server


@pytest.fixture
async def notices(settings: Settings, server: MailServer) -> AsyncIterator[Api]:
    """Notices with a mail server."""
    told = {**settings.model_dump(), **SECRETS, "simulation": True, "roles": ("api",)}
    async with served(create_notices, with_mail(NoticesSettings(**told), server)) as api:
        yield api


@pytest.fixture
async def url(whole: None, settings: Settings, notices: Api) -> AsyncIterator[str]:
    """The address of a gateway with its pages; the other owners are away."""
    told = reaching(settings.model_copy(update=SECRETS), notices=notices.url)
    async with served(create_app, told) as api:
        yield api.url


@pytest.fixture
async def guest(url: str) -> AsyncIterator[Browser]:
    async with Patient(url) as browser:
        yield browser


@pytest.fixture
async def librarian(url: str) -> AsyncIterator[Browser]:
    async with Patient(url) as browser:
        browser.give("carrel_session", STAFF)
        yield browser


async def link_in(server: MailServer, notices: Api) -> str:
    """Send what waits, and return the path of the link in the newest e-mail."""
    await send(notices)
    [found] = LINK.findall(parts(server.accepted[-1])[0])
    return f"/ask/{found}"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_guest_asks_confirms_and_deletes(
    guest: Browser, librarian: Browser, notices: Api, server: MailServer, language: str
) -> None:
    say = LANGUAGES[language].say
    page = await guest.get(f"/ask?lang={language}")
    page = await guest.submit(page, "/ask", **{**TYPED, "address": "nobody"})
    assert (page.status, say("Please check this field.") in page.text) == (422, True)
    assert "Of the Peak Tram?" in page.text
    page = await guest.submit(page, "/ask", **TYPED)
    assert say(TEXTS.messages["guest-asked"]) in page.text
    queue = await librarian.get(f"/desk/enquiries?lang={language}")
    assert say("There are no questions here.") in queue.text

    here = await link_in(server, notices)
    page = await guest.get(here)
    assert page.headers["X-Robots-Tag"] == "noindex"
    assert "Old photographs" not in page.text
    page = await guest.submit(page, f"{here}/confirmation")
    assert say(TEXTS.messages["guest-confirmed"]) in page.text
    assert "Of the Peak Tram" in page.text

    queue = await librarian.get("/desk/enquiries")
    asked = next(link for link in queue.links if link.startswith("/desk/enquiries/"))
    page = await librarian.get(asked)
    assert say("A guest, who gets the answer by e-mail") in page.text
    assert ADDRESS not in page.html
    page = await librarian.submit(page, f"{asked}/answers", text="In the map room.", asks="no")
    assert say("Your answer is sent.") in page.text
    log = await librarian.get("/desk/deliveries")
    assert say("A guest") in log.text

    page = await guest.get(await link_in(server, notices))
    assert "In the map room" in page.text
    assert "Chan Tai Man" not in page.text
    page = await guest.submit(page, f"{here}/replies", text=" ")
    assert (page.status, say("Please fill this in.") in page.text) == (422, True)
    page = await guest.submit(page, f"{here}/replies", text="Thank you.")
    assert say("Your message is sent.") in page.text
    page = await guest.submit(page, f"{here}/closure")
    assert say("The question is closed.") in page.text
    page = await guest.submit(page, f"{here}/erasure")
    assert say("Your question and your e-mail address are deleted.") in page.text
    gone = await guest.get(here)
    assert gone.status == 404
    assert say(TEXTS.problems["no-such-guest-enquiry"]) in gone.text


async def test_the_gateway_limits_the_questions_from_one_network_address(
    whole: None, settings: Settings, notices: Api
) -> None:
    told = reaching(settings.model_copy(update=SECRETS), notices=notices.url).model_dump()
    limited = GatewaySettings(**{**told, "limits": {"ask": 1}})
    async with served(create_app, limited) as gateway, Patient(gateway.url) as guest:

        async def status() -> int:
            return (await guest.submit(await guest.get("/ask"), "/ask", **TYPED)).status

        async def refused() -> bool:  # a store that is slow for the moment lets callers through
            return await status() == 429

        assert await status() == 200
        await until(refused)


async def test_without_a_mail_server_the_page_says_so(whole: None, settings: Settings) -> None:
    told = {**settings.model_dump(), **SECRETS, "simulation": True, "roles": ("api",)}
    async with served(create_notices, NoticesSettings(**told)) as notices:
        reached = reaching(settings.model_copy(update=SECRETS), notices=notices.url)
        async with served(create_app, reached) as gateway, Patient(gateway.url) as guest:
            page = await guest.get("/ask")
            assert "/ask" not in [form.action for form in page.forms]
            assert "The library can't answer by e-mail at the moment." in page.text
            page = await guest.get("/forgotten-pin")
            assert "/forgotten-pin" not in [form.action for form in page.forms]
            assert "The library doesn't send e-mails." in page.text
            async with Patient(gateway.url) as desk:
                desk.give("carrel_session", STAFF)
                log = await desk.get("/desk/deliveries")
                assert "E-mail is turned off: no mail server is set." in log.text
