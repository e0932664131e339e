"""The circuit to an owner: when it opens, and when it closes again."""

import asyncio

import pytest

from services.gateway.edge import liveness as circuits
from services.gateway.edge.liveness import (
    FAILURES,
    REST_SECONDS,
    WINDOW_SECONDS,
    Circuit,
    Liveness,
    State,
)
from services.gateway.settings import Settings
from services.registry import OWNERS
from shared.owners import OwnerAway
from tests.gateway.conftest import says
from tests.gateway.test_proxy import Gateway
from tests.support import reaching

ADDRESSES = {owner: (f"http://{owner}", f"http://{owner}-2") for owner in OWNERS}
EVENTS, CIRCULATION = "http://events", "http://circulation"


def opened(at: float = 0.0) -> Circuit:
    """Return a circuit that failures have opened."""
    circuit = Circuit()
    for _ in range(FAILURES):
        assert circuit.admits(at)
        circuit.failed(at)
    return circuit


def test_the_circuit_opens_after_five_failures_in_a_row() -> None:
    assert not opened().admits(0.1)


def test_an_answer_between_failures_keeps_the_circuit_closed() -> None:
    circuit = Circuit()
    for _ in range(FAILURES - 1):
        circuit.failed(0.0)
    circuit.answered()
    for _ in range(FAILURES - 1):
        circuit.failed(0.0)
    assert circuit.admits(0.0)


def test_old_failures_do_not_count() -> None:
    circuit = Circuit()
    for number in range(3 * FAILURES):
        circuit.failed(number * WINDOW_SECONDS / (FAILURES - 1))
    assert circuit.admits(3 * FAILURES * WINDOW_SECONDS)


@pytest.mark.parametrize("probe", [True, False], ids=["the probe is answered", "time has passed"])
def test_a_half_open_circuit_lets_one_call_through(probe: bool) -> None:
    circuit = opened()
    now = 1.0 if probe else REST_SECONDS
    if probe:
        circuit.alive()
    assert [circuit.admits(now) for _ in range(3)] == [True, False, False]
    circuit.answered()
    assert [circuit.admits(now) for _ in range(3)] == [True, True, True]


def test_a_failed_trial_call_opens_the_circuit_again() -> None:
    circuit = opened()
    assert circuit.admits(REST_SECONDS)
    circuit.failed(REST_SECONDS + 1)
    assert not circuit.admits(2 * REST_SECONDS)
    assert circuit.admits(2 * REST_SECONDS + 1)


def test_another_call_becomes_the_trial_when_its_caller_gives_up() -> None:
    circuit = opened()
    assert circuit.admits(REST_SECONDS)
    circuit.given_up(REST_SECONDS)
    assert circuit.state is State.OPEN
    circuit.alive()
    assert circuit.admits(REST_SECONDS)


async def test_a_client_that_disconnects_does_not_count_as_a_failure() -> None:
    liveness = Liveness(ADDRESSES)
    for _ in range(2 * FAILURES):
        with (
            pytest.raises(asyncio.CancelledError),
            liveness.calling("events", EVENTS, "POST"),
        ):
            raise asyncio.CancelledError
    assert not liveness.away("events")
    with liveness.calling("events", EVENTS, "POST"):
        pass


async def test_each_owner_has_its_own_circuit() -> None:
    liveness = Liveness(ADDRESSES)
    for _ in range(FAILURES):
        with pytest.raises(TimeoutError), liveness.calling("events", EVENTS, "POST"):
            raise TimeoutError
    with pytest.raises(OwnerAway), liveness.calling("events", EVENTS, "POST"):
        pass
    with liveness.calling("notices", "http://notices", "POST"):
        pass


async def test_each_address_has_its_own_circuit_and_those_that_answer_are_tried_first() -> None:
    liveness = Liveness(ADDRESSES)
    first, second = ADDRESSES["events"]
    assert {liveness.addresses_of("events")[0] for _ in range(4)} == {first, second}
    for _ in range(FAILURES):
        with pytest.raises(TimeoutError), liveness.calling("events", first, "POST"):
            raise TimeoutError
    with pytest.raises(OwnerAway), liveness.calling("events", first, "POST"):
        pass
    with liveness.calling("events", second, "POST"):
        pass
    assert {tuple(liveness.addresses_of("events")) for _ in range(4)} == {(second, first)}
    assert (liveness.away("events"), liveness.report()["events"]) == (False, True)
    liveness.probed("events", second, False)
    assert (liveness.away("events"), liveness.report()["events"]) == (True, False)


async def test_unanswered_reads_do_not_open_the_circuit_for_commands() -> None:
    liveness = Liveness(ADDRESSES)
    for _ in range(FAILURES):
        with (
            pytest.raises(TimeoutError),
            liveness.calling("circulation", CIRCULATION, "GET"),
        ):
            raise TimeoutError
    with pytest.raises(OwnerAway), liveness.calling("circulation", CIRCULATION, "GET"):
        pass
    with liveness.calling("circulation", CIRCULATION, "POST"):
        pass


@pytest.mark.deadlines
async def test_calls_fail_at_once_after_several_calls_timed_out(
    settings: Settings, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuits, "REST_SECONDS", 600.0)  # no trial before the end of this test
    async with (
        says(b"") as silent,
        gateway(reaching(settings, events=silent)) as api,
    ):
        await asyncio.gather(*(api.post("/v1/activities", {}) for _ in range(FAILURES)))
        for _ in range(3):
            answer = await api.post("/v1/activities", {})
            assert (answer.status, answer.json()["code"]) == (503, "unavailable")
            assert answer.headers["Retry-After"] == "2"
        metrics = (await api.operations("/metrics")).body.decode()
        other = settings.urls["notices"]
        for owner, address, state in (("events", silent, 1.0), ("notices", other, 0.0)):
            labels = f'{{address="{address}",calls="commands",owner="{owner}"}}'
            assert f"carrel_owner_circuit_open{labels} {state}" in metrics
