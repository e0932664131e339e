"""Scheduled jobs of the gateway: the views' tombstones, and the synthetic patron."""

import random
import time
from datetime import timedelta
from typing import Any, cast

import aiohttp
import structlog
from prometheus_client import Gauge

from services.gateway import settings
from services.gateway.views.store import builds
from shared.clock import wall_clock
from shared.jobs import Jobs
from shared.owners import OwnerAway
from shared.settings import Settings
from shared.unit_of_work import Run

jobs = Jobs()
log = structlog.get_logger()

MARGIN_DAYS = 7
CHUNK = 200
STEP_SECONDS = 5.0
"""Seconds after which a step of the synthetic patron has failed."""
LOG_IN, ACCOUNT, LOANS, LOG_OUT = "log-in", "account", "loans", "log-out"
STEP_OK = Gauge(
    "carrel_synthetic_patron_ok", "1 where the synthetic patron's last try succeeded", ["step"]
)
STEP_TIME = Gauge("carrel_synthetic_patron_seconds", "Time of its last try", ["step"])
_devices: dict[str, str] = {}
"""Device token by card, so that each log-in of a process comes from a known device."""


def tombstone_retention(settings: Settings) -> timedelta:
    """Return how long views keep tombstones: longer than an older event can be delayed.

    Topics keep events for some days, and so do outboxes, from which `carrel replay` refills them.
    """
    return timedelta(days=max(settings.retention_days, settings.outbox_days) + MARGIN_DAYS)


@jobs.every(minutes=10)
async def purge_tombstones(run: Run) -> int:
    """Remove items that ended long ago, by the wall clock even in a simulation.

    Return the number of views and queue places that contained such items.
    """
    before = wall_clock() - tombstone_retention(run.settings)
    purged = 0
    while count := await builds.purge(run.database, before, CHUNK):
        purged += count
    return purged


class StepFailed(OwnerAway):
    """The synthetic patron could not do something; `code` is a status, or the type of an error."""

    def __init__(self, step: str, code: str) -> None:
        super().__init__("gateway")
        self.step = step
        self.code = code


@jobs.every(minutes=1)
async def synthetic_patron(run: Run) -> int:
    """Use the account of CARREL_SYNTHETIC_PATRON as a patron does, through a gateway's address.

    It logs in, looks at the account and at its loans, and logs out. Return the number of steps, 0
    without such a patron. Raises StepFailed.
    """
    own = cast(settings.Settings, run.settings)
    if not own.synthetic_patron:
        return 0
    address = random.choice(own.urls_of("gateway"))  # noqa: S311 - each replica in its turn
    card, _, pin = own.synthetic_patron.partition(":")
    credentials = {"card_number": card, "pin": pin, "device_token": _devices.get(card)}
    limit = aiohttp.ClientTimeout(total=STEP_SECONDS)
    connector = aiohttp.TCPConnector(ssl=own.tls_client())
    async with aiohttp.ClientSession(address, timeout=limit, connector=connector) as client:
        try:
            token = await _step(client, LOG_IN, "POST", "/v1/sessions", json=credentials)
            _devices[card] = token["device_token"] or _devices.get(card, "")
            client.headers["Authorization"] = f"Bearer {token['access_token']}"
            shown = await _step(client, ACCOUNT, "GET", "/v1/me")
            if shown["patron"]["id"] != token["patron_id"]:
                STEP_OK.labels(ACCOUNT).set(0)
                raise StepFailed(ACCOUNT, "another patron's")
            await _step(client, LOANS, "GET", "/v1/me/loans")
            await _step(client, LOG_OUT, "DELETE", "/v1/sessions/current")
        except StepFailed as failure:
            log.warning("synthetic patron failed", step=failure.step, code=failure.code)
            raise
    return 4


async def _step(
    client: aiohttp.ClientSession, step: str, method: str, path: str, **more: Any
) -> Any:
    """Return the answer of a step as JSON, if it has a body; measure it. Raises StepFailed."""
    began = time.monotonic()
    code = ""
    try:
        async with client.request(method, path, **more) as response:
            body = await response.read()
            code = str(response.status)
            if response.ok:
                return await response.json() if body else None
    except (aiohttp.ClientError, TimeoutError) as error:
        code = type(error).__name__
    finally:
        STEP_OK.labels(step).set(code.startswith("2"))
        STEP_TIME.labels(step).set(time.monotonic() - began)
    raise StepFailed(step, code)
