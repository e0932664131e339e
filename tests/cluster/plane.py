"""Kubernetes' own API server, controllers and scheduler on loopback, without containers."""

import json
import os
import secrets
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ops.infrastructure import ports
from ops.infrastructure.child import Child, start_all, stop_all

PROGRAM = (
    Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "carrel" / "control-plane"
)
"""The control plane as `make test-cluster` builds it from `control_plane/`."""


def missing() -> str:
    """Return what to install for a control plane, as a sentence; empty if all is there."""
    if not shutil.which("kubectl"):
        return "kubectl is missing"
    if not shutil.which("etcd"):
        return "etcd is missing (on Debian: apt install etcd-server)"
    return "" if PROGRAM.exists() else "make test-cluster builds the control plane, with Go"


@dataclass(frozen=True)
class Plane:
    """A running control plane."""

    url: str
    token: str
    """Token of its administrator."""
    kubeconfig: Path

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """Run kubectl with `given` as its input, and return its output. Raises on a failure."""
        ran = subprocess.run(
            ["kubectl", *arguments],  # noqa: S607 - where it is on the path
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which kubectl finds the control plane."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get` shows, as JSON."""
        return json.loads(self.kubectl("get", *arguments, "--output", "json"))


@contextmanager
def control_plane(folder: Path) -> Iterator[Plane]:
    """Start the control plane with its data in a folder, and end it on exit. Raises StartFailed."""
    peers, clients, port = (ports.reserve() for _ in range(3))
    store, url = f"http://{ports.LOOPBACK}:{clients}", f"https://{ports.LOOPBACK}:{port}"
    plane = Plane(url, secrets.token_hex(16), folder / "kubeconfig")
    (tokens := folder / "tokens.csv").write_text(f"{plane.token},admin,admin,system:masters\n")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (key_file := folder / "accounts.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    cluster = {"server": url, "insecure-skip-tls-verify": True}
    plane.kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": "test", "user": {"token": plane.token}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            }
        )
    )
    etcd = Child(
        "etcd",
        [
            "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={store}",
            f"--advertise-client-urls={store}",
            f"--listen-peer-urls=http://{ports.LOOPBACK}:{peers}",
            f"--initial-advertise-peer-urls=http://{ports.LOOPBACK}:{peers}",
            f"--initial-cluster=default=http://{ports.LOOPBACK}:{peers}",
        ],
        folder / "etcd.log",
        lambda: _answers(f"{store}/health"),
        clients,
    )
    server = _part(
        "kube-apiserver",
        folder,
        lambda: _answers(f"{url}/readyz", plane.token),
        f"--etcd-servers={store}",
        f"--service-account-key-file={key_file}",
        f"--service-account-signing-key-file={key_file}",
        "--service-account-issuer=https://cluster.test",
        "--service-cluster-ip-range=10.96.0.0/16",
        f"--bind-address={ports.LOOPBACK}",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
    )
    controllers = _part(
        "kube-controller-manager",
        folder,
        lambda: True,
        f"--kubeconfig={plane.kubeconfig}",
        f"--service-account-private-key-file={key_file}",
        "--leader-elect=false",
        "--secure-port=0",
    )
    scheduler = _part(
        "kube-scheduler",
        folder,
        lambda: True,
        f"--kubeconfig={plane.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
    )
    try:
        for child in (etcd, server):
            child.start()
        start_all([controllers, scheduler])
        yield plane
    finally:
        stop_all([scheduler, controllers])
        for child in (server, etcd):
            child.stop()
        for one in (peers, clients, port):
            ports.release(one)


def _part(name: str, folder: Path, ready: Any, *flags: str) -> Child:
    return Child(name, [str(PROGRAM), name, *flags], folder / f"{name}.log", ready, 0)


def _answers(url: str, token: str = "") -> bool:
    # The server makes its certificate itself.
    unchecked = ssl._create_unverified_context()  # noqa: S323
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=2, context=unchecked) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
