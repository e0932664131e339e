"""The part of tests/ops/containers.py that runs in a container, where service names resolve."""

import asyncio
import os
import sys

import aiohttp

from ops.infrastructure.embedded import Infrastructure
from ops.infrastructure.processes import System
from ops.scenario import demo
from tests.library import Library, PatientFlow


class Named(System):
    """A system whose processes the container engine runs; the network names its services."""

    def url(self, service: str, replica: int = 0) -> str:
        assert replica == 0, "a name stands for all replicas"
        return self.environment[f"CARREL_{service.upper()}_URL"]

    def operations_url(self, service: str, replica: int = 0) -> str:
        host, _, _ = self.url(service, replica).rpartition(":")
        return f"{host}:{self.environment['CARREL_OPERATIONS_PORT']}"


def named() -> System:
    """Return the system that the environment of this container describes."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("CARREL_")}
    mongo, kafka = environment["CARREL_MONGO_URL"], environment["CARREL_KAFKA"]
    return Named(Infrastructure(mongo, kafka, mongod=None, broker=None), {}, environment)


async def lend(system: System) -> None:
    """Lend two items to a new patron; the account must show both."""
    async with Library(system) as library:
        branch = await library.branch()
        card = await library.patron(branch)
        barcodes = await library.copies(branch, 2)
        await library.flow.settle(within=120)  # circulation has to know the branch
        loans = await library.lend(card, barcodes, branch)
        await library.flow.settle(within=120)
        overview = await library.get("/v1/me", by=card)
        assert {shown["id"] for shown in overview["loans"]} == {loan["id"] for loan in loans}
        assert all(source["live"] for source in overview["sources"].values()), overview["sources"]


async def topics(system: System) -> None:
    """Print the number of events on the topics, once all are published and processed."""
    async with aiohttp.ClientSession() as session, PatientFlow(system, session) as flow:
        await flow.settle(within=120)
        print(sum((await flow.counts()).values()))  # noqa: T201 - this is its output


if __name__ == "__main__":
    if sys.argv[1] == "demo":
        sys.exit(0 if demo.run(named(), as_json=False) else 1)
    asyncio.run({"lend": lend, "topics": topics}[sys.argv[1]](named()))
