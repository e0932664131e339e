"""A refusal is declared in one line: status, code, reason, and the facts that the problem has."""

import pytest

from shared.refusals import Refusal

LoanLimit = Refusal.define(409, "loan-limit", "The limit is {limit}.")
NoSuchBranch = Refusal.define(404, "no-such-branch", "No library is {branches}.", "branches")


def test_the_reason_of_a_refusal_contains_its_facts() -> None:
    with pytest.raises(LoanLimit) as refused:
        raise LoanLimit(limit=10)
    assert (refused.value.status, refused.value.code) == (409, "loan-limit")
    assert str(refused.value) == refused.value.reason == "The limit is 10."
    assert refused.value.extra == {}


def test_a_problem_has_only_the_facts_that_its_refusal_names_as_members() -> None:
    refused = NoSuchBranch(branches=["XKC", "YOA"])
    assert refused.reason == "No library is XKC, YOA."
    assert refused.extra == {"branches": ["XKC", "YOA"]}


def test_a_refusal_is_named_after_its_code() -> None:
    assert NoSuchBranch.__name__ == "NoSuchBranch"
    assert not issubclass(NoSuchBranch, LoanLimit)
