"""Text from stored data, made safe for the terminal by the operator's commands."""

from ops.console import printable


def test_printable_text_has_no_control_characters() -> None:
    assert printable("圖書\n\x1b[2J\u202e\x9b") == "圖書\n\\x1b[2J\\u202e\\x9b"
