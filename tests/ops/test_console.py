"""The behaviour that all of the operator's commands share."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ops.console import printable
from services.settings import Settings
from tests.ops.command import carrel


def test_printable_text_has_no_control_characters() -> None:
    assert printable("圖書\n\x1b[2J\u202e\x9b") == "圖書\n\\x1b[2J\\u202e\\x9b"


async def test_a_command_without_its_servers_says_what_to_start() -> None:
    away = Settings(
        mongo_url="mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200", kafka="127.0.0.1:1"
    )
    commands = (
        ("audit",),
        ("audit-trail",),
        ("dead-letters", "list"),
        ("lag",),
        ("outbox",),
        ("policies", "list"),
        ("rebuild", "gateway"),
        ("replay", "accounts"),
        ("restore", "check"),
        ("staff", "list"),
        ("sweeps",),
        ("topics", "list"),
    )
    for command, ran in zip(
        commands, await asyncio.gather(*(carrel(away, *one) for one in commands)), strict=True
    ):
        assert (ran.code, ran.out) == (1, ""), command
        assert "does not work" in ran.err, command
        assert "Start it, or set CARREL_" in ran.err, command


@pytest.mark.parametrize(
    "command",
    [("serve", "events"), ("up", "--data", "unused"), ("lag",), ("doctor",)],
    ids=" ".join,
)
async def test_a_misspelt_variable_ends_a_process_before_it_does_anything(
    command: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = await carrel(Settings(), *command, CARREL_TRUSTED_PROXY="10.0.0.1")
    assert (ran.code, ran.out) == (1, "")
    assert "CARREL_TRUSTED_PROXY" in ran.err
    assert "the nearest is CARREL_TRUSTED_PROXIES" in ran.err
    assert not await asyncio.to_thread(os.listdir)
