"""Texts that are no e-mail addresses, or none that a mail server takes safely."""

NO_ADDRESSES = (
    "nobody",
    "a@b",
    "a b@example.org",
    "a@b..test",
    "<a@b>",
    "<a@example.org>",
    "a\0@example.org",
    "a@example.org\r\nBcc: b@example.org",
    "|cat@example.org",
    "-oQ/tmp@example.org",
    "a@[127.0.0.1]",
    f"{'a' * 65}@example.org",
)
