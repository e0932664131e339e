"""The preferences in force at a given time, in any order of events."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from services.notices.patrons.rules import (
    KEPT_PREFERENCES,
    Broadcast,
    Patron,
    Preferences,
    erased,
    in_force_between,
    notification_id,
    prefers,
    seen,
    whole_milliseconds,
)

NOON = datetime(2021, 2, 17, 12, tzinfo=UTC)


def minute(count: int) -> datetime:
    return NOON + timedelta(minutes=count)


def chosen(version: int, at: int, *branches: str, language: str = "en") -> Preferences:
    return Preferences(version, minute(at), branches, ("talk",) if branches else (), language)


VERSIONS = (chosen(1, 0, "HKCL"), chosen(2, 10), chosen(3, 20, "TPO"))


@pytest.mark.parametrize("order", list(permutations(VERSIONS)))
def test_the_current_version_does_not_depend_on_the_order_of_arrival(
    order: tuple[Preferences, ...],
) -> None:
    patron = Patron("p")
    for one in (*order, *order):
        patron = prefers(patron, one)
    assert patron.preferences == VERSIONS
    in_force = [patron.in_force(minute(at)) for at in (-1, 0, 9, 10, 25)]
    assert in_force == [None, VERSIONS[0], VERSIONS[0], VERSIONS[1], VERSIONS[2]]
    assert in_force_between(patron, 1) == (minute(0), minute(10))
    assert in_force_between(patron, 3) == (minute(20), None)


def test_a_version_with_an_earlier_time_still_replaces_the_previous_one() -> None:
    patron = prefers(prefers(Patron("p"), chosen(1, 10, "HKCL")), chosen(2, 9, "TPO"))
    assert in_force_between(patron, 1) is None
    assert patron.in_force(minute(11)) == chosen(2, 9, "TPO")


def test_only_the_latest_versions_are_kept() -> None:
    patron = Patron("p")
    for version in range(KEPT_PREFERENCES + 10, 0, -1):
        patron = prefers(patron, chosen(version, version, "HKCL"))
    kept = [p.version for p in patron.preferences]
    assert kept == list(range(11, KEPT_PREFERENCES + 11))


def test_the_language_in_my_setting_overrides_the_one_of_registration() -> None:
    patron = seen(Patron("p"), 2, "zh-Hant")
    assert seen(patron, 1, "en") is patron
    assert patron.speaks == "zh-Hant"
    assert prefers(patron, chosen(1, 0, language="zh-Hans")).speaks == "zh-Hans"


def test_an_erased_patron_stays_erased() -> None:
    patron = erased(prefers(seen(Patron("p"), 1, "zh-Hant"), chosen(1, 0, "HKCL")))
    assert (patron.erased, patron.preferences, patron.language) == (True, (), "en")
    assert seen(patron, 9, "en") is patron
    assert prefers(patron, chosen(2, 5, "HKCL")) is patron
    broadcast = Broadcast("e", 1, "fines.resumed", NOON, {})
    assert broadcast.concerns(Patron("p"))
    assert not broadcast.concerns(patron)


def test_a_reopening_concerns_the_patrons_who_follow_the_branch_at_that_time() -> None:
    patron = Patron("p", preferences=VERSIONS)
    told = [
        Broadcast("e", 1, "branch.reopened", minute(at), {}, branch="HKCL").concerns(patron)
        for at in (-1, 0, 9, 10, 20)
    ]
    assert told == [False, True, True, False, False]
    talk = Broadcast("e", 1, "recording.released", minute(5), {}, activity_type="talk")
    assert talk.concerns(patron)


def test_a_notification_has_one_id_for_an_event_and_a_patron() -> None:
    assert notification_id("e", "p") == notification_id("e", "p")
    assert len({notification_id(e, p) for e in ("e", "f") for p in ("p", "q")}) == 4


def test_instants_are_compared_with_the_precision_of_the_database() -> None:
    assert whole_milliseconds(NOON.replace(microsecond=1999)) == NOON.replace(microsecond=1000)
