"""Notification texts: the same facts in every language, and no demand during a suspension."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.notices.kinds.kind import Known, notified_events
from services.notices.kinds.loans import Lost
from services.notices.language import LANGUAGES, language_of
from services.notices.messages.queries.texts import message_of
from services.notices.patrons.rules import Facts
from services.notices.patrons.store import Activity
from shared.contracts.circulation import LoanLost
from tests.notices.kinds.examples import SAYS

ZONE = ZoneInfo("Asia/Hong_Kong")
BEGINS_AT = datetime(2021, 3, 20, 11, tzinfo=UTC)
KNOWN = Known(
    titles={"title-1": "Jane Eyre"},
    activities={"activity-1": Activity("activity-1", 1, "Factory In and Out", BEGINS_AT)},
    branches={"TPO": "Tai Po Public Library", "STPL": "Sha Tin Public Library"},
    enquiries={"enquiry-1": "Old maps"},
    zone=ZONE,
)
NOTHING_KNOWN = Known(titles={}, activities={}, branches={}, enquiries={}, zone=ZONE)

FACTS: Facts = {
    "loan_id": "loan-1",
    "title_id": "title-1",
    "charge_id": "charge-1",
    "hold_id": "hold-1",
    "activity_id": "activity-1",
    "suspension_id": "suspension-1",
    "enquiry_id": "enquiry-1",
    "reset_id": "reset-1",
    "alert_id": "alert-1",
    "patron_id": "patron-1",
    "payment_id": "payment-1",
    "paid_at": datetime(2021, 2, 28, 4, tzinfo=UTC),
    "in_cash": True,
    "expires_on": date(2021, 3, 31),
    "by_staff": False,
    "asked": True,
    "changed": True,
    "removed": True,
    "phone": True,
    "merged_into": "enquiry-2",
    "asks": False,
    "season_id": "season-1",
    "booking_id": "booking-1",
    "season": "Examinations of 2021",
    "valid_from": date(2021, 4, 1),
    "valid_until": date(2021, 5, 20),
    "waited": True,
    "number": 417,
    "held_until": datetime(2021, 4, 7, 1, 30, tzinfo=UTC),
    "version": 1,
    "branch": "TPO",
    "branches": ("STPL",),
    "begins_at": BEGINS_AT,
    "previous_begins_at": datetime(2021, 3, 13, 11, tzinfo=UTC),
    "venue": "Exhibition Gallery",
    "previous_venue": "Lecture Theatre",
    "due_on": date(2020, 12, 4),
    "previous_due_on": date(2020, 12, 1),
    "as_of": date(2020, 12, 9),
    "suspended": False,
    "amount_cents": 750,
    "outstanding_cents": 600,
    "refund_due_cents": 123,
    "starts_on": date(2020, 12, 10),
    "previous_starts_on": date(2020, 12, 17),
    "resumes_on": date(2021, 3, 5),
    "previous_resumes_on": date(2021, 3, 6),
    "reopened_on": date(2021, 2, 19),
    "previous_reopened_on": date(2021, 2, 16),
    "collect_from": date(2021, 2, 18),
    "shelf_until": date(2021, 2, 27),
}
"""The facts of all kinds; each kind takes its own from them."""

SAID = {
    **FACTS,
    "title": "Jane Eyre",
    "activity": "Factory In and Out",
    "branch": "Tai Po Public Library",
    "libraries": "Sha Tin Public Library",
    "subject": "Old maps",
    "amount": "$7.50",
    "outstanding": "$6.00",
    "refund": "$1.23",
}
"""The same facts as a text names them."""

NOT_SAID = {"version", "suspended", "amount_cents", "outstanding_cents", "refund_due_cents"}


def text(kind: str, facts: Facts, language: str, known: Known = KNOWN) -> str:
    message = message_of(kind, [facts], known, language_of(language), title=None)
    [paragraph] = message.paragraphs
    return paragraph


DEMANDS = re.compile(
    r"\$|\d\.\d\d|pay|owe|settle|outstanding|charge|fee|remit|[繳缴付欠結结元]",
    re.IGNORECASE,
)


def said(value: object, language: str) -> str:
    if not isinstance(value, date):
        return str(value)
    if language != "en":
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{value.day} {value:%B} {value.year}"


def test_every_kind_has_an_example() -> None:
    assert {event.topic for event in notified_events()} == set(SAYS)


def test_an_event_has_one_notification_kind() -> None:
    with pytest.raises(TypeError, match="has two notification kinds"):
        type("Again", (Lost,), {}, events=[LoanLost])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", SAYS)
def test_every_language_states_the_same_facts(kind: str, language: str) -> None:
    words = text(kind, FACTS, language)
    found = {
        name
        for name, value in SAID.items()
        if name not in NOT_SAID and said(value, language) in words
    }
    assert found == SAYS[kind]
    assert "{" not in words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("resumes_on", [None, date(2021, 3, 5)])
@pytest.mark.parametrize("kind", ["loan.overdue", "fine.assessed", "fines.suspended"])
def test_no_text_names_or_asks_for_money_while_fines_are_suspended(
    kind: str, resumes_on: date | None, language: str
) -> None:
    facts = {**FACTS, "suspended": True, "resumes_on": resumes_on}
    assert not DEMANDS.search(text(kind, facts, language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_under_a_suspension_states_the_announced_resumption_day(
    language: str,
) -> None:
    announced = text("loan.overdue", {**FACTS, "suspended": True}, language)
    assert said(SAID["resumes_on"], language) in announced
    unknown = {**FACTS, "suspended": True, "resumes_on": None}
    open_end = text("loan.overdue", unknown, language)
    assert said(SAID["resumes_on"], language) not in open_end


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_without_a_suspension_states_the_amount_owed(language: str) -> None:
    assert DEMANDS.search(text("loan.overdue", FACTS, language))
    assert "$" not in text("loan.overdue", {**FACTS, "amount_cents": None}, language)
    settled = text("fine.assessed", {**FACTS, "outstanding_cents": None}, language)
    assert "$7.50" in settled
    assert "$6.00" not in settled


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [*SAYS, "something.new"])
def test_an_unknown_title_is_replaced_by_a_phrase(kind: str, language: str) -> None:
    words = text(kind, FACTS, language, NOTHING_KNOWN)
    assert words
    assert "None" not in words
    assert "“" not in words
    assert "《" not in words


@pytest.mark.parametrize("kind", ["fines.suspended", "fines.resumed"])
def test_a_suspension_stored_without_its_version_has_its_text(kind: str) -> None:
    assert text(kind, {**FACTS, "version": None}, "en") == text(kind, FACTS, "en")


def test_a_title_with_braces_is_quoted_unchanged() -> None:
    known = replace(KNOWN, titles={"title-1": "{due_on}"})
    assert "“{due_on}”" in text("loan.overdue", FACTS, "en", known)


def test_an_unknown_language_falls_back_to_english() -> None:
    assert text("branch.reopened", FACTS, "pt") == text("branch.reopened", FACTS, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_restored_due_date_has_a_different_text_than_a_postponed_one(
    language: str,
) -> None:
    restored = {**FACTS, "due_on": date(2020, 12, 1), "previous_due_on": date(2020, 12, 4)}
    moved, back = (text("loan.due-date-changed", facts, language) for facts in (FACTS, restored))
    assert said(date(2020, 12, 1), language) in back
    assert said(date(2020, 12, 4), language) in back
    assert "{" not in back
    dates = [said(date(2020, 12, day), language) for day in (1, 4)]
    for one in dates:
        moved, back = moved.replace(one, ""), back.replace(one, "")
    assert moved != back


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_later_overdue_notice_states_its_ordinal(language: str) -> None:
    first, third = (text("loan.overdue", {**FACTS, "notice": n}, language) for n in (1, 3))
    assert first != third
    assert "3" in third.replace(said(SAID["due_on"], language), "")
    assert all(said(fact, language) in third for fact in (SAID["title"], SAID["due_on"], "$7.50"))
    assert "$" not in text("loan.overdue", {**FACTS, "notice": 3, "suspended": True}, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["lost", "lost-processing", "hold-fee"])
def test_each_kind_of_charge_has_its_own_text_with_the_open_amount(
    kind: str, language: str
) -> None:
    facts = {**FACTS, "charge_kind": kind}
    words = text("fine.assessed", facts, language)
    assert words != text("fine.assessed", FACTS, language)
    assert "$7.50" in words
    assert "$6.00" in words
    assert ("Jane Eyre" in words) == (kind != "hold-fee")
    assert "$6.00" not in text("fine.assessed", {**facts, "outstanding_cents": None}, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_adjustment_states_the_new_charge_and_the_refund_due(language: str) -> None:
    dropped = text(
        "fine.adjusted", {**FACTS, "amount_cents": None, "refund_due_cents": None}, language
    )
    assert "$" not in dropped
    given_back = text("fine.adjusted", {**FACTS, "refunded": True}, language)
    assert "$7.50" in given_back
    assert given_back != text("fine.adjusted", FACTS, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_ready_items_without_a_last_day_and_uncollected_items_have_their_own_texts(
    language: str,
) -> None:
    open_end = {**FACTS, "shelf_until": None, "collect_from": None}
    for kind in ("hold.ready", "hold.changed"):
        assert "None" not in text(kind, open_end, language)
        assert text(kind, open_end, language) != text(kind, FACTS, language)
    left = text("hold.expired", {**FACTS, "uncollected": True}, language)
    assert str(SAID["branch"]) in left
    assert left != text("hold.expired", FACTS, language)


@pytest.mark.parametrize(
    ("hour", "minute", "told"),
    [
        (0, 0, ("12:00 am", "凌晨12時", "凌晨12时")),
        (5, 30, ("5:30 am", "凌晨5時30分", "凌晨5时30分")),
        (10, 5, ("10:05 am", "上午10時5分", "上午10时5分")),
        (12, 0, ("12:00 pm", "中午12時", "中午12时")),
        (19, 0, ("7:00 pm", "下午7時", "下午7时")),
    ],
)
def test_the_time_of_an_activity_has_an_everyday_format(
    hour: int, minute: int, told: tuple[str, ...]
) -> None:
    begins_at = datetime(2021, 3, 20, hour, minute, tzinfo=ZONE)
    known = replace(KNOWN, activities={"activity-1": Activity("activity-1", 1, "A", begins_at)})
    for language, clock in zip(LANGUAGES, told, strict=True):
        words = text("registration.confirmed", FACTS, language, known)
        between = " at " if language == "en" else ""
        assert f"{said(begins_at, language)}{between}{clock}" in words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["registration.confirmed", "registration.cancelled"])
def test_the_text_of_a_place_works_without_a_known_activity(kind: str, language: str) -> None:
    words = text(kind, FACTS, language, NOTHING_KNOWN)
    assert "2021" not in words
    assert {"en": "registered for", "zh-Hant": "報名", "zh-Hans": "报名"}[language] in words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("kind", "revoked", "day"),
    [
        ("fines.suspended", {"resumes_on": None}, FACTS["previous_resumes_on"]),
        ("branch.closure-changed", {"reopened_on": None}, FACTS["previous_reopened_on"]),
        (
            "branch.closure-changed",
            {"reopened_on": None, "open_again": True},
            FACTS["previous_reopened_on"],
        ),
    ],
)
def test_a_cancelled_day_without_a_replacement_is_named(
    kind: str, revoked: dict[str, Any], day: date, language: str
) -> None:
    words = text(kind, {**FACTS, **revoked}, language)
    assert said(day, language) in words
    assert words != text(kind, FACTS, language)
    assert said(SAID["resumes_on"], language) not in words
    assert said(SAID["reopened_on"], language) not in words


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_of_a_suspension_withdrawn_before_its_start_says_it_does_not_apply(
    language: str,
) -> None:
    void = {**FACTS, "resumes_on": FACTS["starts_on"]}
    words = text("fines.resumed", void, language)
    assert said(SAID["starts_on"], language) in words
    assert said(SAID["previous_resumes_on"], language) not in words


@pytest.mark.parametrize(
    ("language", "names"), [("en", "A, B and C"), ("zh-Hant", "A、B及C"), ("zh-Hans", "A、B及C")]
)
def test_several_libraries_are_joined_as_a_natural_list(language: str, names: str) -> None:
    words = text("fines.resumed", {**FACTS, "branches": ("A", "B", "C")}, language)
    assert names in words


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_about_two_scopes_names_both(language: str) -> None:
    mobile = {**FACTS, "branches": ("ML1",), "resumes_on": date(2021, 5, 3)}
    both = [FACTS, mobile]
    message = message_of("fines.suspended", both, KNOWN, language_of(language), title=None)
    [told] = message.paragraphs
    first, second = (text("fines.suspended", facts, language) for facts in (FACTS, mobile))
    assert told.startswith(first)
    assert told.endswith(second)
