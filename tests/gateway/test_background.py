"""Each background task of a service is restarted after an arbitrary exception."""

import asyncio
import inspect
from functools import wraps
from typing import Any

import pytest

from services.gateway.app import create_app
from services.gateway.settings import Settings
from shared import supervision
from shared.supervision import FAILURES
from tests import patience
from tests.gateway.readiness import readiness
from tests.support import served, until

TASKS = {"watch_owners", "keep_whole", "keep_writing", "watch", "stop_in_time", "keep_keys"} | {
    "watch_sessions",
    "relay",
    "listener",
    "jobs",
    "sealer",
}


def fail_once(target: str, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Make a function raise at its first call; the returned event is set at the second."""
    owner, _, name = target.rpartition(".")
    original = getattr(_resolved(owner), name)
    again = asyncio.Event()
    calls = 0

    def called() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("at the first call")
        again.set()

    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def later(*args: Any, **named: Any) -> Any:
            called()
            return await original(*args, **named)

        monkeypatch.setattr(target, later)
    else:

        @wraps(original)
        def now(*args: Any, **named: Any) -> Any:
            called()
            return original(*args, **named)

        monkeypatch.setattr(target, now)
    return again


def _resolved(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        return __import__(path, fromlist=["_"])
    except ImportError:
        return getattr(_resolved(module), name)


def counted() -> dict[str, float]:
    """Return how often each task failed."""
    return {
        sample.labels["task"]: sample.value
        for metric in FAILURES.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


@pytest.mark.parametrize(
    ("task", "target"),
    [
        ("watch_owners", "services.gateway.edge.proxy._probe"),
        ("keep_whole", "services.gateway.views.rebuild._form"),
        ("keep_writing", "services.gateway.views.own_writes.keep_writing"),
        ("watch", "services.gateway.views.store.reads.written"),
        ("watch_sessions", "services.gateway.views.ended_sessions.ended_sessions"),
        ("stop_in_time", "services.gateway.views.stream.stop_in_time"),
        ("keep_keys", "shared.auth.Verifier.keep_renewed"),
        ("relay", "shared.relay.hold_lease"),
        ("relay", "shared.relay.Relay.drain"),
        ("listener", "shared.bus.listener.ensure_topics"),
        ("listener", "shared.bus.listener.Listener._commit_until_stuck"),
        ("listener", "shared.bus.listener.Listener._read_all"),
        ("jobs", "shared.jobs._repeat"),
        ("sealer", "shared.audit_seals.seal"),
    ],
)
async def test_a_failed_background_task_is_counted_and_restarted_alone(
    settings: Settings, kafka: str, monkeypatch: pytest.MonkeyPatch, task: str, target: str
) -> None:
    monkeypatch.setattr(supervision, "PAUSE_SECONDS", 0.05)
    all_roles = settings.model_copy(
        update={
            "roles": ("api", "consumers", "relay", "jobs"),
            "kafka": kafka,
            "partitions": 1,
            "simulation": False,
        }
    )
    again = fail_once(target, monkeypatch)
    before = counted()
    async with served(create_app, all_roles) as api:
        api.app.state.streams.read.set()  # as if a client followed an account
        async with patience.within(60):
            await again.wait()

        async def listens() -> bool:
            _, ready = await readiness(api)
            return "tasks" not in ready["checks"] and ready["checks"]["consumer"] == "listening"

        await until(listens, within=60)
        failed = {name: count - before.get(name, 0) for name, count in counted().items()}
        assert {name: failed[name] for name in TASKS} == {
            name: float(name == task) for name in TASKS
        }
