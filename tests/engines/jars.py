"""The jars of an engine, fetched once by Maven for each version of a pom in this folder."""

import hashlib
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
KEPT = HERE.parents[1] / ".data" / "engine-libs"


def jars(pom: str) -> Path:
    """Return the folder of the jars that a pom names, with all that they need."""
    file = HERE / f"{pom}.pom.xml"
    state = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    folder = KEPT / f"{pom}-{state}"
    if not folder.exists():
        partial = KEPT / f"{folder.name}.{os.getpid()}"
        command = (
            *("mvn", "-q", "-B", "-f", str(file), "dependency:copy-dependencies"),
            *("-DincludeScope=runtime", f"-DoutputDirectory={partial}"),
        )
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        partial.rename(folder)
    return folder
