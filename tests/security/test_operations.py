"""Metrics and the details of health are on a port of their own, which clients do not reach."""

import aiohttp
import pytest

from ops.infrastructure.processes import System
from services.registry import NAMES

DETAILS = ("/metrics", "/asyncapi", "/health/ready", "/health/owners")


@pytest.mark.parametrize("service", NAMES)
async def test_the_port_of_clients_tells_only_that_the_process_answers(
    running: System, service: str
) -> None:
    async with aiohttp.ClientSession() as session:
        for path in DETAILS:
            async with session.get(running.url(service) + path) as answer:
                assert answer.status == 404, path
        async with session.get(f"{running.url(service)}/health/live") as alive:
            assert await alive.json() == {"status": "alive"}


@pytest.mark.parametrize("service", NAMES)
async def test_the_port_of_operations_tells_the_details(running: System, service: str) -> None:
    own = DETAILS if service == "gateway" else DETAILS[:3]
    async with aiohttp.ClientSession() as session:
        for path in own:
            async with session.get(running.operations_url(service) + path) as answer:
                assert answer.status == 200, path
        async with session.get(f"{running.operations_url(service)}/v1/me") as other:
            assert other.status == 404
