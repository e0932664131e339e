"""The day of a bot that guesses PINs, and the time that owners take to log in meanwhile.

    .venv/bin/python -m benchmarks.guessing [--cards 10000] [--addresses 50] [--hours 24]

The bot goes through the cards again and again. From each address it tries until strangers of its
network wait, each hour of a simulated day, at two replicas of accounts on one database. Meanwhile
owners log in on known devices, once an hour. PINs are hashed with small parameters for this part.

Then owners log in with the usual parameters, in turns alone and while the bot tries at the
gateway's limit, 60 times a minute from each address, from another process. By then the bot has
spent its budgets, and its PINs are not checked any more; `--hours 0` measures the first minutes of
an attack, when they are. No test asserts the result.
"""

import asyncio
import collections
import contextlib
import itertools
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from unittest import mock

import aiohttp
from argon2 import PasswordHasher

from benchmarks.show import options
from ops.infrastructure.embedded import embedded
from services.accounts.app import create_app
from services.accounts.settings import Settings
from services.accounts.sign_in import routes as sign_in_routes
from services.accounts.sign_in.commands import hashes
from shared.deadlines import lengthened
from shared.http.client_address import HEADER, client_header
from tests.support import Api, Client, served, token, until

OWNERS, LOG_INS, ROUNDS = 10, 50, 4
PIN = "27-18-28"
SECRET = "secret of this benchmark"  # noqa: S105 - not one in use


def say(line: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


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
            card_key=SECRET,
            device_keys=SECRET,
            service_secret=SECRET,
            log_level="error",
        )
        async with served(create_app, settings) as one, served(create_app, settings) as other:
            yield one, other


async def log_in(
    replica: Client, address: str, card: str, pin: str, device: str = ""
) -> tuple[int, str]:
    """Try to log in; return the status, and the code or the token of the device."""
    body = {"card_number": card, "pin": pin} | ({"device_token": device} if device else {})
    headers = {HEADER: client_header(address, SECRET, whole=True)}
    answer = await replica.call("POST", "/v1/sessions", body, headers=headers)
    found = answer.json()
    return answer.status, str(found.get("code") or found.get("device_token"))


async def guess(
    replica: Api, address: str, cards: Iterator[str], tried: collections.Counter[str]
) -> None:
    """Try PINs from one address until 60 were checked or 20 were refused."""
    checked = refused = 0
    while checked < 60 and refused < 20:
        card = next(cards)
        _, code = await log_in(replica, address, card, "00-00-00")
        if code == "bad-credentials":
            tried[card] += 1
            checked += 1
        else:
            refused += 1


async def day_of_a_bot(
    both: tuple[Api, Api], cards: list[str], devices: dict[str, str], addresses: int, hours: int
) -> None:
    """Let the bot guess each hour of a simulated day, and print how often it tried the cards."""
    now = datetime.now(UTC)
    tried: collections.Counter[str] = collections.Counter()
    order = itertools.cycle(cards)
    refusals: collections.Counter[str] = collections.Counter()
    # A day in some minutes: a busy machine must not refuse anybody.
    with (
        quick_pins(),
        lengthened(deadlines=40),
        mock.patch.object(sign_in_routes, "wall_clock") as clock,
    ):
        for hour in range(hours):
            clock.return_value = now + timedelta(minutes=66 * hour)
            bots = (
                guess(both[one % 2], f"203.0.113.{one}", order, tried) for one in range(addresses)
            )
            owners = owners_log_in(both, devices, len(devices), refusals)
            await asyncio.gather(owners, asyncio.gather(*bots))
            say(f"hour {hour + 1}: {sum(tried.values())} PINs checked")
    often = sum(count > 5 for count in tried.values())
    say(f"{sum(tried.values())} PINs checked in {hours} hours, with {len(tried)} cards;")
    say(
        f"cards tried more than 5 times: {often} of {len(cards)} ({100 * often / len(cards):.2f} %)"
    )
    say(f"owners refused: {refusals.total()} of {hours * len(devices)} {dict(refusals)}")


