"""A pod of tests: its container is a process with its environment, files and probes.

The names of Services in the environment become ports of relays (services.py), and the image's
entry point is that of the Dockerfile with the programs of this project. A part of a manifest that
deploy/ does not use fails the pod.
"""

import asyncio
import os
import re
from base64 import b64decode
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from ops import serve
from ops.infrastructure import prepared
from ops.infrastructure.child import Child
from tests.cluster.plane import Plane
from tests.cluster.services import Relays, loopback
from tests.systems import PROJECT

LOOK_SECONDS = 0.3
"""Seconds between two looks at what the API server has."""
BACK_OFF_SECONDS = 1.0
PATCH = "application/strategic-merge-patch+json"
_SERVICE = re.compile(r"(?<=//)([a-z][a-z0-9-]*):\d+")
Manifest = dict[str, Any]


class Api:
    """Calls to the API server."""

    def __init__(self, plane: Plane) -> None:
        self._url = plane.url
        headers = {"Authorization": f"Bearer {plane.token}"}
        self._session = aiohttp.ClientSession(
            headers=headers, connector=aiohttp.TCPConnector(ssl=False)
        )

    async def call(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json"
    ) -> Manifest | None:
        """Return the answer, or None if what is asked for is not there, or has changed."""
        async with self._session.request(
            method, self._url + path, json=body, headers={"Content-Type": kind}
        ) as answer:
            found: Manifest = await answer.json()
            assert answer.status < 400 or answer.status in (404, 409), found
            return found if answer.status < 400 else None

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


