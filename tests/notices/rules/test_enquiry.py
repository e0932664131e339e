"""The states of an enquiry, and the steps that each state refuses."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.notices.enquiries.refusals import EnquiryChanged, EnquiryFull, EnquiryIsClosed
from services.notices.enquiries.rules import enquiries as enquiries_rules
from services.notices.enquiries.rules.enquiries import MOST_MESSAGES, Enquiry, Librarian

ASKED = datetime(2021, 3, 8, 10, tzinfo=UTC)
LATER = datetime(2021, 3, 9, 10, tzinfo=UTC)
LEE, WONG = Librarian("s1", "Lee"), Librarian("s2", "Wong")
NEW = Enquiry("e1", 3, "p1", "Old maps", "en", ASKED, ASKED)
TAKEN = replace(NEW, state="assigned", librarian=LEE)
CLOSED = replace(TAKEN, state="closed")

Step = Callable[[Enquiry, int], Enquiry]
OF_STAFF: dict[str, Step] = {
    "answer": lambda one, seen: enquiries_rules.answered(one, WONG, LATER, seen=seen, asks=False),
    "ask": lambda one, seen: enquiries_rules.answered(one, WONG, LATER, seen=seen, asks=True),
    "take": lambda one, seen: enquiries_rules.assigned(one, WONG, LATER, seen=seen),
    "pass on": lambda one, seen: enquiries_rules.passed_on(one, "STPL", LATER, seen=seen),
    "close": lambda one, seen: enquiries_rules.closed(one, LATER, seen=seen),
}


@pytest.mark.parametrize(
    ("step", "state", "librarian", "messages"),
    [
        ("answer", "answered", WONG, 2),
        ("ask", "waiting", WONG, 2),
        ("take", "assigned", WONG, 1),
        ("pass on", "new", None, 1),
        ("close", "closed", LEE, 1),
    ],
)
def test_each_step_of_the_staff_leads_to_its_state(
    step: str, state: str, librarian: Librarian | None, messages: int
) -> None:
    done = OF_STAFF[step](TAKEN, 3)
    assert (done.state, done.librarian, done.messages) == (state, librarian, messages)
    assert (done.version, done.changed_at) == (4, LATER)


@pytest.mark.parametrize("step", OF_STAFF)
def test_staff_change_only_the_version_of_an_open_enquiry_that_they_read(step: str) -> None:
    with pytest.raises(EnquiryChanged) as changed:
        OF_STAFF[step](TAKEN, 2)
    assert changed.value.extra == {"version": 3}
    with pytest.raises(EnquiryIsClosed):
        OF_STAFF[step](CLOSED, 3)


def test_a_patron_closes_an_enquiry_whatever_its_version() -> None:
    assert enquiries_rules.closed(TAKEN, LATER, seen=None).state == "closed"


def test_a_reply_opens_an_enquiry_for_who_worked_on_it() -> None:
    for before, state in ((NEW, "new"), (TAKEN, "assigned"), (CLOSED, "assigned")):
        replied = enquiries_rules.replied(before, LATER)
        assert (replied.state, replied.librarian, replied.messages) == (state, before.librarian, 2)
        assert replied.is_open


def test_the_time_of_the_first_answer_stays() -> None:
    first = enquiries_rules.answered(NEW, LEE, ASKED, seen=3, asks=True)
    second = enquiries_rules.answered(first, WONG, LATER, seen=4, asks=False)
    assert (second.first_answered_at, second.changed_at) == (ASKED, LATER)


def test_a_full_enquiry_takes_no_message_but_can_be_closed() -> None:
    last = enquiries_rules.replied(replace(TAKEN, messages=MOST_MESSAGES - 1), LATER)
    assert last.messages == MOST_MESSAGES
    with pytest.raises(EnquiryFull):
        enquiries_rules.replied(last, LATER)
    with pytest.raises(EnquiryFull):
        enquiries_rules.answered(last, LEE, LATER, seen=4, asks=False)
    assert enquiries_rules.closed(last, LATER, seen=4).state == "closed"
