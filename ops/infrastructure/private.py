"""Files that only their owner may read: secrets, and logs, which name patrons by their ids."""

import os
from pathlib import Path
from typing import BinaryIO, cast

MODE = 0o600


def append_to(path: Path) -> BinaryIO:
    """Open a file to append to it, as one that only its owner may read, also if it exists."""
    opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, MODE)
    os.fchmod(opened, MODE)
    return cast(BinaryIO, os.fdopen(opened, "ab"))


def write(path: Path, text: str) -> None:
    """Replace a file by one that only its owner may read: whole, or not at all after a kill."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with append_to(unfinished) as file:
        file.truncate(0)
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
