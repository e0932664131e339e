"""The sample of random tests: the same for a seed, another for another, and all on request."""

import pytest

from tests.sampling import SEED, sample


def test_a_seed_chooses_the_same_cases_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SEED, "3fa9c1d2")
    first = sample(range(100), 10)
    assert sample(range(100), 10) == first == sorted(set(first))
    assert len(first) == 10


def test_all_cases_are_played_by_some_seed_and_by_a_full_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SEED, "all")
    assert sample(range(100), 10) == list(range(100))
    played: set[int] = set()
    for seed in range(200):
        monkeypatch.setenv(SEED, str(seed))
        played |= set(sample(range(100), 10))
    assert played == set(range(100))
