"""The sequence of renewal tokens of a session."""

from datetime import UTC, datetime, timedelta

import pytest

from services.accounts.sign_in.rules import GRACE, Reused, Session, place_of, renewal_token, renewed

START = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
OPENED = Session("s-1", "patron-1", START, START + timedelta(hours=1), renewed_at=START)
KEY = "a key of these tests"


def test_each_token_is_used_once_and_the_next_differs() -> None:
    after = renewed(OPENED, 1, START + timedelta(minutes=4))
    assert (after.place, after.version) == (2, 2)
    assert after.renewed_at == START + timedelta(minutes=4)
    assert renewal_token(after, KEY) != renewal_token(OPENED, KEY)
    assert after.expires_at == OPENED.expires_at


def test_the_former_token_gives_the_newest_again_for_a_short_time() -> None:
    after = renewed(OPENED, 1, START)
    assert renewed(after, 1, START + GRACE) == after
    with pytest.raises(Reused):
        renewed(after, 1, START + GRACE + timedelta(seconds=1))


@pytest.mark.parametrize("place", [0, 1, 4, 99])
def test_any_other_token_was_copied(place: int) -> None:
    after = renewed(renewed(OPENED, 1, START), 2, START)
    assert after.place == 3
    with pytest.raises(Reused):
        renewed(after, place, START)


def test_a_token_names_its_session_and_place_and_is_not_guessed() -> None:
    token = renewal_token(OPENED, KEY)
    assert place_of(token, KEY) == ("s-1", 1)
    digest = token.rpartition(".")[2]
    for forged in (
        f"s-1.2.{digest}",
        f"s-2.1.{digest}",
        token[:-1],
        "",
        "..",
        "a.1.",
        "\u00e9.1.x",
    ):
        assert place_of(forged, KEY) is None
    assert place_of(token, "another key") is None
    assert place_of(token, "") is None
