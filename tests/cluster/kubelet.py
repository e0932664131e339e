"""A kubelet for tests: pods of some nodes run as processes of this machine (pod.py).

It registers the nodes with their heartbeats, starts the pods that the scheduler gives them, and
ends what is deleted.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ops.infrastructure.child import Child
from tests.cluster.plane import Plane
from tests.cluster.pod import LOOK_SECONDS, PATCH, Api, Manifest, Pod, now
from tests.cluster.services import Relays

HEARTBEAT_LOOKS = 30
"""Looks at the pods between two heartbeats of the nodes."""


class Kubelet:
    """The kubelets of some nodes, and the relays of the Services."""

    def __init__(self, plane: Plane, nodes: Sequence[str], block: str, folder: Path) -> None:
        self.relays = Relays()
        self.pods: dict[str, Pod] = {}
        """Pods on these nodes by uid."""
        self._plane, self._nodes, self._block, self._folder = plane, nodes, block, folder
        self._count = 0
        self.loop: asyncio.AbstractEventLoop | None = None

    def process(self, pod: str) -> Child:
        """Return the process of a pod that is not being deleted."""
        [found] = [o for o in self.pods.values() if o.name == pod and not o.deleted.is_set()]
        assert found.child
        return found.child

    def port_of(self, service: str, to: int | None = None) -> int:
        """Return the port on loopback of a Service; from another thread."""
        assert self.loop
        asked = asyncio.run_coroutine_threadsafe(self.relays.port_of(service, to), self.loop)
        return asked.result(60)

    async def run(self) -> None:
        """Play the nodes until cancelled; then end all processes."""
        api, tasks = Api(self._plane), set[asyncio.Task[None]]()
        self.loop = asyncio.get_running_loop()
        try:
            for number, node in enumerate(self._nodes):
                labels = {
                    "kubernetes.io/hostname": node,
                    "topology.kubernetes.io/zone": f"zone-{number % 3}",
                }
                body = {"metadata": {"name": node, "labels": labels}}
                await api.call("POST", "/api/v1/nodes", body)
            looks = 0
            while True:
                if looks % HEARTBEAT_LOOKS == 0:
                    await asyncio.gather(*(self._beat(api, node) for node in self._nodes))
                looks += 1
                slices = await api.call("GET", "/apis/discovery.k8s.io/v1/endpointslices")
                self.relays.learn(
                    one
                    for one in (slices or {"items": []})["items"]
                    if "kubernetes.io/service-name" in one["metadata"].get("labels", {})
                )
                pods = await api.call("GET", "/api/v1/pods")
                for manifest in (pods or {"items": []})["items"]:
                    if manifest["spec"].get("nodeName") in self._nodes:
                        self._see(api, manifest, tasks)
                for task in [task for task in tasks if task.done()]:
                    tasks.remove(task)
                    task.result()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for pod in self.pods.values():
                if pod.child:
                    pod.child.kill()
            self.relays.close()
            await api.close()

    def _see(self, api: Api, manifest: Manifest, tasks: set[asyncio.Task[None]]) -> None:
        uid = manifest["metadata"]["uid"]
        if uid not in self.pods:
            self._count += 1
            address = f"{self._block}.{self._count // 250}.{self._count % 250 + 1}"
            pod = Pod(api, self.relays, manifest, address, self._folder / uid)
            self.pods[uid] = pod
            tasks.add(asyncio.create_task(pod.live()))
        if "deletionTimestamp" in manifest["metadata"]:
            self.pods[uid].deleted.set()

    async def _beat(self, api: Api, node: str) -> None:
        room = {"cpu": "8", "memory": "16Gi", "pods": "50"}
        ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": now()}
        status = {"capacity": room, "allocatable": room, "conditions": [ready]}
        await api.call("PATCH", f"/api/v1/nodes/{node}/status", {"status": status}, kind=PATCH)


@contextmanager
def kubelet(plane: Plane, nodes: Sequence[str], block: str, folder: Path) -> Iterator[Kubelet]:
    """Play some nodes while the block runs; `block` is the beginning of pods' addresses, `10.7`."""
    playing = Kubelet(plane, nodes, block, folder)
    loop = asyncio.new_event_loop()
    task = loop.create_task(playing.run())

    def play() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(task)

    thread = threading.Thread(target=play, name="kubelet")
    thread.start()
    try:
        yield playing
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        loop.close()
