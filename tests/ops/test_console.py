"""Text from stored data, made safe for the terminal by the operator's commands."""

from ops.console import printable


def test_text_is_shown_without_what_commands_a_terminal() -> None:
    assert printable("圖書\n\x1b[2J\u202e\x9b") == "圖書\n\\x1b[2J\\u202e\\x9b"
