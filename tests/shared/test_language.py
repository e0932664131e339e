"""The check of `make check` finds texts that read as riddles, and says what to write instead."""

import pytest

from tests.language import faults


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('"""What is owed."""', 'opens with "What": begin with a verb'),
        ('def fine():\n    """Whether it is charged."""', 'opens with "Whether"'),
        ('class Loan:\n    due: str\n    """Of the copy."""', 'opens with "Of"'),
        ('"""A message that was buried."""', 'write "dead letter"'),
        ('"""Correct a date, and the price thereof."""', 'write "a plain word'),
        ("def test_who_pays_is_told(): ...", "test_who_pays_is_told names no subject"),
    ],
)
def test_a_text_that_breaks_the_language_rules_is_reported(source: str, says: str) -> None:
    [(line, fault)] = faults(source)
    assert says in fault
    assert line >= 1


def test_plain_texts_pass() -> None:
    source = '"""A fine."""\n\ndef test_a_fine_is_charged_once():\n    """Return nothing."""\n'
    assert list(faults(source)) == []
