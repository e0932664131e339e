"""PINs are hashed in microseconds: by tests, and by the services that they start.

Tests register thousands of patrons; argon2id with its usual parameters takes 30 ms for each PIN.
"""

from contextlib import suppress
from importlib import import_module
from pathlib import Path

from argon2 import PasswordHasher

from ops.infrastructure import prepared

PROJECT = Path(__file__).resolve().parent.parent
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
REPLACED = {"_hasher": HASHER, "_nobodys": HASHER.hash("nobody's")}
"""Replacements for parts of `hashes`, by name."""
_RUN = f"""
import sys
sys.path.append({str(PROJECT)!r})
from tests import quick_pins
quick_pins.main()
"""
PREPARED = ("-c", _RUN)
"""Arguments of Python for the process from which services are forked, in any working folder."""


def main() -> None:
    """Fork services that hash quickly."""
    with suppress(ImportError):  # tests/ops/test_processes.py has a folder with other services
        hashes = import_module("services.accounts.sign_in.commands.hashes")
        for name, value in REPLACED.items():
            setattr(hashes, name, value)
    prepared.main()
