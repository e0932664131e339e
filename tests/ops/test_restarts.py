"""A process that ended is restarted after a pause, which grows if it keeps ending."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.infrastructure.child import Child
from ops.infrastructure.restarts import LONGEST_PAUSE, STEADY, Restarts


class Watch:
    """Watched processes, with a clock that the test sets and a record of the messages."""

    def __init__(self, folder: Path, *commands: list[str]) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.children = [
            Child(f"child-{number}", command, folder / f"{number}.log", lambda: True, 0)
            for number, command in enumerate(commands)
        ]
        for child in self.children:
            child.launch()
        self.restarts = Restarts(self.children, self.said.append, lambda: self.now)

    def look_at(self, now: float) -> list[str]:
        """Set the clock to `now`, look once, and return the messages."""
        self.now, self.said[:] = now, []
        self.restarts.check()
        return list(self.said)


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(tmp_path, ["sleep", "600"], ["sleep", "600"])
    yield watch
    for child in watch.children:
        child.kill()


def test_a_process_that_ended_is_started_again_after_the_pause(watch: Watch) -> None:
    victim, other = watch.children
    pid = other.pid
    victim.kill()
    [ended] = watch.look_at(10.0)
    assert ended.startswith("child-0 ended with code -9. It is started again in 1 s.")
    assert not watch.look_at(10.9)
    assert victim.exit_code == -9
    [started] = watch.look_at(11.0)
    assert started == f"child-0 is started again: pid {victim.pid}."
    assert victim.running
    assert other.pid == pid


def test_the_pause_doubles_up_to_a_minute_and_begins_anew_after_a_steady_run(watch: Watch) -> None:
    victim = watch.children[0]
    now, pauses = 0.0, []
    for _ in range(8):
        victim.kill()
        [ended] = watch.look_at(now)
        pauses.append(float(ended.partition(" again in ")[2].partition(" s")[0]))
        now += pauses[-1]
        watch.look_at(now)
        assert victim.running
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_PAUSE, LONGEST_PAUSE]
    victim.kill()
    [ended] = watch.look_at(now + STEADY)
    assert "in 1 s." in ended
