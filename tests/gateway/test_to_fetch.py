"""The account of a patron whose copy staff still have to fetch."""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from services.gateway.app import create_app
from services.gateway.settings import Settings
from shared.contracts import circulation
from tests import samples
from tests.support import served, token

Hear = Callable[..., Awaitable[None]]


async def test_a_hold_is_to_fetch_until_an_event_says_that_its_copy_was_scanned(
    whole: None, settings: Settings, hear: Hear
) -> None:
    away: dict[str, Any] = {"copy_id": "copy-1", "state": "in-transit"}
    async with served(create_app, settings) as api:
        for event, state in (
            (samples.hold(circulation.HoldPlaced, 1), "waiting"),
            (samples.hold(circulation.HoldChanged, 2, to_fetch=True, **away), "to-fetch"),
            (samples.hold(circulation.HoldChanged, 3, **away), "in-transit"),
        ):
            await hear(event)
            [shown] = (await api.insist("GET", "/v1/me", as_=token())).json()["holds"]
            assert (shown["state"], shown["expires_on"]) == (state, "2021-06-30")
        ready: dict[str, Any] = {
            "copy_id": "copy-1",
            "state": "ready",
            "shelf_until": date(2021, 2, 9),
        }
        await hear(samples.hold(circulation.HoldReady, 4, **ready))
        [shown] = (await api.insist("GET", "/v1/me", as_=token())).json()["holds"]
        assert (shown["state"], shown["expires_on"]) == ("ready", "2021-02-09")