class Pod:
    """A pod with one container, from its start on this node until its deletion."""

    def __init__(
        self, api: Api, relays: Relays, manifest: Manifest, address: str, folder: Path
    ) -> None:
        self.name = manifest["metadata"]["name"]
        self.deleted = asyncio.Event()
        self.child: Child | None = None
        self._api, self._relays, self._folder, self._address = api, relays, folder, address
        self._metadata, self._spec = manifest["metadata"], manifest["spec"]
        [self._container] = self._spec["containers"]
        self._path = f"/api/v1/namespaces/{self._metadata['namespace']}/"
        self._since = now()
        self._restarts = 0
        self._started = self._ready = False
        self._reported: Manifest = {}

    async def live(self) -> None:
        """Run the container until the pod has ended or is deleted; then let it go."""
        environment = await self._environment()
        while not self.deleted.is_set():
            child = self.child = self._process(environment)
            await asyncio.to_thread(child.launch)
            probing = asyncio.create_task(self._probe())
            deleted = asyncio.create_task(self.deleted.wait())
            ended = asyncio.create_task(_ended(child))
            try:
                await self._report("Running")
                await asyncio.wait([probing, deleted, ended], return_when=asyncio.FIRST_COMPLETED)
                if not ended.done():
                    await self._stop(child)
            finally:
                for task in (probing, deleted, ended):
                    task.cancel()
            self._started = self._ready = False
            if self.deleted.is_set():
                break
            policy, code = self._spec["restartPolicy"], child.exit_code
            if policy == "Never" or (policy == "OnFailure" and code == 0):
                await self._report("Failed" if code else "Succeeded")
                await self.deleted.wait()
                break
            self._restarts += 1
            await self._report("Running")
            with suppress(TimeoutError):
                async with asyncio.timeout(BACK_OFF_SECONDS * min(self._restarts, 10)):
                    await self.deleted.wait()
        at_once = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._metadata["uid"]}}
        await self._api.call("DELETE", f"{self._path}pods/{self.name}", at_once)

    async def _stop(self, child: Child) -> None:
        """End the process within the grace of its pod; its readiness is asked meanwhile."""
        child.signal_stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._spec["terminationGracePeriodSeconds"]):
                await _ended(child)
        await asyncio.to_thread(child.kill)

    def _process(self, environment: dict[str, str]) -> Child:
        arguments = self._container.get("args", ())
        command = self._container.get("command") or [*prepared.PROGRAM, serve.__name__, *arguments]
        log = self._folder.parent / f"{self.name}.log"
        needs = () if "command" in self._container else serve.modules(*arguments)
        return Child(self.name, command, log, lambda: True, 0, environment, needs=needs)

    async def _environment(self) -> dict[str, str]:
        """Return the environment of the container; its files are written."""
        values: dict[str, str] = {}
        for source in self._container["envFrom"]:
            values |= (await self._object("configmaps", source.pop("configMapRef")["name"]))["data"]
            assert not source, source
        values |= {one["name"]: one["value"] for one in self._container.get("env", ())}
        volumes = {one["name"]: one for one in self._spec["volumes"]}
        for mount in self._container["volumeMounts"]:
            volume = volumes[mount["name"]]
            folder = self._folder / mount["name"]
            folder.mkdir(parents=True)
            if "projected" not in volume:
                assert "emptyDir" in volume, volume
                values["TMPDIR"] = str(folder)
                continue
            for source in volume["projected"]["sources"]:
                await self._write(source["secret"], volume["projected"]["defaultMode"], folder)
            values = {
                name: value.replace(mount["mountPath"], str(folder))
                for name, value in values.items()
            }
        for name, value in values.items():
            for service in _SERVICE.findall(value):
                port = await self._relays.port_of(service)
                values[name] = _SERVICE.sub(f"127.0.0.1:{port}", value)
        path = f"{PROJECT / '.venv' / 'bin'}:{os.environ['PATH']}"
        own = {"PATH": path, "CARREL_HOST": loopback(self._address)}
        if "command" not in self._container:  # the image's entry point does so
            own["CARREL_REPLICA"] = self.name
        return values | own

    async def _write(self, secret: Manifest, mode: int, folder: Path) -> None:
        content = await self._object("secrets", secret["name"], optional=secret.get("optional"))
        data = content.get("data", {})
        items = secret.get("items", [{"key": key, "path": key} for key in data])
        for item in items if content else ():
            (file := folder / item["path"]).write_bytes(b64decode(data[item["key"]]))
            file.chmod(mode)

    async def _object(self, kind: str, name: str, *, optional: bool | None = False) -> Manifest:
        """Return a ConfigMap or a Secret; wait for one that is not there, unless it is optional."""
        while (found := await self._api.call("GET", f"{self._path}{kind}/{name}")) is None:
            if optional:
                return {}
            await asyncio.sleep(LOOK_SECONDS)
        return found

    # ---- probes ---------------------------------------------------------------------------------

    async def _probe(self) -> None:
        """Ask the probes; return once the container is to be restarted."""
        if "startupProbe" not in self._container:
            self._started = self._ready = True
            await self._report("Running")
            await asyncio.Event().wait()
        probe = self._container["startupProbe"]
        for _ in range(probe["failureThreshold"]):
            if await self._answers(probe):
                break
            await asyncio.sleep(probe["periodSeconds"])
        else:
            return
        self._started = True
        readiness = asyncio.create_task(self._watch_readiness())
        try:
            await self._watch_liveness()
        finally:
            readiness.cancel()

    async def _watch_readiness(self) -> None:
        probe, failures = self._container["readinessProbe"], 0
        while True:
            failures = 0 if await self._answers(probe) else failures + 1
            if failures == 0 or failures >= probe["failureThreshold"]:
                self._ready = failures == 0
                await self._report("Running")
            await asyncio.sleep(probe["periodSeconds"])

    async def _watch_liveness(self) -> None:
        probe, failures = self._container["livenessProbe"], 0
        while failures < probe["failureThreshold"] or self.deleted.is_set():
            failures = 0 if await self._answers(probe) else failures + 1
            await asyncio.sleep(probe["periodSeconds"])

    async def _answers(self, probe: Manifest) -> bool:
        [port] = [
            one["containerPort"]
            for one in self._container["ports"]
            if one["name"] == probe["httpGet"]["port"]
        ]
        url = f"http://{loopback(self._address)}:{port}{probe['httpGet']['path']}"
        limit = aiohttp.ClientTimeout(total=probe.get("timeoutSeconds", 1))
        try:
            async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as answer:
                return answer.status < 400
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def _report(self, phase: str) -> None:
        """Report the status to the API server, if it has changed."""
        true = {True: "True", False: "False"}
        state = {"running": {"startedAt": self._since}}
        if phase != "Running":
            code = self.child.exit_code if self.child else 1
            state = {"terminated": {"exitCode": code, "finishedAt": now()}}  # type: ignore[dict-item]
        status = {
            "phase": phase,
            "startTime": self._since,
            "hostIP": "10.0.0.1",
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "conditions": [
                {"type": "Initialized", "status": "True"},
                {"type": "ContainersReady", "status": true[self._ready]},
                {"type": "Ready", "status": true[self._ready]},
            ],
            "containerStatuses": [
                {
                    "name": self._container["name"],
                    "image": self._container["image"],
                    "imageID": "",
                    "ready": self._ready,
                    "started": self._started,
                    "restartCount": self._restarts,
                    "state": state,
                }
            ],
        }
        if status != self._reported:
            self._reported = status
            path = f"{self._path}pods/{self.name}/status"
            body = {"metadata": {"uid": self._metadata["uid"]}, "status": status}
            await self._api.call("PATCH", path, body, kind=PATCH)


async def _ended(child: Child) -> None:
    while child.running:  # noqa: ASYNC110 - a forked process sets no event
        await asyncio.sleep(0.05)


def now() -> str:
    """Return the time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