@contextlib.contextmanager
def quick_pins() -> Iterator[None]:
    """Hash PINs with small parameters until the block ends."""
    hashes.hash_with(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    try:
        yield
    finally:
        hashes.hash_with(hashes.USUAL)


async def owners_log_in(
    both: tuple[Api, Api],
    devices: dict[str, str],
    log_ins: int,
    refusals: collections.Counter[str],
) -> list[float]:
    """Let the owners log in one after another; return the times of those not refused, in ms."""
    times = []
    for turn, card in zip(range(log_ins), itertools.cycle(list(devices)), strict=False):
        begun = time.perf_counter()
        status, found = await log_in(both[turn % 2], "198.51.100.1", card, PIN, devices[card])
        if status == 200:
            times.append(1000 * (time.perf_counter() - begun))
            devices[card] = found
        else:
            refusals[found] += 1
    return times


@contextlib.contextmanager
def attacked_by_a_bot(
    urls: list[str], cards: list[str], addresses: int
) -> Iterator[Callable[[], Awaitable[bool]]]:
    """Let a bot of another process guess until the block ends; yield a check whether it has begun.

    It tries at the gateway's limit, 60 times a minute from each address.
    """
    spawning = multiprocessing.get_context("spawn")
    begun = spawning.Event()
    bot = spawning.Process(target=play_bot, args=(urls, cards, addresses, begun), daemon=True)
    bot.start()

    async def is_at_work() -> bool:
        return begun.is_set()

    try:
        yield is_at_work
    finally:
        bot.terminate()
        bot.join()


def play_bot(urls: list[str], cards: list[str], addresses: int, begun: Event) -> None:
    """Guess PINs from all addresses, until this process is ended."""

    async def play() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            clients = [Client(url, session) for url in urls]

            async def attack(one: int) -> None:
                for card in itertools.cycle(cards[one::addresses]):
                    await log_in(clients[one % 2], f"203.0.113.{one}", card, "00-00-00")
                    begun.set()
                    await asyncio.sleep(1)

            await asyncio.gather(*(attack(one) for one in range(addresses)))

    asyncio.run(play())


async def measure(
    both: tuple[Api, Api], cards: list[str], devices: dict[str, str], addresses: int
) -> None:
    """Compare the time of log-ins during an attack with that without one, in turns."""
    alone: list[float] = []
    attacked: list[float] = []
    refusals: collections.Counter[str] = collections.Counter()
    # The first log-in hashes a PIN with today's parameters.
    await owners_log_in(both, devices, len(devices), refusals)
    for _ in range(ROUNDS):
        alone += await owners_log_in(both, devices, LOG_INS, refusals)
        with attacked_by_a_bot([one.url for one in both], cards, addresses) as is_at_work:
            await until(is_at_work)
            attacked += await owners_log_in(both, devices, LOG_INS, refusals)
    quiet, busy = (statistics.quantiles(times, n=20)[-1] for times in (alone, attacked))
    say(f"owners alone: p95 {quiet:.0f} ms; during the attack: p95 {busy:.0f} ms")
    say(f"owners refused: {refusals.total()} of {2 * ROUNDS * LOG_INS} {dict(refusals)}")
    say(f"{busy / quiet:.1f} times as long")


async def main(cards: int, addresses: int, hours: int) -> None:
    """Play the day, then measure."""
    async with replicas() as both:
        names = [f"HK{number:06}Z" for number in range(cards)]
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
        if hours:
            await day_of_a_bot(both, names, devices, addresses, hours)
        await measure(both, names, devices, addresses)


if __name__ == "__main__":
    asked = options(cards=10_000, addresses=50, hours=24)
    asyncio.run(main(asked.cards, asked.addresses, asked.hours))
