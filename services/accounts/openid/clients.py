"""The connection to clients that are told of the end of a session (Back-Channel Logout 1.0)."""

import asyncio

import aiohttp

SEND_SECONDS = 5.0
"""Time limit of one message with all its steps."""


async def post_log_out(address: str, token: str) -> bool:
    """Send a log-out token to a registered address; return whether it was accepted.

    Redirects are not followed, and the answer is not read.
    """
    try:
        async with (
            asyncio.timeout(SEND_SECONDS),
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.post(address, data={"logout_token": token}, allow_redirects=False) as answer,
        ):
            return answer.status in (200, 204)
    except (aiohttp.ClientError, OSError, ValueError):  # TimeoutError is an OSError
        return False
