"""Texts of notifications that staff set: placeholders, versions, previews and trials."""

from datetime import date
from typing import Any

import pytest

from services.notices.kinds.kind import Kind, all_kinds, kind_of
from services.notices.language import LANGUAGES, language_of
from services.notices.messages.queries.texts import (
    Message,
    message_of,
    placeholders_of,
    sample_known,
    sample_of,
)
from services.notices.messages.rules import Texts
from services.notices.settings import Settings
from shared.contracts.circulation import HoldReady
from tests.addresses import NO_ADDRESSES
from tests.mail_server import MailServer
from tests.notices import library
from tests.notices.kinds.examples import SAYS
from tests.notices.lending import Lending
from tests.notices.mails import BEFORE, BOTH, MEI, parts, send, with_mail
from tests.support import Api, token

PATH = "/v1/wordings/hold.ready/en"
MINE = {
    "subject": "Ready: {title}",
    "opening": "Dear reader,\nwe have <b>good</b> news {{really}}.",
    "text": "{title} waits at {branch} until {shelf_until}.",
    "closing": "Bring your card.",
}
WAITS = {"state": "ready", "pickup_branch": "TPO", "shelf_until": "2020-12-16"}


@pytest.fixture
def settings(settings: Settings, server: MailServer) -> Settings:
    return with_mail(settings, server)


@pytest.fixture(autouse=True)
async def mei(api: Api, lending: Lending) -> None:
    """Patron p, who has chosen e-mail, and an item that is ready for them."""
    lending.addresses["p"] = MEI
    lending.holds["hold-1"] = WAITS
    await library.register(api, "TPO")
    await library.hear(api, library.title(1, "Tom & <Jerry>"), "e-title", BEFORE)
    await library.hear(api, library.prefers("p", 1, channels=BOTH), "e-0", BEFORE)


async def ready(api: Api) -> None:
    event = library.hold(HoldReady, 2, state="ready")
    await library.hear(
        api, event.model_copy(update={"shelf_until": None}), "e-ready", library.DECEMBER_9
    )


async def saved(api: Api, seen: int, **texts: Any) -> dict[str, Any]:
    answer = await api.put(PATH, {**texts, "seen": seen}, as_=library.STAFF)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def test_inbox_and_email_have_the_wording_of_the_staff(api: Api, server: MailServer) -> None:
    event = library.hold(HoldReady, 2, state="ready")
    event = event.model_copy(update={"shelf_until": date(2020, 12, 16)})
    await library.hear(api, event, "e-1", library.DECEMBER_9)
    before = (await library.inbox(api, "p"))[0]["text"]
    await saved(api, 0, **MINE)
    [told] = await library.inbox(api, "p")
    assert told["text"].startswith(
        "Dear reader, we have <b>good</b> news {really}. “Tom & <Jerry>”"
    )
    assert told["text"].endswith("Bring your card.")
    assert before not in told["text"]
    assert await send(api, at=library.DECEMBER_9) == 1
    [message] = server.accepted
    assert message["Subject"] == "Ready: “Tom & <Jerry>”"
    text, html = parts(message)
    assert "\n\n“Tom & <Jerry>” waits at Tai Po Public Library until 16 December 2020.\n\n" in (
        text.replace("\r\n", "\n")
    )
    assert "<p>we have &lt;b&gt;good&lt;/b&gt; news {really}.</p>" in html
    assert "<p>“Tom &amp; &lt;Jerry&gt;” waits at" in html
    assert "<b>" not in html


async def test_other_languages_and_kinds_keep_the_built_in_wording(api: Api) -> None:
    await saved(api, 0, **MINE)
    await library.hear(
        api, library.prefers("p", 2, language="zh-Hant", channels=BOTH), "e-2", BEFORE
    )
    await library.hear(api, library.hold(HoldReady, 2, state="ready"), "e-1", library.DECEMBER_9)
    assert "Dear reader" not in (await library.inbox(api, "p"))[0]["text"]


