"""Every refusal has a code and a status for programs, and a reason for people."""

import re

from services.circulation.refusals import LoanLimit, NoSuchCopy, Refusal


def test_codes_are_distinct_and_kebab_case() -> None:
    codes = [refusal.code for refusal in Refusal.__subclasses__()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_a_missing_resource_is_404_and_any_other_refusal_409() -> None:
    missing = {refusal.code for refusal in Refusal.__subclasses__() if refusal.status == 404}
    assert {refusal.status for refusal in Refusal.__subclasses__()} == {404, 409}
    assert "unknown-branch" in missing
    # A barcode is one of several in the body of a request, not its resource.
    assert "no-such-copy" not in missing
    assert all(code.startswith("no-such-") for code in missing - {"unknown-branch"})


def test_the_reason_of_a_refusal_contains_its_facts() -> None:
    assert "10" in LoanLimit(limit=10).reason
    assert str(NoSuchCopy(barcode="3001")) == NoSuchCopy(barcode="3001").reason
