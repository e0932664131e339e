"""Letters to patrons without e-mail: one PDF for each library and day, and none twice."""

import asyncio
import io
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from services.notices.app import create_app
from services.notices.messages.commands.letters import make_letters
from services.notices.messages.queries.letters import prepare
from services.notices.settings import Settings
from shared.clock import parse_instant
from shared.contracts.accounts import PatronRegistered, PatronUpdated
from shared.contracts.circulation import HoldReady
from shared.unit_of_work import Origin, Run, Work
from tests import samples
from tests.mail_server import MailServer
from tests.notices.lending import Lending
from tests.notices.library import (
    DECEMBER_9,
    STAFF,
    due_soon,
    erased,
    fine,
    hear,
    hold,
    overdue,
    prefers,
    register,
    title,
)
from tests.notices.mails import BEFORE, BOTH, MEI, log, send, with_mail
from tests.support import Answer, Api, served, token

HAS_FONT = Path(Settings().letter_font.partition("#")[0]).exists()
needs_font = pytest.mark.skipif(not HAS_FONT, reason="needs the font of fonts-noto-cjk")

AT = "2020-12-09T18:00:00+08:00"
NEXT_DAY = "2020-12-10T09:00:00+08:00"
MADE = "HKCL-2020-12-09"
HOME = {
    "name": "Chan Mei-ling",
    "postal_address": {
        "lines": ["Flat 12A, Tower 3", "紅磡漆咸道北18號"],
        "locality": "Hung Hom, Kowloon",
        "country": "",
    },
}


def lives(patron_id: str, version: int = 1, *, by_post: bool = True, **more: Any) -> Any:
    kind = PatronRegistered if version == 1 else PatronUpdated
    return samples.patron(kind, version, patron_id=patron_id, by_post=by_post, **more)


@pytest.fixture(autouse=True)
async def mei(api: Api, lending: Lending) -> None:
    """Patron p without e-mail, at home in HKCL, with an overdue loan."""
    await register(api)
    lending.homes["p"] = HOME
    lending.owes("loan-1", 450)
    await hear(api, lives("p"), "e-p", BEFORE)
    await hear(api, title(1), "e-t", BEFORE)


async def make(api: Api, branch: str = "HKCL", at: str = AT) -> Answer:
    return await api.post("/v1/letter-runs", {"branch": branch}, as_=STAFF, at=at)


async def printed(api: Api, run: str = MADE, **body: Any) -> list[str]:
    """Return the texts of the pages, without any space."""
    answer = await api.post(f"/v1/letter-runs/{run}/prints", body, as_=STAFF, at=AT)
    assert (answer.status, answer.headers["Content-Type"]) == (201, "application/pdf"), answer.body
    pages = PdfReader(io.BytesIO(answer.body)).pages
    # pypdf takes the two bytes of each character for two characters, of which one is zero.
    return ["".join(page.extract_text().replace("\0", "").split()) for page in pages]


async def listed(api: Api) -> dict[str, Any]:
    answer = await api.get("/v1/letter-runs", as_=STAFF)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def ends(api: Api) -> list[tuple[str, str, str | None]]:
    found = [one for one in await log(api) if one["channel"] == "post"]
    return sorted((one["kind"], one["state"], one["reason"]) for one in found)


async def test_only_kinds_by_post_and_patrons_whom_nothing_else_reaches_get_letters(
    api: Api, lending: Lending
) -> None:
    lending.loans["loan-1"] = {"state": "open", "due_on": "2020-12-04", "title_id": "title-1"}
    await hear(api, lives("none", by_post=False), "e-1", BEFORE)
    await hear(api, lives("mail"), "e-2", BEFORE)
    await hear(api, prefers("mail", 1, channels=BOTH), "e-3", BEFORE)
    for number, patron in enumerate(("p", "none", "mail", "unknown")):
        for _ in range(3):
            await hear(api, overdue("loan-1", patron), f"e-1{number}", DECEMBER_9)
            await hear(api, due_soon("loan-1", patron), f"e-2{number}", DECEMBER_9)
    assert await ends(api) == [("loan.overdue", "held", None)]
    assert (await listed(api))["waiting"] == {"HKCL": 1}


@needs_font
async def test_all_letters_of_a_day_to_a_patron_are_in_one_envelope_with_the_facts_of_now(
    api: Api, lending: Lending
) -> None:
    lending.owes("loan-2", 150)
    lending.charges["charge-1"] = {"amount_cents": 750, "outstanding_cents": 750}
    lending.loans["loan-9"] = {"title_id": "title-1", "state": "returned", "due_on": "2020-12-04"}
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    await hear(api, overdue("loan-2", "p"), "e-2", DECEMBER_9)
    await hear(api, fine("charge-1", "p", loan_id="loan-9"), "e-3", DECEMBER_9)
    lending.owes("loan-1", 600)
    del lending.statements["loan-2"]  # returned
    made = (await make(api)).json()
    assert (made["id"], made["letters"], made["notifications"]) == (MADE, 1, 2)
    assert await ends(api) == [
        ("fine.assessed", "sent", None),
        ("loan.overdue", "dropped", "outdated"),
        ("loan.overdue", "sent", None),
    ]
    lending.owes("loan-1", 900)
    letter, control = await printed(api)
    for part in ("ChanMei-ling", "FlatA,Tower3", "紅磡漆咸道北18號", "HungHom,Kowloon"):
        assert part.replace("FlatA", "Flat12A") in letter
    assert "DearChanMei-ling," in letter
    assert "Yourfineupto9December2020:$6.00" in letter
    assert "$7.50" in letter
    assert "9.00" not in letter
    assert "1letters,1pages" in control
    assert "Chan" not in control


