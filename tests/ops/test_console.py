"""The behaviour that all of the operator's commands share."""

import asyncio

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
