"""The pages of the study rooms without scripts, on the real events service."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from services.events.app import create_app as create_events
from services.events.settings import Settings as EventsSettings
from services.gateway.app import create_app
from services.gateway.web.session import SESSION
from services.settings import Settings
from tests.events.programme import register_branches
from tests.events.study.season import AFTER, CARDS, DRAW, OPEN, Members, announced
from tests.gateway.web.browser import Browser
from tests.support import SERVICE_KEYS, Api, loopback_server, reaching, served, token


@dataclass(frozen=True)
class Site:
    """A gateway with the real events service behind it."""

    url: str
    events: Api


@pytest.fixture
async def rooms(whole: None, settings: Settings) -> AsyncIterator[Site]:
    members = Members()
    async with loopback_server(members.app()) as url:
        told = reaching(settings, accounts=url).model_dump()
        own = EventsSettings(**{**told, "service_key": SERVICE_KEYS["events"]})
        async with served(create_events, own) as events:
            await register_branches(events, "HKCL", "STPL")
            to_events = reaching(settings, events=events.url)
            async with served(create_app, to_events) as gateway:
                yield Site(gateway.url, events)


async def test_a_patron_applies_withdraws_and_finds_the_result(rooms: Site) -> None:
    season = (await announced(rooms.events))["id"]
    here = f"/study-rooms/{season}"
    async with Browser(rooms.url, at=OPEN) as window:
        guest = await window.get(here)
        assert "Log in to apply" in guest.text
        window.give(SESSION, token("a"))
        listed = await window.get("/study-rooms")
        assert here in listed.links
        page = await window.submit(await window.get(here), f"{here}/application", branch="HKCL")
        assert "We'll tell you the result of the draw." in page.text
        page = await window.submit(page, f"{here}/withdrawal")
        assert "Your application has ended." in page.text
        page = await window.submit(page, f"{here}/application", branch="HKCL")
        account = await window.get("/")
        assert "Examinations of 2021" in account.text
        window.at = AFTER
        staff = {"as_": token("staff-1", ["staff"])}
        path = f"/v1/study-seasons/{season}"
        await rooms.events.post(f"{path}/closing", at=AFTER, **staff)
        ballot = await window.get(f"{here}/ballot")
        assert "Yours" in ballot.text
        assert "Secret until the draw, from 5 March 2021" in ballot.text
        await rooms.events.post(f"{path}/draw", at=DRAW, **staff)
        window.at = CARDS
        assert "You have an admission card" in (await window.get(here)).text
        card = await window.get(f"{here}/card")
        assert "<svg" in card.html
        code = (await rooms.events.get(f"{path}/application", as_=token("a"))).json()["code"]
        assert code in card.text.replace(" ", "")
        for language in ("zh-Hant", "zh-Hans"):
            for address in ("/study-rooms", here, f"{here}/ballot", f"{here}/card"):
                shown = await window.get(f"{address}?lang={language}")
                assert (shown.status, shown.language) == (200, language)


async def test_staff_announce_key_in_close_and_draw(rooms: Site) -> None:
    async with Browser(rooms.url, at=OPEN) as window:
        window.give(SESSION, token("staff-1", ["staff"]))
        form = await window.get("/desk/study-rooms")
        season = {
            "name": "Examinations",
            "rooms": "HKCL 1 adult",
            "sessions": "09:00-13:00\n13:30-17:30",
            "applications_from": "2021-02-10",
            "applications_until": "2021-02-24",
            "draw_on": "2021-03-05",
            "valid_from": "2021-03-15",
            "valid_until": "2021-05-20",
        }
        wrong = await window.submit(form, "/desk/study-rooms", **season)
        assert wrong.status == 422
        assert "Please check this field." in wrong.text
        for name, typed in (("sessions", "09:00-25:00"), ("rooms", "HKCL many")):
            wrong = await window.submit(form, "/desk/study-rooms", **{**season, name: typed})
            assert f"#{name}" in wrong.links
            assert f'aria-describedby="{name}-fault"' in wrong.html
            assert "Special hours" not in wrong.text
        page = await window.submit(
            wrong, "/desk/study-rooms", **{**season, "rooms": "HKCL 1 adult 1"}
        )
        assert "The season is announced." in page.text
        here = page.path
        for number in (1, 2):
            paper = {
                "card_number": f"C-{number}",
                "paper_number": f"A-{number}",
                "received_on": "2021-02-13",
                "branch": "HKCL",
            }
            early = await window.submit(page, f"{here}/applications", **paper)
            assert early.status == 409
            assert "This day is in the future." in early.text
            paper["received_on"] = "2021-02-12"
            page = await window.submit(early, f"{here}/applications", **paper)
            assert "The application is recorded." in page.text
        unknown = await window.submit(page, f"{here}/applications", **{**paper, "card_number": "X"})
        assert (unknown.status, "No library card has this number." in unknown.text) == (404, True)
        early = await window.submit(page, f"{here}/closing")
        assert "The last day to apply is not over" in early.text
        window.at = AFTER
        page = await window.submit(page, f"{here}/closing")
        assert "The list is closed and published." in page.text
        window.at = DRAW
        page = await window.submit(page, f"{here}/draw")
        assert "The places are drawn." in page.text
        assert "Standby: number 1" in page.text
        window.at = "2021-03-20T09:00:00+08:00"
        door = f"{here}/door"
        path = f"/v1{here.removeprefix('/desk').replace('rooms', 'seasons')}/application"
        mine = [(await rooms.events.get(path, as_=token(one))).json() for one in ("1", "2")]
        [card] = [one["code"] for one in mine if one["state"] == "granted"]
        [waits] = [one["code"] for one in mine if one["state"] == "standby"]
        page = await window.submit(await window.get(door), door, code="0" * 16)
        assert (page.status, "has this code" in page.text) == (404, True)
        page = await window.submit(page, door, code=waits)
        assert "There is no place for this card in this session yet." in page.text
        page = await window.submit(page, door, code=card)
        assert "The reader may come in." in page.text
        assert page.html.count("autofocus") == 1  # the field is ready for the next card
        for language in ("zh-Hant", "zh-Hans"):
            for address in ("/desk/study-rooms", here, door):
                shown = await window.get(f"{address}?lang={language}")
                assert (shown.status, shown.language) == (200, language)
