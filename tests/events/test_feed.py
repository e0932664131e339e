"""The programme as an iCalendar feed."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.events.activities.routes.feed import calendar
from services.events.activities.rules import Activity

NOW = datetime(2021, 2, 26, 2, tzinfo=UTC)
NOTHING: dict[str, Any] = dict.fromkeys(
    ("branch", "ends_at", "speaker", "language", "enquiries", "recording_from")
)
TALK = Activity(
    id="talk-1",
    title="Factory In and Out",
    type="talk",
    venue="Hall",
    organiser="The library",
    starts_at=datetime(2021, 3, 20, 11, tzinfo=UTC),
    **NOTHING,
)


def read(written: bytes) -> list[str]:
    """Return the lines of a calendar, unfolded as section 3.1 (RFC 5545) defines it."""
    text = written.decode()
    assert text.endswith("\r\n")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def split(lines: list[str]) -> tuple[list[str], set[str], list[str]]:
    """Return the lines before the one entry, the lines in it, and those after it."""
    begins, ends = lines.index("BEGIN:VEVENT"), lines.index("END:VEVENT")
    return lines[:begins], set(lines[begins + 1 : ends]), lines[ends + 1 :]


def test_an_activity_is_a_calendar_entry_with_times_in_utc() -> None:
    lasting = replace(
        TALK,
        ends_at=datetime(2021, 3, 20, 13, tzinfo=UTC),
        speaker="Prof. LUI Tai-lok",
        language="Cantonese",
        enquiries="2921 0388",
        version=3,
    )
    before, entry, after = split(read(calendar([lasting], NOW)))
    assert before == ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Carrel//Activities//EN"]
    assert entry == {
        "UID:talk-1",
        "DTSTAMP:20210226T020000Z",
        "SEQUENCE:2",
        "DTSTART:20210320T110000Z",
        "DTEND:20210320T130000Z",
        "SUMMARY:Factory In and Out",
        "LOCATION:Hall",
        "DESCRIPTION:Prof. LUI Tai-lok\\nThe library\\nCantonese\\n2921 0388",
        "CATEGORIES:talk",
        "STATUS:CONFIRMED",
    }
    assert after == ["END:VCALENDAR"]


def test_the_calendar_marks_a_cancelled_activity() -> None:
    assert "STATUS:CANCELLED" in read(calendar([replace(TALK, cancelled_at=NOW)], NOW))


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("Paper, ink; and \\", "Paper\\, ink\\; and \\\\"),
        ("One\nEND:VEVENT\r\nBEGIN:VEVENT", "One\\nEND:VEVENT\\nBEGIN:VEVENT"),
        ("A\x00\x1b[0m\x85\u2028B", "A[0mB"),
        ("工廠" * 60, "工廠" * 60),
        ("x" * 300, "x" * 300),
    ],
    ids=["punctuation", "line ends", "control characters", "long, of many octets", "long"],
)
def test_line_breaks_in_a_title_are_escaped(title: str, written: str) -> None:
    lines = read(calendar([replace(TALK, title=title)], NOW))
    assert [line for line in lines if line.startswith("SUMMARY:")] == [f"SUMMARY:{written}"]
    assert lines.count("BEGIN:VEVENT") == 1


def test_an_empty_programme_is_a_valid_calendar() -> None:
    assert read(calendar([], NOW)) == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Carrel//Activities//EN",
        "END:VCALENDAR",
    ]
