"""The day of a bot that guesses PINs, and the time that owners take to log in meanwhile.

    .venv/bin/python -m benchmarks.guessing [--cards 10000] [--addresses 50] [--hours 24]

The bot goes through the cards again and again. From each address it tries until strangers of its
network wait, each hour of a simulated day, at two replicas of accounts on one database. PINs are
hashed with small parameters for this part. Then owners log in on known devices with the usual
parameters, first alone and then while the bot tries at the gateway's limit, 60 times a minute from
each address. No test asserts the result.
"""

import argparse
import asyncio
import collections
import contextlib
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from argon2 import PasswordHasher

from ops.infrastructure.embedded import embedded
from services.accounts.app import create_app
from services.accounts.routes import sessions
from services.accounts.settings import Settings
from services.accounts.usecases import check_pin
from shared.http.client_address import HEADER, client_header
from tests.support import Api, served, token

OWNERS, LOG_INS = 10, 100
PIN = "27-18-28"
SECRET = "secret of this benchmark"  # noqa: S105 - not one in use


def say(line: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(line + "\n")


@contextlib.asynccontextmanager
async def replicas() -> AsyncIterator[tuple[Api, Api]]:
    """Run a database and two replicas of accounts until the block ends."""
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded(Path(folder), kafka=False, mongo_port=None) as infrastructure,
    ):
        settings = Settings(
            mongo_url=infrastructure.mongo_url,
            database_prefix="guessing",
            roles=("api",),
            card_key="key of this benchmark",
            service_secret=SECRET,
            log_level="error",
        )
        async with served(create_app, settings) as one, served(create_app, settings) as other:
            yield one, other


async def log_in(
    replica: Api, address: str, card: str, pin: str, device: str = ""
) -> tuple[int, str]:
    """Try to log in; return the status, and the code or the token of the device."""
    body = {"card_number": card, "pin": pin} | ({"device_token": device} if device else {})
    headers = {HEADER: client_header(address, SECRET, whole=True)}
    answer = await replica.post("/v1/sessions", body, headers=headers)
    found = answer.json()
    return answer.status, str(found.get("code") or found.get("device_token"))


async def guess(
    replica: Api, address: str, cards: Iterator[str], tried: collections.Counter[str]
) -> None:
    """Try PINs from one address until 60 were checked or 200 were refused."""
    checked = refused = 0
    while checked < 60 and refused < 200:
        card = next(cards)
        _, code = await log_in(replica, address, card, "00-00-00")
        if code == "bad-credentials":
            tried[card] += 1
            checked += 1
        else:
            refused += 1


async def day_of_a_bot(both: tuple[Api, Api], cards: list[str], addresses: int, hours: int) -> None:
    """Let the bot guess each hour of a simulated day, and print how often it tried the cards."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    now = datetime.now(UTC)
    tried: collections.Counter[str] = collections.Counter()
    order = itertools.cycle(cards)
    with (
        mock.patch.object(check_pin, "_hasher", quick),
        mock.patch.object(check_pin, "_nobodys", quick.hash("nobody's")),
        mock.patch.object(sessions, "wall_clock") as clock,
    ):
        for hour in range(hours):
            clock.return_value = now + timedelta(minutes=66 * hour)
            bots = (
                guess(both[one % 2], f"203.0.113.{one}", order, tried) for one in range(addresses)
            )
            await asyncio.gather(*bots)
    often = sum(count > 5 for count in tried.values())
    say(f"{sum(tried.values())} PINs checked in {hours} hours, with {len(tried)} cards;")
    say(
        f"cards tried more than 5 times: {often} of {len(cards)} ({100 * often / len(cards):.2f} %)"
    )


async def owners_log_in(both: tuple[Api, Api], devices: dict[str, str]) -> tuple[int, float]:
    """Let the owners log in one after another; return the number of refusals and p95 in ms."""
    times, refused = [], 0
    for turn, card in zip(range(LOG_INS), itertools.cycle(devices), strict=False):
        begun = time.perf_counter()
        status, found = await log_in(both[turn % 2], "198.51.100.1", card, PIN, devices[card])
        times.append(1000 * (time.perf_counter() - begun))
        if status == 200:
            devices[card] = found
        else:
            refused += 1
    return refused, statistics.quantiles(times, n=20)[-1]


async def main(cards: int, addresses: int, hours: int) -> None:
    """Play the day, then measure."""
    async with replicas() as both:
        names = [f"HK{number:06}Z" for number in range(cards)]
        await day_of_a_bot(both, names, addresses, hours)
        devices = {}
        for card in names[:OWNERS]:
            patron = {
                "card_number": card,
                "pin": PIN,
                "name": "Chan",
                "category": "adult",
                "home_branch": "KPL",
                "language": "en",
            }
            await both[0].post("/v1/patrons", patron, as_=token("staff-1", ["staff"]))
            devices[card] = (await log_in(both[0], "192.0.2.1", card, PIN))[1]
        refused, quiet = await owners_log_in(both, devices)
        say(f"owners alone: p95 {quiet:.0f} ms, {refused} refused")

        async def attack(one: int) -> None:
            for card in itertools.cycle(names):
                await log_in(both[one % 2], f"203.0.113.{one}", card, "00-00-00")
                await asyncio.sleep(1)

        bots = [asyncio.create_task(attack(one)) for one in range(addresses)]
        refused, busy = await owners_log_in(both, devices)
        for bot in bots:
            bot.cancel()
        say(f"owners during the attack: p95 {busy:.0f} ms, {refused} refused")
        say(f"{busy / quiet:.1f} times as long")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cards", type=int, default=10_000)
    parser.add_argument("--addresses", type=int, default=50)
    parser.add_argument("--hours", type=int, default=24)
    given = parser.parse_args()
    asyncio.run(main(given.cards, given.addresses, given.hours))
