"""Kinds and names of attachments."""

import pytest

from services.notices.enquiries.refusals import BadAttachment
from services.notices.enquiries.rules.enquiries import LONGEST_NAME, file_name, kind_of


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.4 and more", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n and more", "image/png"),
        (b"\xff\xd8\xff\xe1 and more", "image/jpeg"),
        ("\ufeff香港地圖\r\n\tMaps\n\f".encode(), "text/plain"),
        (b"<script>alert(1)</script>", "text/plain"),
    ],
)
def test_the_content_decides_the_kind(content: bytes, kind: str) -> None:
    assert kind_of(content) == kind


@pytest.mark.parametrize(
    "content",
    [b"", b" \n", b"GIF89a\x00", b"\x7fELF", b"a\x85b", "a\x85b".encode(), b"caf\xe9", b"\x89PNG"],
)
def test_other_content_is_refused(content: bytes) -> None:
    with pytest.raises(BadAttachment):
        kind_of(content)


@pytest.mark.parametrize(
    ("given", "kind", "name"),
    [
        ("plan.pdf", "application/pdf", "plan.pdf"),
        ("PLAN.JPEG", "image/jpeg", "PLAN.JPEG"),
        ("plan.exe", "image/png", "plan.exe.png"),
        ("C:\\maps\\old plan.txt", "text/plain", "old plan.txt"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("a\r\nSet-Cookie: b\u202etxt", "text/plain", "aSet-Cookie btxt.txt"),
        ("", "application/pdf", "file.pdf"),
        ("...", "application/pdf", "file.pdf"),
        ("地圖.pdf", "application/pdf", "地圖.pdf"),
        ("x" * 300 + ".pdf", "application/pdf", "x" * (LONGEST_NAME - 4) + ".pdf"),
        ("x" * 300, "application/pdf", "x" * (LONGEST_NAME - 4) + ".pdf"),
    ],
)
def test_a_name_ends_as_the_kind_does_and_fits_any_disk(given: str, kind: str, name: str) -> None:
    assert file_name(given, kind) == name
