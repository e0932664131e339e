"""Local images in place of those that the compose file and the Dockerfile name.

They are made of Debian's packages, the wheels of the requirements, Apache Kafka's jars from Maven
and MongoDB's shell from npm, so no image registry is needed. They have the names of the images
that they replace: build them only in a separate engine (tests/ops/engine.py).
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from ops.infrastructure.apache import fetched_libraries
from ops.infrastructure.embedded import find_mongod
from tests import patience
from tests.kafka_tools import copy_command
from tests.ops.engine import Engine, NotHere

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".data" / "containers"
"""Files fetched for the images, kept for the next run; `make clean` removes them."""
IMAGES = Path(__file__).with_name("images")
DEBIAN = "carrel-stand-in:debian"
PACKAGES = (
    *("ca-certificates", "fonts-noto-cjk", "libcurl4", "openjdk-17-jre-headless"),
    *("python3", "python3-venv"),
)
MONGOSH = "mongosh@2.12.0"

WHAT = {
    "python": "Debian's Python 3.11; the locked wheels lie in it, for no registry is reached",
    "mongo": "the mongod of the requirements (6.0.5) with MongoDB's own shell from npm",
    "kafka": "the version of Apache Kafka that the tests run on, from Maven; the scripts that "
    "start it and the health check's command are ours, around Kafka's own classes",
}
"""Contents of each stand-in, and so the parts that it does not test."""


def names() -> dict[str, str]:
    """Return the image names in the Dockerfile and the compose file, which the stand-ins take."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    [python] = {
        line.split()[1]
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("FROM ")
    }
    return {
        "python": python,
        "mongo": services["mongo"]["image"],
        "kafka": services["kafka"]["image"],
    }


def build(engine: Engine, report: Callable[[str], None]) -> None:
    """Build the three images. Raises NotHere if something cannot be fetched."""
    for program, package in (
        ("debootstrap", "debootstrap"),
        ("mvn", "maven"),
        ("npm", "npm"),
        ("node", "nodejs"),
    ):
        if not shutil.which(program):
            raise NotHere(f"there is no {program} on the PATH (on Debian: {package})")
    report("the root of Debian")
    archive = _debian()
    engine.docker("import", str(archive), DEBIAN)
    for name, fetch in (("python", _python), ("mongo", _mongo), ("kafka", _kafka)):
        folder = KEPT / name
        folder.mkdir(parents=True, exist_ok=True)
        report(f"{names()[name]}: {WHAT[name]}")
        fetch(folder)
        for file in IMAGES.iterdir():
            shutil.copy(file, folder)
        engine.docker(
            *("build", "--quiet", "--tag", names()[name]),
            *("--file", str(folder / f"{name}.Dockerfile"), str(folder)),
        )


def _debian() -> Path:
    archive = KEPT / "debian.tar"
    if not archive.exists():
        root = KEPT / "debian"
        shutil.rmtree(root, ignore_errors=True)
        KEPT.mkdir(parents=True, exist_ok=True)
        included = f"--include={','.join(PACKAGES)}"
        _fetch(["debootstrap", "--variant=minbase", included, "bookworm", str(root)])
        packed = archive.with_suffix(".partial")
        apt = "./var/cache/apt/archives"
        _fetch(["tar", "-C", str(root), f"--exclude={apt}", "-cf", str(packed), "."])
        packed.rename(archive)
        shutil.rmtree(root, ignore_errors=True)
    return archive


def _python(folder: Path) -> None:
    locks = [
        part
        for name in ("requirements.lock", "requirements-build.lock")
        for part in ("-r", str(ROOT / name))
    ]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
    command += ["--no-build-isolation"]  # what is no wheel is built with the locked build tools
    _fetch([*command, *locks, "-d", str(folder / "wheels")])


def _mongo(folder: Path) -> None:
    shutil.copy(find_mongod(), folder / "mongod")
    node = shutil.which("node")
    assert node, "looked for before"
    shutil.copy(Path(node).resolve(), folder / "node")
    shell = folder / "mongosh"
    shell.mkdir(exist_ok=True)
    options = ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
    _fetch(["npm", "install", "--silent", *options, "--prefix", str(shell), MONGOSH])
    started = shell / "node_modules" / "mongosh" / "bin" / "mongosh.js"
    _fetch([str(folder / "node"), str(started), "--version"])  # an old Node.js can't load it


def _kafka(folder: Path) -> None:
    libraries = folder / "libs"
    shutil.copytree(
        fetched_libraries(), libraries, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.jsa")
    )
    _fetch(copy_command(libraries))


def _fetch(command: list[str]) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=patience.stretched(1800),
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()[-3:]
        raise NotHere(f"{command[0]} failed: {' '.join(said)}")