async def test_a_text_whose_fact_is_missing_gives_way_to_the_built_in_one(
    api: Api, lending: Lending
) -> None:
    path = "/v1/wordings/loan.overdue/en"
    texts = {"text": "{title}: pay {amount} now.", "opening": "You owe {amount}."}
    answer = await api.put(path, {**texts, "seen": 0}, as_=library.STAFF)
    assert answer.status == 200, answer.body
    lending.owes("loan-1", 0, suspended=True)
    await library.hear(api, library.overdue("loan-1", "p"), "e-1", library.DECEMBER_9)
    [told] = await library.inbox(api, "p")
    assert "Fines are suspended" in told["text"]
    assert "pay" not in told["text"]
    assert "owe" not in told["text"]
    lending.owes("loan-2", 750)
    await library.hear(api, library.overdue("loan-2", "p"), "e-2", library.DECEMBER_9)
    texts_of_both = [one["text"] for one in await library.inbox(api, "p")]
    assert any(text.startswith("You owe $7.50. “") for text in texts_of_both)


CHARGE = {"charge_id": "c-1", "loan_id": "loan-1", "title_id": "t"}
ITEM = {"hold_id": "h-1", "title_id": "t", "branch": "TPO"}
SUSPENSION = {"suspension_id": "s-1", "branches": ("TPO",), "starts_on": date(2021, 3, 1)}
MOVED = {"loan_id": "loan-1", "title_id": "t", "due_on": date(2021, 3, 5)}


@pytest.mark.parametrize(
    ("topic", "text", "usual", "unlike"),
    [
        pytest.param(
            "fine.adjusted",
            "You now owe {amount}.",
            {**CHARGE, "amount_cents": 600},
            {**CHARGE, "amount_cents": 600, "refunded": True},
            id="a refund",
        ),
        pytest.param(
            "fine.adjusted",
            "You now owe {amount}.",
            {**CHARGE, "amount_cents": 600},
            {**CHARGE, "amount_cents": 600, "refund_due_cents": 300},
            id="money due back that the text does not name",
        ),
        pytest.param(
            "fine.adjusted",
            "You now owe {amount}.",
            {**CHARGE, "amount_cents": 600},
            {**CHARGE, "amount_cents": 0},
            id="a charge cancelled in full",
        ),
        pytest.param(
            "fine.assessed",
            "Pay your fine of {outstanding}.",
            {**CHARGE, "amount_cents": 600, "outstanding_cents": 600},
            {**CHARGE, "amount_cents": 600, "outstanding_cents": 0},
            id="nothing left to pay",
        ),
        pytest.param(
            "fine.assessed",
            "Pay your fine of {outstanding}.",
            {**CHARGE, "amount_cents": 600, "outstanding_cents": 600},
            {**CHARGE, "charge_kind": "lost", "amount_cents": 900, "outstanding_cents": 900},
            id="a charge that is no fine",
        ),
        pytest.param(
            "fine.assessed",
            "Please pay your fine.",
            {**CHARGE, "amount_cents": 600, "outstanding_cents": 600},
            {**CHARGE, "suspended": True},
            id="a fine while fines are suspended",
        ),
        pytest.param(
            "hold.ready",
            "{title}: collect it by {shelf_until}.",
            {**ITEM, "shelf_until": date(2021, 3, 5)},
            {**ITEM, "shelf_until": date(2021, 3, 5), "collect_from": date(2021, 3, 1)},
            id="a library that is still closed",
        ),
        pytest.param(
            "hold.ready",
            "{title}: collect it.",
            {**ITEM, "shelf_until": date(2021, 3, 5)},
            ITEM,
            id="a library that is closed with no end announced",
        ),
        pytest.param(
            "loan.due-date-changed",
            "You may keep {title} longer, until {due_on}.",
            {**MOVED, "previous_due_on": date(2021, 3, 1)},
            {**MOVED, "previous_due_on": date(2021, 3, 9)},
            id="an earlier due date",
        ),
        pytest.param(
            "fines.resumed",
            "Fines restart on {resumes_on}.",
            {**SUSPENSION, "resumes_on": date(2021, 3, 5)},
            {**SUSPENSION, "resumes_on": date(2021, 3, 1)},
            id="a withdrawn suspension",
        ),
        pytest.param(
            "branch.reopened",
            "{branch} reopens soon.",
            {"branch": "TPO", "reopened_on": date(2021, 3, 5)},
            {"branch": "TPO", "previous_reopened_on": date(2021, 3, 5)},
            id="no reopening any more",
        ),
        pytest.param(
            "enquiry.answered",
            "The answer to {subject} is there.",
            {"enquiry_id": "sample", "asks": False},
            {"enquiry_id": "sample", "asks": True},
            id="a question instead of an answer",
        ),
    ],
)
def test_a_text_that_would_mislead_gives_way_to_the_built_in_one(
    topic: str, text: str, usual: dict[str, Any], unlike: dict[str, Any]
) -> None:
    known, spoken = sample_known(Settings().zone), language_of("en")
    texts = Texts(subject="About your account", opening="Dear reader,", text=text, closing="Yours")

    def message(facts: dict[str, Any]) -> Message:
        return message_of(topic, [facts], known, spoken, title="Jane Eyre", texts=texts)

    assert message(usual).subject == "About your account"
    assert len(message(usual).paragraphs) == 3
    built_in = kind_of(topic).from_stored(unlike).text(known, spoken)
    assert message(unlike) == Message("Your library account: Jane Eyre", [built_in])


