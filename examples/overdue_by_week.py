"""Count the loans that became overdue, by library and week, as a stream: with Quix Streams.

    KAFKA=127.0.0.1:9092 .venv/engines/bin/python examples/overdue_by_week.py

It prints a count each time that it changes, until Ctrl-C, and continues there later. Its state is
in the folder `state`, and on topics of its own, from which another machine can restore it. Kafka
may deliver an event again, so the state has the ids of the events of each patron.
"""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from quixstreams import Application, State

Headers = list[tuple[str, bytes]]


def business_time(_value: Any, headers: Headers, _timestamp: float, _kind: Any) -> int:
    """Return when the loan became overdue, in milliseconds: the week counts in which that was."""
    return int(datetime.fromisoformat(dict(headers)["ce_time"].decode()).timestamp() * 1000)


def is_new(_loan: Any, _key: Any, _timestamp: int, headers: Headers, state: State) -> bool:
    """Return whether the event comes for the first time."""
    event_id = dict(headers)["ce_id"].decode()
    if state.exists(event_id):
        return False
    state.set(event_id, True)
    return True


def show(week: Any, branch: str, *_: Any) -> None:
    """Print the count of a library in a week, which begins on a Thursday, as Unix time does."""
    begins = datetime.fromtimestamp(week["start"] / 1000, UTC).date()
    print(begins, branch, week["value"], flush=True)


app = Application(
    broker_address=os.environ["KAFKA"],
    consumer_group="example-overdue-by-week",
    auto_offset_reset="earliest",
    loglevel=None,  # its log would be among the results
)
overdue = app.topic("loan.overdue", value_deserializer="json", timestamp_extractor=business_time)
loans = app.dataframe(overdue)
loans = loans.filter(is_new, stateful=True, metadata=True)
loans = loans.filter(lambda loan: loan["notice"] == 1)  # the others remind of the same loan
by_branch = loans.group_by("branch")
# Events of several partitions come in any order: weeks take late ones for a year.
weeks = by_branch.tumbling_window(timedelta(weeks=1), grace_ms=timedelta(days=365)).count()
weeks.current().update(show, metadata=True)

if __name__ == "__main__":
    app.run()
