"""The rule by which a partition counts as skipped by its consumer."""

import pytest
from aiokafka import TopicPartition

from shared.bus.progress import Progress

A, B = TopicPartition("loan.renewed", 0), TopicPartition("loan.returned", 0)


@pytest.mark.parametrize(
    ("later", "position", "taken_in", "passed_over"),
    [
        pytest.param(20, 3, 100, [A], id="more to read, and nothing was processed"),
        pytest.param(10, 3, 100, [], id="not for long yet"),
        pytest.param(20, 4, 101, [], id="it was read"),
        pytest.param(20, 3, 150, [], id="the others had much to read: its turn will come"),
        pytest.param(20, 3, 152, [A], id="all that waited before it, and more, was processed"),
        pytest.param(20, 5, 102, [], id="it was read to its end"),
    ],
)
def test_a_skipped_partition_is_detected(
    later: float, position: int, taken_in: int, passed_over: list[TopicPartition]
) -> None:
    progress = Progress(patience=15)
    assert progress.look(1000, {A: 3, B: 0}, {A: 5, B: 48}, 100) == []
    assert progress.look(1000 + later, {A: position, B: 48}, {A: 5, B: 48}, taken_in) == passed_over


def test_a_fully_read_partition_is_never_reported_as_skipped() -> None:
    progress = Progress(patience=15)
    for moment in range(0, 100, 10):
        assert progress.look(moment, {A: 5}, {A: 5}, 7) == []


def test_a_partition_is_skipped_once_the_others_are_read_and_nothing_more_arrives() -> None:
    progress = Progress(patience=15)
    assert progress.look(1000, {A: 3, B: 0}, {A: 5, B: 48}, 100) == []
    assert progress.look(1010, {A: 3, B: 48}, {A: 5, B: 48}, 148) == []
    assert progress.look(1020, {A: 3, B: 48}, {A: 5, B: 48}, 148) == []
    assert progress.look(1025, {A: 3, B: 48}, {A: 5, B: 48}, 148) == [A]
