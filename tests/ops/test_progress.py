"""A terminal shows how far a long command is."""

import re
from pathlib import Path

from services.registry import NAMES
from services.settings import Settings
from shared.bus.topics import ensure_topics
from tests.ops.command import of_kafka, shown
from tests.published import loans, publish


async def test_follow_shows_how_many_events_it_has_read_and_its_rate(
    kafka: str, tmp_path: Path
) -> None:
    settings = Settings(kafka=kafka, partitions=3)
    await ensure_topics(settings, NAMES)
    await publish(settings, loans(40))
    place = ("--to", str(tmp_path / "tables"), "--until-now")
    text = shown("analytics", "follow", *place, **of_kafka(settings))
    assert "Reading events" in text
    assert "40/40" in text
    assert re.search(r"[\d,]+/s", text)


def test_simulate_shows_how_many_days_have_passed(tmp_path: Path) -> None:
    size = ("--patrons", "50", "--days", "20")
    text = shown("simulate", *size, "--tables", str(tmp_path / "city"))
    assert "Simulating days" in text
    assert re.search(r"(19|20)/20", text)
