"""A retry policy decides the pauses between attempts, and which errors end them."""

from itertools import islice

import pytest
from pymongo.errors import AutoReconnect

from shared.bus.retry import RetryPolicy
from shared.owners import OwnerAway, OwnerRefused

POLICY = RetryPolicy(fault_pauses=(0.4, 1.6), first_pause=0.1, longest_pause=0.3)


def test_pauses_double_up_to_the_longest_while_a_dependency_is_away() -> None:
    assert list(islice(POLICY.waits(), 5)) == [0.1, 0.2, 0.3, 0.3, 0.3]


def test_a_faulty_message_is_retried_once_after_each_pause() -> None:
    error = RuntimeError()
    assert [POLICY.pause_after(attempts, error) for attempts in (1, 2, 3)] == [0.4, 1.6, None]


def test_a_message_that_does_not_match_its_schema_is_not_retried() -> None:
    assert POLICY.pause_after(1, ValueError()) is None


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (AutoReconnect(), True),
        (OwnerAway("circulation"), True),
        (OwnerRefused("circulation", 422), False),
        (RuntimeError(), False),
    ],
)
def test_only_errors_of_unavailable_dependencies_are_transient(
    error: Exception, transient: bool
) -> None:
    assert POLICY.is_transient(error) is transient