@needs_font
@pytest.mark.parametrize(
    ("language", "said", "counted"),
    [
        ("en", "wasdueon4December2020andisoverdue", "2letters,2pages"),
        ("zh-Hant", "《JaneEyre》", "共2封信"),
        ("zh-Hans", "《JaneEyre》", "共2封信"),
    ],
)
async def test_each_letter_is_in_the_language_of_its_reader(
    api: Api, lending: Lending, language: str, said: str, counted: str
) -> None:
    await hear(api, lives("p", 2, language=language), "e-l", BEFORE)
    await hear(api, lives("q"), "e-q", BEFORE)
    lending.homes["q"] = HOME | {"name": "陳大文"}
    for patron in ("p", "q"):
        await hear(api, overdue("loan-1", patron), f"e-{patron}1", DECEMBER_9)
    await make(api)
    first, second, control = await printed(api, language=language)
    assert said in first
    assert "Dear陳大文," in second
    assert counted in control


@needs_font
async def test_prints_after_the_first_are_marked_and_posting_is_recorded_once(api: Api) -> None:
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    await make(api)
    marked = ["Printedagain" in (await printed(api))[0] for _ in range(3)]
    assert marked == [False, True, True]
    posted = await api.post(f"/v1/letter-runs/{MADE}/posting", as_=STAFF)
    again = await api.post(f"/v1/letter-runs/{MADE}/posting", as_=STAFF)
    assert posted.json()["posted_at"] == again.json()["posted_at"] is not None
    [run] = (await listed(api))["items"]
    assert (run["prints"], run["posted_at"]) == (3, posted.json()["posted_at"])


@needs_font
async def test_two_replicas_make_the_letters_of_a_day_once(
    api: Api, replica: Api, lending: Lending
) -> None:
    patrons = [f"p{number}" for number in range(20)]
    for patron in patrons:
        lending.homes[patron] = HOME
        await hear(api, lives(patron), f"e-{patron}", BEFORE)
        await hear(api, overdue("loan-1", patron), f"e-{patron}1", DECEMBER_9)
    answers = await asyncio.gather(
        *(
            each.insist("POST", "/v1/letter-runs", {"branch": "HKCL"}, as_=STAFF, at=AT)
            for each in (api, replica) * 5
        )
    )
    assert Counter(one.status for one in answers) == {201: 1, 409: 9}
    refused = {one.json()["code"] for one in answers if one.status == 409}
    assert refused <= {"letters-printed", "no-letters"}
    assert await ends(api) == [("loan.overdue", "sent", None)] * 20
    *letters, control = await printed(api)
    assert len(letters) == 20
    assert "20letters,20pages" in control
    # Those that come later on this day wait for the next one.
    await hear(api, overdue("loan-1", "p"), "e-9", DECEMBER_9)
    assert (await make(api)).json()["code"] == "letters-printed"
    assert (await make(api, at=NEXT_DAY)).json()["letters"] == 1
    assert [one["id"] for one in (await listed(api))["items"]] == ["HKCL-2020-12-10", MADE]


async def test_a_patron_who_chooses_e_mail_meanwhile_gets_the_e_mail_and_no_letter(
    settings: Settings, server: MailServer, lending: Lending
) -> None:
    lending.addresses["p"] = lending.addresses["q"] = MEI
    async with served(create_app, with_mail(settings, server)) as api:
        await hear(api, lives("q"), "e-q", BEFORE)
        for patron in ("p", "q"):
            await hear(api, overdue("loan-1", patron), f"e-{patron}1", DECEMBER_9)
        for _ in range(2):
            await hear(api, prefers("p", 1, channels=BOTH), "e-2", NEXT_DAY)
        # Of q accounts knows it before the event arrives.
        lending.homes["q"] = HOME | {"by_email": True}
        if HAS_FONT:
            assert (await make(api)).json()["code"] == "no-letters"
            assert await ends(api) == [("loan.overdue", "dropped", "by-email")] * 2
        assert await send(api, at=DECEMBER_9) == 1 + HAS_FONT
        assert len(server.accepted) == 1 + HAS_FONT


@needs_font
async def test_an_erasure_deletes_letters_before_and_after_they_are_printed(
    api: Api, lending: Lending
) -> None:
    for patron in ("q", "r"):
        lending.homes[patron] = HOME | {"name": f"Name of {patron}"}
        await hear(api, lives(patron), f"e-{patron}", BEFORE)
    for patron in ("q", "p", "r"):
        await hear(api, overdue("loan-1", patron), f"e-{patron}1", DECEMBER_9)
    await hear(api, erased("q"), "e-q9", DECEMBER_9)
    assert (await make(api)).json()["letters"] == 2
    await hear(api, erased("p"), "e-p9", DECEMBER_9)
    letter, control = await printed(api)
    assert "Nameofr" in letter
    assert letter.rstrip("·1").endswith(f"{MADE}·2")
    assert "gone:1" in control
    assert await ends(api) == [("loan.overdue", "sent", None)]


