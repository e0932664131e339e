"""The progress of a sweep: workers take chunks, and some never finish."""

from datetime import UTC, date, datetime, timedelta

from services.circulation.rules.sweep import (
    HOLD,
    SETTLE,
    Position,
    Stage,
    Sweep,
    SweepState,
    Trigger,
    abandoned,
    begin,
    come_to_an_end,
    finish,
    stages_left,
    take,
    take_again,
)

NOON = datetime(2021, 2, 17, 12, tzinfo=UTC)
CAUSE = Trigger(NOON, "r1", "e1")
NEW = begin(None, "HKCL", 3, CAUSE)


def places(*names: str) -> tuple[Position, ...]:
    return tuple(Position(Stage.LOANS, name, 0, date(2020, 12, 4)) for name in names)


def taken(sweep: Sweep = NEW, *names: str, at: datetime = NOON) -> Sweep:
    return take(sweep, places(*(names or ("a", "b"))), 5, at)


def test_a_worker_takes_a_chunk_and_finishes_it() -> None:
    sweep = taken(taken(NEW, "a", "b"), "c")
    assert [chunk.number for chunk in sweep.in_hand] == [1, 2]
    assert sweep.place == places("c")[0]
    sweep = finish(finish(sweep, 1), 2)
    assert (sweep.done, sweep.total, sweep.in_hand) == (3, 5, ())


def test_the_sweep_serves_queues_before_it_moves_dates_and_skips_no_stage() -> None:
    assert stages_left(NEW) == (Stage.QUEUES, Stage.SHELF, Stage.LOANS)
    shelf = take(NEW, (Position(Stage.SHELF, "h"),), 5, NOON)
    assert stages_left(shelf) == (Stage.SHELF, Stage.LOANS)
    assert (shelf.in_hand[0].stage, shelf.in_hand[0].ids) == (Stage.SHELF, ("h",))
    assert stages_left(come_to_an_end(finish(shelf, 1), NOON)) == tuple(Stage)


def test_an_abandoned_chunk_is_processed_again_and_counted_once() -> None:
    sweep = taken()
    assert abandoned(sweep, NOON + HOLD - timedelta(seconds=1)) is None
    chunk = abandoned(sweep, NOON + HOLD)
    assert chunk is not None
    again = take_again(sweep, chunk, NOON + HOLD)
    assert again.in_hand[0].ids == ("a", "b")
    assert abandoned(again, NOON + HOLD) is None
    done = finish(again, 1)
    assert done.done == 2
    assert finish(done, 1) is done  # the first worker reports late


def test_a_sweep_ends_after_a_final_pass_once_no_chunk_is_in_progress() -> None:
    sweep = taken()
    assert come_to_an_end(sweep, NOON) is sweep
    settling = come_to_an_end(finish(sweep, 1), NOON)
    assert (settling.state, settling.place) == (SweepState.SETTLING, None)
    early = come_to_an_end(settling, NOON + SETTLE - timedelta(seconds=1))
    assert early is settling
    done = come_to_an_end(settling, NOON + SETTLE)
    assert (done.state, done.since) == (SweepState.DONE, 3)


def test_a_final_pass_that_began_too_early_does_not_end_the_sweep() -> None:
    settling = come_to_an_end(finish(taken(), 1), NOON)
    looked = finish(taken(settling, "late"), 2)
    again = come_to_an_end(looked, NOON)
    assert (again.state, again.place, again.done) == (SweepState.SETTLING, None, 3)


def test_a_newer_announcement_restarts_the_sweep_from_the_version_that_all_loans_have() -> None:
    under_way = taken()
    newer = begin(under_way, "HKCL", 4, CAUSE)
    assert (newer.calendar_version, newer.since) == (4, 0)
    assert (newer.in_hand, newer.place, newer.done) == ((), None, 0)
    assert newer.version == under_way.version + 1
    assert taken(newer).in_hand[0].number == 2  # not mistaken for a chunk of the earlier version
    done = come_to_an_end(come_to_an_end(finish(under_way, 1), NOON), NOON + SETTLE)
    assert begin(done, "HKCL", 4, CAUSE).since == 3
