"""The rules of guests: whose mailbox an address reaches, how many e-mails it gets, what is kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.notices.enquiries.refusals import NoSuchGuestEnquiry
from services.notices.enquiries.rules import guests as guests_rules
from services.notices.enquiries.rules.enquiries import State
from services.notices.enquiries.rules.guests import Asked, Guest, Mailbox, Question

NOW = datetime(2021, 6, 1, 2, tzinfo=UTC)
QUESTION = Question("Old photographs", "Of the Peak Tram?")
GUEST = Guest("g-1", 1, "mailbox", "digest", b"sealed", "en", NOW, QUESTION, NOW)


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def after(*asked_at: datetime) -> Mailbox:
    """Return a mailbox that got e-mails to confirm questions of these times."""
    asked = tuple(Asked(f"g-{number}", at) for number, at in enumerate(asked_at))
    return Mailbox("mailbox", 1, asked, NOW)


@pytest.mark.parametrize(
    "address", ["wongsiu@example.org", "Wong.Siu@Example.org", "wong.siu+library@example.org"]
)
def test_addresses_of_one_mailbox_are_recognised(address: str) -> None:
    assert guests_rules.mailbox_name(address) == "wongsiu@example.org"


@pytest.mark.parametrize("address", ["wongsiu@mail.example.org", "wong@example.org"])
def test_addresses_of_other_mailboxes_are_kept_apart(address: str) -> None:
    assert guests_rules.mailbox_name(address) != "wongsiu@example.org"


def test_a_mailbox_gets_three_e_mails_in_a_day() -> None:
    new = Asked("g-9", NOW)
    recent = [NOW - hours(age) for age in (23.9, 2, 1)]
    assert guests_rules.with_question(after(*recent), "mailbox", new, NOW) is None
    old = guests_rules.with_question(after(NOW - hours(24), *recent[1:]), "mailbox", new, NOW)
    assert old is not None
    assert [one.guest_id for one in old.asked] == ["g-1", "g-2", "g-9"]
    first = guests_rules.with_question(None, "mailbox", new, NOW)
    assert first == Mailbox("mailbox", 1, (new,), NOW)


def test_a_confirmed_question_no_longer_counts() -> None:
    left = guests_rules.without_question(after(NOW, NOW), "g-0", NOW)
    assert [one.guest_id for one in left.asked] == ["g-1"]


def test_a_link_confirms_for_a_day_and_is_then_of_no_use() -> None:
    assert guests_rules.check_usable(GUEST, NOW + hours(23.9)) is GUEST
    for guest, now in ((GUEST, NOW + hours(24)), (None, NOW)):
        with pytest.raises(NoSuchGuestEnquiry):
            guests_rules.check_usable(guest, now)
    confirmed = guests_rules.confirmed(GUEST)
    assert (confirmed.question, confirmed.expires_at, confirmed.version) == (None, None, 2)
    assert guests_rules.check_usable(confirmed, NOW + timedelta(days=400)) is confirmed


@pytest.mark.parametrize(
    ("state", "over"),
    [
        ("new", False),
        ("assigned", False),
        ("waiting", True),
        ("answered", True),
        ("closed", True),
    ],
)
def test_a_question_is_over_90_days_after_the_library_has_answered(
    state: State, over: bool
) -> None:
    enquiry = replace(guests_rules.enquiry_of(GUEST, QUESTION, NOW), state=state)
    assert (enquiry.patron_id, enquiry.guest) == (None, "digest")
    assert guests_rules.is_over(enquiry, NOW + timedelta(days=90)) is over
    assert not guests_rules.is_over(enquiry, NOW + timedelta(days=90) - hours(0.1))
