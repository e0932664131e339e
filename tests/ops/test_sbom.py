"""The bill of materials names each locked package, with its hashes."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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
    assert bom["bomFormat"] == "CycloneDX"
    assert bom["metadata"]["component"]["name"] == "carrel"
