"""The bill of materials names each package that is installed, with its hashes."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from packaging.markers import Marker

ROOT = Path(__file__).parents[2]


IMAGE = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "python_version": "3.11",
    "python_full_version": "3.11.0",
}
"""The machine for which the Dockerfile installs packages, but for its processor."""
MACHINES = ("x86_64", "aarch64")


def in_image(name: str) -> bool:
    """Return whether the Dockerfile installs a package, and leaves it, on each kind of machine."""
    removed = re.findall(r"pip uninstall -y (.*)", (ROOT / "Dockerfile").read_text())
    lock = (ROOT / "requirements.lock").read_text()
    markers = re.findall(rf"^{re.escape(name)}(?:\[.*\])?==\S+ ; (.+) \\$", lock, re.MULTILINE)
    return name not in " ".join(removed).split() and all(
        Marker(marker).evaluate({**IMAGE, "platform_machine": machine})
        for marker in markers
        for machine in MACHINES
    )


@pytest.mark.parametrize("lock", ["requirements", "requirements-analytics"])
def test_the_bill_of_materials_has_all_that_is_locked(lock: str, tmp_path: Path) -> None:
    [line] = [
        line.strip().removesuffix("\\").strip()
        for line in (ROOT / "Makefile").read_text().splitlines()
        if ".venv/bin/cyclonedx-py" in line
    ]
    words = line.partition("cyclonedx-py ")[2].split()
    made = tmp_path / "bom.json"
    command = [str(ROOT / ".venv/bin/cyclonedx-py"), *words, "-o", str(made), f"{lock}.lock"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    bom = json.loads(made.read_text())
    listed = {
        (part["name"], part["version"]): {
            each["content"] for source in part["externalReferences"] for each in source["hashes"]
        }
        for part in bom["components"]
    }
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / f"{lock}.lock").read_text().strip())
    locked = {
        (match[1], match[2]): set(re.findall(r"sha256:([0-9a-f]{64})", block))
        for block in blocks
        if (match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", block))
    }
    assert len(locked) == len(blocks)
    assert listed == locked
    if lock == "requirements":
        names = {name for name, _ in listed}
        assert not [name for name in names if not in_image(name)]
        assert "opentelemetry-exporter-otlp-proto-http" in names
        embedded = (ROOT / "requirements-embedded.lock").read_text()
        servers = set(re.findall(r"^([a-z0-9-]+)==", embedded, re.MULTILINE))
        assert len(servers) == 3
        assert not names & servers
        assert "embedded" not in (ROOT / "Dockerfile").read_text()
    assert bom["bomFormat"] == "CycloneDX"
    assert bom["metadata"]["component"]["name"] == "carrel"