@pytest.mark.parametrize("code", sorted(all_kinds()))
def test_sample_facts_are_the_usual_ones(code: str) -> None:
    assert sample_of(all_kinds()[code]).is_usual


async def test_a_text_may_name_what_it_would_mislead_without(api: Api) -> None:
    texts = {"text": "{title} waits from {collect_from}."}
    shown = (await api.post(f"{PATH}/previews", texts, as_=library.STAFF)).json()
    assert shown["paragraphs"] == ["“Jane Eyre” waits from 5 March 2021."]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{patron}", "{patron}"),
        ("{title.__class__.__mro__}", "{title.__class__.__mro__}"),
        ("{title[0]}", "{title[0]}"),
        ("{title!r}", "{title}"),
        ("{title:>1000000}", "{title}"),
        ("{title:{branch}}", "{title}"),
        ("{0}", "{0}"),
        ("{}", "{}"),
        ("{hold_id}", "{hold_id}"),
        ("{title", None),
        ("title}", None),
    ],
)
async def test_only_declared_placeholders_are_taken(api: Api, text: str, wrong: str | None) -> None:
    for name in ("subject", "opening", "text", "closing"):
        for path, more in ((PATH, {"seen": 0}), (f"{PATH}/previews", {})):
            method = "PUT" if path == PATH else "POST"
            answer = await api.insist(method, path, {name: text, **more}, as_=library.STAFF)
            assert (answer.status, answer.json()["code"]) == (422, "bad-placeholder"), answer.body
            assert (wrong or "brace") in answer.json()["detail"]
            assert "{shelf_until}" in answer.json()["detail"]
    assert (await api.get(PATH, as_=library.STAFF)).json()["version"] == 0


async def test_texts_have_limits(api: Api) -> None:
    limits = {"subject": 150, "opening": 1000, "text": 2000, "closing": 1000}
    for name, most in limits.items():
        for text, status in (("x" * most, 200), ("x" * (most + 1), 422), ("  ", 422)):
            answer = await api.insist("POST", f"{PATH}/previews", {name: text}, as_=library.STAFF)
            assert answer.status == status, (name, answer.body)


async def test_versions_are_kept_and_taken_back(api: Api) -> None:
    first = await saved(api, 0, text="One: {title}.")
    assert (first["version"], first["versions"][0]["changed_by"]) == (1, "Test")
    assert (await saved(api, 1, text="One: {title}."))["version"] == 1
    second = await saved(api, 1, text="Two: {title}.")
    assert [one["number"] for one in second["versions"]] == [2, 1]
    late = await api.put(PATH, {"text": "Three.", "seen": 1}, as_=library.STAFF)
    assert (late.status, late.json()["code"]) == (409, "wording-changed")

    async def back(number: int, seen: int) -> Any:
        body = {"number": number, "seen": seen}
        return await api.post(f"{PATH}/restorations", body, as_=library.STAFF)

    assert (await back(1, 1)).status == 409
    assert (await back(7, 2)).status == 404
    again = (await back(1, 2)).json()
    assert (again["version"], again["texts"]["text"]) == (3, "One: {title}.")
    built_in = (await back(0, 3)).json()
    assert (built_in["version"], set(built_in["texts"].values())) == (4, {None})
    await ready(api)
    assert "One:" not in (await library.inbox(api, "p"))[0]["text"]
    listed = (await api.get("/v1/wordings?language=en", as_=library.STAFF)).json()["items"]
    [mine] = [one for one in listed if one["kind"] == "hold.ready"]
    assert (mine["version"], mine["is_built_in"]) == (4, True)
    assert len(listed) == len(all_kinds())


