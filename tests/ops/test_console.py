"""The behaviour that all of the operator's commands share."""

import asyncio
import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from ops.console import explain_outages, printable
from services.settings import Settings
from tests.ops.command import carrel


def test_printable_text_has_no_control_characters() -> None:
    assert printable("圖書\n\x1b[2J\u202e\x9b") == "圖書\n\\x1b[2J\\u202e\\x9b"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        pytest.param(FileNotFoundError(2, "No such file", "x.mrc"), "x.mrc can't be", id="file"),
        pytest.param(OSError(errno.ENOSPC, "No space left"), "The disk is full.", id="disk"),
        pytest.param(ConnectionRefusedError(111, "refused"), "The broker at", id="broker"),
    ],
)
def test_a_fault_of_a_file_is_not_called_one_of_the_broker(
    error: OSError, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit), explain_outages(Settings()):
        raise error
    assert capsys.readouterr().err.startswith(says)


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
        ("status",),
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
