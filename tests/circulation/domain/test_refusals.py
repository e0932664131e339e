"""Every refusal has a code for programs and a reason for people."""

import re

from services.circulation.domain import refusals
from services.circulation.domain.refusals import Refusal


def test_codes_are_distinct_and_kebab_case() -> None:
    codes = [refusal.code for refusal in Refusal.__subclasses__()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_a_reason_states_its_facts() -> None:
    assert "10" in refusals.LoanLimit(limit=10).reason
    assert str(refusals.NoSuchCopy(barcode="3001")) == refusals.NoSuchCopy(barcode="3001").reason