async def test_a_preview_shows_sample_facts_or_those_of_a_patron(api: Api) -> None:
    preview = await api.post(f"{PATH}/previews", MINE, as_=library.STAFF)
    shown = preview.json()
    assert shown["subject"] == "Ready: “Jane Eyre”"
    assert shown["paragraphs"][2] == (
        "“Jane Eyre” waits at City Hall Public Library until 5 March 2021."
    )
    assert "&lt;b&gt;" in shown["html"]
    assert (await api.post(f"{PATH}/previews", {"patron_id": "p"}, as_=library.STAFF)).json()[
        "subject"
    ] == ("Your library account: Jane Eyre")
    await ready(api)
    [told] = await library.inbox(api, "p")
    for named in ({"patron_id": "p"}, {"notification_id": told["id"]}):
        shown = (await api.post(f"{PATH}/previews", {**MINE, **named}, as_=library.STAFF)).json()
        # The library is closed with no end announced: only the built-in text says so.
        assert shown["subject"] == "Your library account: Tom & <Jerry>"
        assert len(shown["paragraphs"]) == 1
    other = "/v1/wordings/loan.overdue/en/previews"
    answer = await api.post(other, {"notification_id": told["id"]}, as_=library.STAFF)
    assert (answer.status, answer.json()["code"]) == (404, "no-such-notification")
    assert (await api.get(PATH, as_=library.STAFF)).json()["version"] == 0


async def test_a_trial_is_sent_to_a_given_address(api: Api, server: MailServer) -> None:
    body = {**MINE, "address": "librarian@example.org"}
    answer = await api.post(f"{PATH}/trials", body, as_=library.STAFF)
    assert answer.json() == {"sent": True}
    [message] = server.accepted
    assert server.recipients == ["librarian@example.org"]
    assert message["Subject"] == "Ready: “Jane Eyre”"
    assert message["List-Unsubscribe"] is None
    assert "/unsubscribe" not in parts(message)[0] + parts(message)[1]
    server.to_recipient.append("550 No such user")
    refused = await api.post(f"{PATH}/trials", body, as_=library.STAFF)
    assert (refused.status, refused.json()["code"]) == (409, "trial-not-sent")
    for address in NO_ADDRESSES:
        wrong = await api.post(f"{PATH}/trials", {**body, "address": address}, as_=library.STAFF)
        assert wrong.status == 422
    assert len(server.accepted) == 1


async def test_without_a_mail_server_no_trial_is_sent(api: Api) -> None:
    api.app.state.unit_of_work.settings = api.app.state.settings.model_copy(
        update={"smtp_host": ""}
    )
    body = {"address": "librarian@example.org"}
    answer = await api.post(f"{PATH}/trials", body, as_=library.STAFF)
    assert (answer.status, answer.json()["code"]) == (409, "no-mail-server")


async def test_only_staff_see_and_change_wordings(api: Api) -> None:
    for who in (library.patron("p"), token("station-1", ["station"])):
        assert (await api.get("/v1/wordings", as_=who)).status == 403
        assert (await api.get(PATH, as_=who)).status == 403
        assert (await api.put(PATH, {"seen": 0}, as_=who)).status == 403
    for path in ("/v1/wordings/no.kind/en", "/v1/wordings/hold.ready/fr"):
        assert (await api.get(path, as_=library.STAFF)).status in (404, 422)


@pytest.mark.parametrize("code", sorted(all_kinds()))
def test_each_kind_has_sample_facts_for_all_its_placeholders(code: str) -> None:
    kind: type[Kind] = all_kinds()[code]
    zone = Settings().zone
    for name in LANGUAGES:
        language = language_of(name)
        sample, known = sample_of(kind), sample_known(zone)
        text = sample.text(known, language)
        assert text
        assert "sample" not in text
        values = sample.values(known, language)
        declared = placeholders_of(kind, zone, language)
        assert [one for one in declared if not values.get(one)] == []
        assert kind.from_stored(sample.stored).text(known, language) == text


def test_each_kind_has_examples() -> None:
    topics = {
        topic for kind in all_kinds().values() for topic in (one.topic for one in kind.events)
    }
    assert topics >= set(SAYS)
