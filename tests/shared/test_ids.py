"""The time that an id contains."""

from datetime import UTC, datetime

import pytest

from shared.clock import wall_clock
from shared.ids import new_id, time_of


def test_an_id_contains_its_creation_time() -> None:
    made = time_of(new_id())
    assert made is not None
    assert abs((wall_clock() - made).total_seconds()) < 60
    first = "01780d6c-4b20-7e47-92c1-8d5f0b3a7e06"
    assert time_of(first) == datetime.fromtimestamp(0x01780D6C4B20 / 1000, UTC)


@pytest.mark.parametrize(
    "identifier",
    ["", "title-1", "9b2f8c1e-3c55-4d8e-8f7a-0d3e5a6b7c8d", "ffffffff-ffff-7fff-bfff-ffffffffffff"],
    ids=["nothing", "no UUID", "one without a time", "of a year that no date has"],
)
def test_an_id_in_another_format_has_no_creation_time(identifier: str) -> None:
    assert time_of(identifier) is None
