"""The time and the memory of an import of MARC 21 records, and of its repetition and its export.

    .venv/bin/python -m benchmarks.marc_import [--json] [--records 100000] [--repeat] [--export]

The records are copies of a thousand varied ones, each with its own number and item. The commands
run as processes of their own on an embedded database; their memory is the greatest resident one.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.show import machine, options, show
from ops.infrastructure.embedded import embedded
from services.circulation.catalogue.formats.marc_files import in_iso2709
from shared.mongo import Document
from tests.ops.marc_records import record

VARIED = 1000


def write(path: Path, count: int) -> None:
    """Write a file of `count` records."""
    varied = [in_iso2709(record(number), utf8=True) for number in range(VARIED)]
    with path.open("wb") as file:
        for number in range(count):
            base = number % VARIED
            text = varied[base].replace(b"test%08d" % base, b"test%08d" % number)
            file.write(text.replace(b"M%08d" % base, b"M%08d" % number))


def measured(count: int, mongo_url: str, *arguments: str) -> Document:
    """Run a command of `carrel`; return its time and its memory."""
    environment = {**os.environ, "CARREL_MONGO_URL": mongo_url}
    started = time.monotonic()
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "ops", *arguments, "--json"],
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status:
        raise SystemExit(f"{' '.join(arguments)} failed")
    return {
        "seconds": round(seconds, 1),
        "records_per_second": round(count / seconds),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "megabytes": round(usage.ru_maxrss / 1024),
    }


def main() -> None:
    """Import, repeat and export as asked, and print."""
    asked = options(records=100_000, repeat=False, export=False)
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded(Path(folder), kafka=False, mongo_port=None) as infrastructure,
    ):
        path = Path(folder) / "titles.mrc"
        write(path, asked.records)
        url = infrastructure.mongo_url
        found = {"import": measured(asked.records, url, "import", "titles", str(path))}
        if asked.repeat:
            found["repeat"] = measured(asked.records, url, "import", "titles", str(path))
        if asked.export:
            out = str(Path(folder) / "out.mrc")
            found["export"] = measured(asked.records, url, "export", "titles", out)
    show({"machine": machine(), **found}, as_json=asked.json)


if __name__ == "__main__":
    main()
