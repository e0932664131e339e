"""The system on a control plane: the manifests of deploy/, and what operators make beside."""

import json
import os
import random
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.infrastructure.child import Child
from ops.infrastructure.embedded import Infrastructure, embedded
from ops.infrastructure.processes import UNLIMITED, UNRENEWED, System
from services.registry import NAMES
from tests import patience
from tests.cluster.kubelet import Kubelet, kubelet
from tests.cluster.plane import Plane, control_plane
from tests.library import Library
from tests.ops.command import run
from tests.systems import PROJECT, data_folder

KUBERNETES = PROJECT / "deploy" / "kubernetes"
NODES = ("node-0", "node-1", "node-2", "node-3")
NAMESPACE = ("--namespace", "carrel")
STRIMZI = {"Kafka": "kafkas", "KafkaNodePool": "kafkanodepools"}
"""Kinds of Strimzi in the manifests. Here they are accepted, and nobody acts on them."""
OTHER_KAFKA = ("CARREL_KAFKA_SECURITY", "CARREL_KAFKA_CA_FILE")
"""Settings for Strimzi's Kafka, which the embedded broker does not have."""


@dataclass(frozen=True)
class Cluster:
    """The running system with its control plane."""

    plane: Plane
    kubelet: Kubelet
    system: System
    manifests: list[dict[str, Any]]

    def roll_out(self, release: str) -> None:
        """Roll out a release by the script of operators: another tag of the image."""
        roll_out(self.plane, self.manifests, release)

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the namespace of Carrel."""
        return self.plane.kubectl(*arguments, *NAMESPACE)

    def pods(self) -> dict[str, Any]:
        """Return the pods of the services by name."""
        found = self.plane.get("pods", *NAMESPACE, "--selector", "app.kubernetes.io/name!=operator")
        return {one["metadata"]["name"]: one for one in found["items"]}

    def wait_ready(self) -> None:
        """Wait until each replica of each service is ready."""
        for service in NAMES:
            name = f"statefulset/carrel-{service}"
            self.kubectl("rollout", "status", name, f"--timeout={patience.stretched(600):.0f}s")


def roll_out(plane: Plane, manifests: list[dict[str, Any]], release: str) -> None:
    """Roll out manifests with a tag of the image by deploy/kubernetes/roll-out.sh."""
    with tempfile.TemporaryDirectory() as folder:
        text = yaml.safe_dump_all(manifests).replace("/carrel:1.0", f"/carrel:{release}")
        (Path(folder) / "all.yaml").write_text(text)
        (Path(folder) / "kustomization.yaml").write_text("resources: [all.yaml]\n")
        ran = subprocess.run(
            ["/bin/sh", str(KUBERNETES / "roll-out.sh"), folder],
            env=plane.environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def rendered(infrastructure: Infrastructure) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the manifests of the overlay `small` for embedded infrastructure, and its settings."""
    command = ["kubectl", "kustomize", str(KUBERNETES / "overlays" / "small")]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    manifests = list(yaml.safe_load_all(text))
    [settings] = [one for one in manifests if one["kind"] == "ConfigMap"]
    data: dict[str, str] = settings["data"]
    for name in OTHER_KAFKA:
        del data[name]
    data |= {
        "CARREL_KAFKA": infrastructure.kafka,
        "CARREL_PARTITIONS": "4",
        "CARREL_REPLICATION": "1",
        "CARREL_SIMULATION": "1",
        "CARREL_PAYMENT_PROVIDER": "double",
        **UNLIMITED,
        **UNRENEWED,
        **infrastructure.service_environment,
    }
    for one in manifests:
        if one["kind"] in ("StatefulSet", "Job"):
            pod = one["spec"]["template"]["spec"]
            pod["containers"][0]["env"] = []  # the user of Kafka
            [sources] = [v["projected"]["sources"] for v in pod["volumes"] if "projected" in v]
            sources[:] = [s for s in sources if s["secret"]["name"].startswith("carrel-")]
            sources[:] = [s for s in sources if s["secret"]["name"] != "carrel-cluster-ca-cert"]
    return manifests, data


def made(infrastructure: Infrastructure) -> list[dict[str, Any]]:
    """Return what operators and Strimzi make beside the manifests."""
    ran = run(["init", "--format", "kubernetes", "-"], dict(os.environ))
    assert ran.code == 0, ran.err
    urls = {f"{name.upper()}_MONGO_URL": infrastructure.mongo_url for name in (*NAMES, "operator")}
    databases = {"name": "carrel-databases"}
    return [
        *yaml.safe_load_all(ran.out),
        {"apiVersion": "v1", "kind": "Secret", "metadata": databases, "stringData": urls},
    ]


def definition(kind: str, plural: str) -> dict[str, Any]:
    """Return a definition of a kind of Strimzi that accepts everything."""
    group = "kafka.strimzi.io"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {
            "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        },
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def prepare(plane: Plane, secrets: list[dict[str, Any]]) -> None:
    """Make the namespace, the secrets and Strimzi's kinds, with a Kafka that is ready."""
    plane.kubectl("create", "namespace", "carrel")
    kinds = [definition(kind, plural) for kind, plural in STRIMZI.items()]
    plane.kubectl("apply", "--filename", "-", given=yaml.safe_dump_all(kinds))
    for kind in kinds:
        name = f"crd/{kind['metadata']['name']}"
        plane.kubectl(
            "wait", name, "--for=condition=Established", f"--timeout={patience.stretched(60):.0f}s"
        )
    plane.kubectl("apply", *NAMESPACE, "--filename", "-", given=yaml.safe_dump_all(secrets))
    plane.kubectl("apply", *NAMESPACE, "--filename", str(KUBERNETES / "kafka" / "kafka.yaml"))
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    what = ("kafka/carrel", "--subresource=status", "--type=merge", "--patch", json.dumps(ready))
    plane.kubectl("patch", *NAMESPACE, *what)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The system with two replicas of each service on four nodes, rolled out by the script."""
    # Addresses of pods that a run of another checkout does not use.
    block = f"10.{random.randint(1, 250)}"  # noqa: S311 - no secret
    with (
        data_folder(tmp_path_factory) as folder,
        embedded(folder, mongo_port=None, kafka_port=None) as infrastructure,
        control_plane(folder) as plane,
        kubelet(plane, NODES, block, folder / "pods") as playing,
    ):
        manifests, settings = rendered(infrastructure)
        secrets = made(infrastructure)
        prepare(plane, secrets)
        roll_out(plane, manifests, "1.0")
        [operator] = [o for o in secrets if o["metadata"]["name"] == "carrel-operator"]
        ports = {service: playing.port_of(f"carrel-{service}") for service in NAMES}
        environment = {
            **{name: value for name, value in settings.items() if "FOLDER" not in name},
            **operator["stringData"],
            **{f"CARREL_{s.upper()}_URL": f"http://127.0.0.1:{ports[s]}" for s in NAMES},
            "CARREL_MONGO_URL": infrastructure.mongo_url,
        }
        operations = int(settings["CARREL_OPERATIONS_PORT"])
        doors = {
            f"{service}-0": Child(
                service,
                [],
                folder / f"{service}.log",
                lambda: True,
                port,
                more_ports=[playing.port_of(f"carrel-{service}", operations)],
            )
            for service, port in ports.items()
        }
        system = System(infrastructure, doors, environment)
        yield Cluster(plane, playing, system, manifests)


@pytest.fixture
async def library(cluster: Cluster) -> AsyncIterator[Library]:
    """A client of the running system."""
    async with Library(cluster.system) as opened:
        yield opened
