"""The Services of a cluster as relays on loopback, which know the pods by their EndpointSlices."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ops.infrastructure import ports

Address = tuple[str, int]


def loopback(pod_ip: str) -> str:
    """Return where the processes of a pod listen: 10.1.2.3 is 127.1.2.3 on this machine.

    Kubernetes accepts no EndpointSlice with a loopback address.
    """
    return f"127.{pod_ip.partition('.')[2]}"


class Relays:
    """Do what kube-proxy does: each connection to a Service goes to a pod that is ready.

    While none is, it goes to one that ends and still says that it is ready. If that pod does not
    answer, the connection is broken.
    """

    def __init__(self) -> None:
        self._pods: dict[str, list[Address]] = {}
        self._ports: dict[tuple[str, int | None], int] = {}
        self._servers: list[asyncio.Server] = []

    async def port_of(self, service: str, to: int | None = None) -> int:
        """Return the port on loopback of a Service, which need not exist yet.

        `to` is another port of its pods, for tests.
        """
        if (service, to) not in self._ports:
            port = self._ports[service, to] = ports.reserve()

            async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await self._relay(service, to, reader, writer)

            self._servers.append(await asyncio.start_server(relay, ports.LOOPBACK, port))
        return self._ports[service, to]

    def learn(self, slices: Iterable[dict[str, Any]]) -> None:
        """Take the pods of all Services from their EndpointSlices."""
        ready: defaultdict[str, list[Address]] = defaultdict(list)
        ending: defaultdict[str, list[Address]] = defaultdict(list)
        for one in slices:
            service = one["metadata"]["labels"]["kubernetes.io/service-name"]
            for port in one.get("ports") or ():
                for endpoint in one.get("endpoints") or ():
                    found = loopback(endpoint["addresses"][0]), port["port"]
                    conditions = endpoint["conditions"]
                    if conditions.get("ready"):
                        ready[service].append(found)
                    elif conditions.get("serving") and conditions.get("terminating"):
                        ending[service].append(found)
        self._pods = {**ending, **ready}

    def close(self) -> None:
        """Accept no more connections."""
        for server in self._servers:
            server.close()
        for port in self._ports.values():
            ports.release(port)

    async def _relay(
        self,
        service: str,
        to: int | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            host, port = random.choice(self._pods[service])  # noqa: S311 - no secret
            answers, asks = await asyncio.open_connection(host, to or port)
        except (OSError, LookupError):
            writer.transport.abort()
            return
        pumps = [asyncio.create_task(_pump(*each)) for each in ((reader, asks), (answers, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (asks, writer):
                end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
