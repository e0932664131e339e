"""The deadlines of a process can be lengthened, and usually are not."""

import pytest

from shared.deadlines import allowed, last_resort, lengthened


@pytest.mark.deadlines
def test_deadlines_are_those_in_the_code_until_they_are_lengthened() -> None:
    with lengthened():
        assert (allowed(1.5), last_resort(1.6)) == (1.5, 1.6)
        with lengthened(deadlines=10, last_resorts=20):
            assert (allowed(1.5), last_resort(1.6)) == (15, 32)
        assert (allowed(1.5), last_resort(1.6)) == (1.5, 1.6)
