"""Play one test again and again beside a load that keeps all processors busy.

`make steady TEST=tests/web/test_desk.py::test_a_copy_is_lent TIMES=20 MARKS=web` reports the number
of failures. MARKS is the expression of marks of a suite that `make test` leaves out.
"""

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.second_look import play


def _work() -> None:
    while os.getppid() != 1:  # the load ends with the run, also if that is killed
        for _ in range(1_000_000):
            pass


@contextmanager
def load() -> Iterator[None]:
    """Keep all processors busy until the block ends."""
    workers = [
        multiprocessing.get_context("spawn").Process(target=_work, daemon=True)
        for _ in range(os.cpu_count() or 1)
    ]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def failures(test: str, times: int, marks: str) -> int:
    """Play a test a number of times beside a load; return the number of failures."""
    failed = 0
    with load():
        for number in range(1, times + 1):
            took = play(test, marks)
            failed += took is None
            ended = "failed" if took is None else f"passed in {took:.1f} s"
            print(f"{number} of {times}: {ended}", flush=True)  # noqa: T201
    return failed


if __name__ == "__main__":
    _, name, count, expression = sys.argv
    found = failures(name, int(count), expression)
    print(f"{name} failed {found} of {count} times")  # noqa: T201
    sys.exit(1 if found else 0)
