"""The manifests of deploy/ on Kubernetes' own controllers, with the real five services, under load.

API server, controller manager and scheduler are those of Kubernetes 1.34 on etcd. The script of
operators rolls the overlay `small` out, by StatefulSets, budgets and the admission of `restricted`
pods; a kubelet for tests starts the pods' commands as processes, and relays stand for Services.

Not shown: the image and its file system, limits of memory and processors, network policies, DNS,
an Ingress and a cloud's balancer, volumes, TLS and users of Kafka and MongoDB, Strimzi, KEDA and
metrics-server. Pods of a service share this machine.
"""

import asyncio
import time

import pytest

from services.registry import NAMES
from tests import patience
from tests.cluster.conftest import NODES, Cluster
from tests.cluster.plane import missing
from tests.faults.load import KINDS, Load
from tests.faults.refusals import refused
from tests.library import Library
from tests.support import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(missing()), reason=missing() or "all is there"),
]
ENOUGH = 10
"""Commands at each service between two changes."""


async def more(load: Load) -> None:
    """Wait until each service has carried out some commands from now on."""
    since = time.monotonic()

    async def enough() -> bool:
        return all(
            sum(load.succeeded(since, kind) for kind in KINDS[service]) >= ENOUGH
            for service in NAMES
        )

    await until(enough, within=300)


async def check(load: Load) -> None:
    """Check that no command was refused, lost or doubled, and that the audit finds nothing."""
    found = await load.audited(within=120)
    assert refused(load, *NAMES) == []
    assert found.findings == []


async def test_a_release_of_all_services_is_rolled_out_without_a_refusal(
    cluster: Cluster, library: Library
) -> None:
    async with Load(library, rate=8) as load:
        await more(load)
        await asyncio.to_thread(cluster.roll_out, "1.1")
        await more(load)
    await check(load)
    load.check_answers()
    pods = cluster.pods()
    assert len(pods) == 2 * len(NAMES)
    for pod in pods.values():
        [status] = pod["status"]["containerStatuses"]
        assert status["image"].endswith(":1.1")
        assert (status["ready"], status["restartCount"]) == (True, 0)


async def test_nodes_are_drained_without_a_refusal(cluster: Cluster, library: Library) -> None:
    async with Load(library, rate=8) as load:
        await more(load)
        for node in NODES[:2]:
            drain = (
                "drain",
                node,
                "--delete-emptydir-data",
                "--force",
                f"--timeout={patience.stretched(600):.0f}s",
            )
            await asyncio.to_thread(cluster.plane.kubectl, *drain)
            assert node not in {pod["spec"].get("nodeName") for pod in cluster.pods().values()}
            await asyncio.to_thread(cluster.wait_ready)
            await asyncio.to_thread(cluster.plane.kubectl, "uncordon", node)
            await more(load)
    await check(load)
    load.check_answers()


@pytest.mark.parametrize("service", NAMES)
async def test_a_killed_pod_starts_again_without_a_refusal(
    cluster: Cluster, library: Library, service: str
) -> None:
    name = f"carrel-{service}-0"
    [before] = cluster.pods()[name]["status"]["containerStatuses"]

    async def is_back() -> bool:
        pods = await asyncio.to_thread(cluster.pods)
        [status] = pods[name]["status"]["containerStatuses"]
        return bool(status["ready"] and status["restartCount"] == before["restartCount"] + 1)

    async with Load(library, rate=8) as load:
        await more(load)
        await asyncio.to_thread(cluster.kubelet.process(name).kill)
        await until(is_back, within=120)
        await more(load)
    await check(load)
