"""Calls of the gateway's API by the callers of a scenario, at the business time of its steps."""

import asyncio
import time
from typing import Any

import aiohttp
import orjson

from ops.scenario.report import ScenarioStopped

PATIENCE_SECONDS = 60.0
"""Seconds for which a step is repeated while a service answers that it is away for a moment."""


class Api:
    """The gateway's API, with the access token of each caller who has logged in."""

    def __init__(self, session: aiohttp.ClientSession, gateway_url: str, name: str) -> None:
        self.now = ""
        """Business time of the next calls."""
        self._session = session
        self._gateway_url = gateway_url
        self._name = name
        self._at_once = asyncio.Semaphore(4)  # checking a PIN takes a core a tenth of a second
        self._keys = 0
        self._tokens: dict[str, str] = {}

    async def call(
        self, method: str, path: str, body: Any = None, *, by: str = "", expect: int | None = None
    ) -> tuple[int, Any]:
        """Call the API, again while a service is away, and return status and answer.

        Raises ScenarioStopped for a problem, unless `expect` is given.
        """
        headers = {"Carrel-Time": self.now}
        if by:
            headers["Authorization"] = f"Bearer {self._tokens[by]}"
        if method != "GET":
            self._keys += 1
            headers["Idempotency-Key"] = f"{self._name}-{self._keys}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            async with (
                self._at_once,
                self._session.request(
                    method, self._gateway_url + path, json=body, headers=headers
                ) as response,
            ):
                raw = await response.read()
            answer = orjson.loads(raw) if raw else None
            if response.status != 503 or time.monotonic() > deadline:
                break
            # A busy machine: the same key makes the next try safe, whatever became of this one.
            await asyncio.sleep(int(response.headers.get("Retry-After", 1)))
        if expect is None and response.status >= 400:
            code = answer.get("code") if isinstance(answer, dict) else None
            detail = answer.get("detail") if isinstance(answer, dict) else None
            raise ScenarioStopped(
                f"{method} {path} at {self.now}: {response.status} {code}: {detail}"
                f"{'' if not isinstance(answer, dict) else ' ' + str(answer.get('errors', ''))}"
            )
        return response.status, answer

    async def get(self, path: str, *, by: str = "") -> Any:
        """Return what a path answers."""
        return (await self.call("GET", path, by=by))[1]

    async def post(self, path: str, body: Any = None, *, by: str) -> Any:
        """Post a command with a key of its own, and return the answer."""
        return (await self.call("POST", path, body, by=by))[1]

    async def log_in(self, who: str, card: str, pin: str) -> None:
        """Log in with a card and keep the access token under a caller's name."""
        answer = (await self.call("POST", "/v1/sessions", {"card_number": card, "pin": pin}))[1]
        self._tokens[who] = answer["access_token"]
