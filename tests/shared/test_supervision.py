"""Background tasks that fail are restarted and counted; in the end the process stops."""

import asyncio

import aiohttp
import pytest
import structlog
from fastapi import FastAPI
from prometheus_client import REGISTRY
from structlog.testing import LogCapture

from services.settings import Settings
from shared import supervision
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.supervision import Supervisor
from shared.unit_of_work import Busy
from tests import patience
from tests.support import Api, loopback_server, until


def failures(task: str) -> float:
    """Return how often a task has failed, according to the metric."""
    name = "carrel_background_task_failures_total"
    return REGISTRY.get_sample_value(name, {"task": task}) or 0.0


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses before restarts."""
    monkeypatch.setattr(supervision, "PAUSE_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", [RuntimeError, ExceptionGroup, asyncio.CancelledError, None])
async def test_a_task_that_ends_is_restarted_without_stopping_the_others(
    kind: type[BaseException] | None,
) -> None:
    name = f"ends-{kind and kind.__name__}"
    again, other_goes_on = asyncio.Event(), asyncio.Event()
    ended = 0

    async def ends() -> None:
        nonlocal ended
        if ended:
            again.set()
            await asyncio.Event().wait()
        ended += 1
        if kind is ExceptionGroup:
            raise ExceptionGroup("several", [RuntimeError()])
        if kind is not None:
            raise kind

    async def other() -> None:
        await again.wait()
        other_goes_on.set()
        await asyncio.Event().wait()

    supervisor = Supervisor(give_up=lambda: None, stopping=lambda: False)
    supervisor.start("other", other)
    supervisor.start(name, ends)
    try:
        async with patience.within(60):
            await other_goes_on.wait()
        assert failures(name) == 1
        assert supervisor.failing() is None
    finally:
        await supervisor.stop()


async def test_a_task_whose_cancellation_a_library_swallows_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervision, "CANCEL_AGAIN_SECONDS", 0.01)
    swallowed = asyncio.Event()

    async def continues() -> None:
        while True:
            # As aiokafka closes a client: it cancels a task of its own, and waits for its end.
            own = asyncio.create_task(asyncio.Event().wait())
            try:
                await own
            except asyncio.CancelledError:
                if swallowed.is_set():
                    raise
                swallowed.set()

    supervisor = Supervisor(give_up=lambda: None, stopping=lambda: False)
    supervisor.start("continues", continues)
    await asyncio.sleep(0)
    async with patience.within(60):
        await supervisor.stop()
    assert swallowed.is_set()


async def test_each_failure_is_logged_and_the_pause_before_a_restart_doubles_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervision, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE_SECONDS", 0.005)
    last = asyncio.Event()
    runs = 0

    async def fails() -> None:
        nonlocal runs
        runs += 1
        if runs == 6:
            last.set()
            await asyncio.Event().wait()
        raise RuntimeError

    capture = LogCapture()
    monkeypatch.setattr(supervision, "log", structlog.wrap_logger(None, processors=[capture]))
    supervisor = Supervisor(give_up=lambda: None, stopping=lambda: False)
    supervisor.start("fails-often", fails)
    async with patience.within(60):
        await last.wait()
    await supervisor.stop()
    logged = capture.entries
    assert {(entry["event"], entry["task"], entry["error"]) for entry in logged} == {
        ("background task failed", "fails-often", "RuntimeError")
    }
    assert [entry["seconds"] for entry in logged] == [0.001, 0.002, 0.004, 0.005, 0.005]


def create_app(settings: Settings) -> FastAPI:
    async def always_fails(_: FastAPI) -> None:
        raise RuntimeError

    return create_service_app(
        Service(
            name="circulation", title="Fails", routers=(), indexes={}, background=(always_fails,)
        ),
        settings,
    )


@pytest.mark.usefixtures("quick")
async def test_a_process_is_not_ready_while_a_task_keeps_failing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "GIVE_UP_AFTER", 10**9)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE_SECONDS", 0.1)
    app = create_app(settings.model_copy(update={"roles": ("api",)}))
    async with loopback_server(app) as url, aiohttp.ClientSession() as session:

        async def unready() -> bool:
            response = await Api(app, url, session).operations("/health/ready")
            said = response.json()["checks"].get("tasks", "")
            return bool(response.status == 503 and said.startswith("always_fails failed"))

        await until(unready, within=60)
        async with session.get(f"{url}/health/live") as response:
            assert response.status == 200


@pytest.mark.usefixtures("quick")
async def test_a_process_exits_when_restarts_do_not_help(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"roles": ("api",)}))
    async with loopback_server(app) as url, aiohttp.ClientSession() as session:

        async def gone() -> bool:
            try:
                async with session.get(f"{url}/health/live"):
                    return False
            except aiohttp.ClientConnectionError:
                return True

        await until(gone, within=60)
    server = app.state.give_up.__self__
    assert server.failed  # `carrel serve` then exits with 1


async def test_tasks_of_a_group_raise_the_first_of_their_errors_by_itself() -> None:
    async def fails() -> None:
        raise Busy("other writers")

    async def several() -> None:
        async with supervision.task_group() as group:
            group.create_task(fails())
            group.create_task(asyncio.Event().wait())

    with pytest.raises(Busy, match="other writers"):
        await several()