@needs_font
async def test_a_letter_that_cannot_be_posted_in_time_or_has_no_address_is_dropped(
    api: Api, lending: Lending
) -> None:
    lending.holds["hold-1"] = {
        "state": "ready",
        "pickup_branch": "HKCL",
        "shelf_until": "2020-12-08",
    }
    await hear(api, hold(HoldReady, 2, hold_id="hold-1", patron_id="p"), "e-1", BEFORE)
    await hear(api, lives("q"), "e-q", BEFORE)
    await hear(api, overdue("loan-1", "q"), "e-2", DECEMBER_9)
    assert (await make(api)).json()["code"] == "no-letters"
    assert await ends(api) == [
        ("hold.ready", "dropped", "outdated"),
        ("loan.overdue", "dropped", "no-address"),
    ]


@needs_font
async def test_letters_follow_the_reader_to_another_home_library(api: Api) -> None:
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    await hear(api, lives("p", 2, home_branch="LFU"), "e-2", DECEMBER_9)
    assert (await listed(api))["waiting"] == {"LFU": 1}
    assert (await make(api)).json()["code"] == "no-letters"
    assert (await make(api, "LFU")).json()["letters"] == 1


@needs_font
async def test_letters_wait_while_another_service_is_away(api: Api, lending: Lending) -> None:
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    lending.away = True
    assert (await make(api)).status == 503
    assert await ends(api) == [("loan.overdue", "held", None)]
    lending.away = False
    assert (await make(api)).status == 201
    lending.away = True
    path = f"/v1/letter-runs/{MADE}/prints"
    assert (await api.post(path, {}, as_=STAFF)).status == 503
    lending.away = False
    assert "Printedagain" not in (await printed(api))[0]


async def test_a_system_without_a_font_makes_no_letters_and_says_the_way_out(
    settings: Settings, lending: Lending
) -> None:
    without = settings.model_copy(update={"letter_font": "/nowhere/font.ttc"})
    async with served(create_app, without) as api:
        await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
        refused = await make(api)
        assert (refused.status, refused.json()["code"]) == (503, "no-letter-font")
        assert "CARREL_LETTER_FONT" in refused.json()["detail"]
        assert await ends(api) == [("loan.overdue", "held", None)]


@needs_font
async def test_letters_wait_unprinted_if_the_process_ends_before_the_commit(api: Api) -> None:
    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    unit = api.app.state.unit_of_work
    run = Run(unit, Origin(now=parse_instant(AT)))
    prepared = await prepare(run, "HKCL", date(2020, 12, 9))

    def ends_before_the_commit(work: Work, command: Any) -> None:
        make_letters(work, branch="HKCL", day=date(2020, 12, 9), prepared=command)
        raise KeyError("killed")

    with pytest.raises(KeyError):
        await unit.run(ends_before_the_commit, prepared, run.origin)
    assert await ends(api) == [("loan.overdue", "held", None)]
    assert (await listed(api))["items"] == []
    made = await run(make_letters, branch="HKCL", day=date(2020, 12, 9), prepared=prepared)
    assert made is not None
    assert await ends(api) == [("loan.overdue", "sent", None)]
    # A second run has nothing that another replica prepared before.
    other = Run(unit, Origin(now=parse_instant(AT)))
    again = await other(make_letters, branch="HKCL", day=date(2020, 12, 10), prepared=prepared)
    assert again is None


async def test_there_are_no_letters_of_an_unknown_library_and_day(api: Api) -> None:
    for act in ("prints", "posting"):
        answer = await api.post(f"/v1/letter-runs/HKCL-2020-01-01/{act}", {}, as_=STAFF)
        assert answer.status in (404, 503)


@needs_font
async def test_a_list_of_overdue_loans_shows_the_last_letter_to_each_patron(api: Api) -> None:
    async def last(*patrons: str) -> list[tuple[str, str, str]]:
        body = {"patron_ids": patrons}
        answer = await api.post("/v1/overdue-deliveries", body, as_=STAFF)
        assert answer.status == 200, answer.body
        return [(one["patron_id"], one["channel"], one["state"]) for one in answer.json()["items"]]

    await hear(api, overdue("loan-1", "p"), "e-1", DECEMBER_9)
    assert await last("p", "q") == [("p", "post", "held")]
    await make(api)
    assert await last("p", "q") == [("p", "post", "sent")]
    body = {"patron_ids": ["p"]}
    assert (await api.post("/v1/overdue-deliveries", body, as_=token("p"))).status == 403
    act = {"act": "POST /v1/overdue-deliveries"}
    looks = await api.app.state.database.audit_trail.find(act).to_list(9)
    assert [look["objects"] for look in looks] == [["p"], ["p"]]
