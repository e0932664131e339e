"""kill -9 at random steps, one after the other, on one running system under load.

Each seed gives the service to kill, the step, the pass, and the replica if there are two.
CARREL_SEEDS names the seeds to play: `1-200`, or `17` to play one again.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ops.infrastructure.child import Child
from ops.infrastructure.processes import System
from tests.conftest import APACHE
from tests.faults.kills import STEPS, Death, armable, doomed
from tests.faults.load import KINDS, Load
from tests.faults.report import record
from tests.library import Library
from tests.systems import started_system

pytestmark = pytest.mark.kafka  # test_kills has each step on the embedded broker

REPLICAS = {"circulation": 2, "notices": 2}
BATCH = 20
"""Seeds between two audits."""
MOST_PASSES = 3


@dataclass(frozen=True)
class Seed:
    """One kill."""

    number: int
    service: str
    point: str
    passes: int
    replica: int

    @classmethod
    def of(cls, number: int) -> "Seed":
        """Return the kill of this number, always the same."""
        dice = random.Random(number)  # noqa: S311 - it must be repeatable
        service, point = dice.choice(STEPS)
        replica = dice.randrange(REPLICAS.get(service, 1))
        return cls(number, service, point, dice.randint(1, MOST_PASSES), replica)

    def victims(self, running: System) -> list[Child]:
        """The processes to arm: one replica, or all relays, since only one relay is at work."""
        if self.point.startswith("relay."):
            return [
                running.process(self.service, replica)
                for replica in range(REPLICAS.get(self.service, 1))
            ]
        return [running.process(self.service, self.replica)]


def seeds() -> list[int]:
    """Return the numbers in CARREL_SEEDS."""
    first, _, last = os.environ.get("CARREL_SEEDS", "1-20").partition("-")
    return list(range(int(first), int(last or first) + 1))


def batches() -> list[list[int]]:
    numbers = seeds()
    return [numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system with two replicas of the services that consume and serve."""
    with started_system(
        tmp_path_factory,
        broker=APACHE,
        replicas=REPLICAS,
        environment=lambda folder: armable(folder, REPLICAS),
    ) as started:
        yield started


def test_two_hundred_seeds_reach_every_step() -> None:
    kills = [Seed.of(number) for number in range(1, 201)]
    assert {(kill.service, kill.point) for kill in kills} == set(STEPS)
    assert {(kill.service, kill.replica) for kill in kills} >= {("notices", 1), ("circulation", 1)}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("numbers", batches(), ids=lambda numbers: f"{numbers[0]}-{numbers[-1]}")
async def test_a_kill_at_random_loses_and_doubles_nothing(
    running: System, library: Library, numbers: list[int]
) -> None:
    deaths: list[Death] = []
    async with Load(library, rate=30) as load:
        for seed in map(Seed.of, numbers):
            print(seed)  # noqa: T201 - a seed that fails is to be played again
            async with doomed(seed.victims(running), seed.point, seed.passes) as death:
                deaths.append(await death)
    found = await load.audited()
    back = [
        load.first_success(death.at, *KINDS[death.service]) for death in deaths if death.serving
    ]
    record(
        "kill -9 at a random step under load",
        running,
        invariant="nothing is lost or doubled; each answer within 2 s or a 503",
        found=found,
        counts={"seeds": len(numbers)},
        recovery=max((seconds for seconds in back if seconds is not None), default=None),
    )
    assert found.findings == []
    load.check_answers(
        gateway_away=[(d.at - 0.5, d.ready_at) for d in deaths if d.service == "gateway"]
    )
