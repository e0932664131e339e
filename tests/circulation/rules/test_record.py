"""Numbers of the trade in a title's record."""

import pytest

from services.circulation.rules.record import isbn_of_ten, normal_identifier, normal_isbn


@pytest.mark.parametrize("ten", ["0061120081", "080442957X"])
def test_an_isbn_of_ten_digits_is_linked_with_its_thirteen(ten: str) -> None:
    assert isbn_of_ten(normal_isbn(ten)) == ten


def test_an_isbn_that_begins_with_979_has_no_ten_digits() -> None:
    assert isbn_of_ten("9798886451740") is None


@pytest.mark.parametrize(
    ("scheme", "written", "normal"),
    [
        ("isbn", "0-06-112008-1", "9780061120084"),
        ("issn", "03178471", "0317-8471"),
        ("issn", "1050-124x", "1050-124X"),
        ("ean", "4006381333931", "4006381333931"),
        ("ean", "0 36000 29145 2", "036000291452"),
        ("ean", "96385074", "96385074"),
    ],
)
def test_an_identifier_is_stored_in_its_normal_form(scheme: str, written: str, normal: str) -> None:
    assert normal_identifier(scheme, written) == normal


@pytest.mark.parametrize(
    ("scheme", "written"),
    [("issn", "0317-8472"), ("issn", "0317"), ("ean", "4006381333932"), ("ean", "12")],
)
def test_an_identifier_with_a_wrong_check_digit_is_refused(scheme: str, written: str) -> None:
    with pytest.raises(ValueError, match=scheme.upper()):
        normal_identifier(scheme, written)
