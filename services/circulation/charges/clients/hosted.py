"""Calls of providers that have pages of their own, over HTTP."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog

from services.circulation.charges.clients import ProviderAway
from services.circulation.settings import Settings
from shared.deadlines import allowed

CALL_SECONDS = 1.5
"""Time limit of a call, in seconds."""
MOST_BYTES = 1024 * 1024
"""Greatest size of an answer."""
CURRENCY = "HKD"
"""The currency of all amounts, as ISO 4217 has it."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Reply:
    """The answer of a provider: 2xx, or a 4xx that is about the call itself."""

    status: int
    body: Mapping[str, Any]

    @property
    def done(self) -> bool:
        """True if the call was carried out."""
        return self.status < 400


@dataclass(frozen=True)
class Client:
    """The API of a provider at an address, with the library's secret key."""

    settings: Settings
    address: str
    """Without a slash at its end."""

    def return_to(self, payment_id: str) -> str:
        """Return the address to which a patron comes back from the provider's page."""
        return f"{self.settings.public_url}/payments/{payment_id}?returned=1"

    async def call(
        self, method: str, path: str, *, key: str = "", refused: tuple[int, ...] = (), **body: Any
    ) -> Reply:
        """Make a call, once for `key`; `refused` are the statuses of 4xx that are answers.

        `body` is `data` for a form, or `json`. Raises ProviderAway for any other answer, such as
        one about the library's account.
        """
        headers = {"Authorization": f"Bearer {self.settings.payment_secret}"}
        if key:
            headers["Idempotency-Key"] = key
        timeout = aiohttp.ClientTimeout(total=allowed(CALL_SECONDS))
        try:
            async with (
                aiohttp.ClientSession(self.address, timeout=timeout, headers=headers) as session,
                session.request(method, path, allow_redirects=False, **body) as answer,
            ):
                text = await answer.content.read(MOST_BYTES)
                status = answer.status
            found = json.loads(text) if text else {}
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ProviderAway from error
        if status >= 300:
            log.warning("provider refuses", status=status, call=path.split("/")[2])
        if not isinstance(found, dict) or (status >= 300 and status not in refused):
            raise ProviderAway
        return Reply(status, found)
