"""The languages of the library's texts, and the choice of one for a request."""

CODES = ("en", "zh-Hant", "zh-Hans")

# Tags that browsers send, the longer ones first. Chinese without a script is Simplified, except in
# Hong Kong, Macao and Taiwan.
_TAGS = {
    "en": "en",
    "zh-hant": "zh-Hant",
    "zh-hk": "zh-Hant",
    "zh-mo": "zh-Hant",
    "zh-tw": "zh-Hant",
    "yue": "zh-Hant",
    "zh": "zh-Hans",
}


def language_code(*asked: str, accepted: str) -> str:
    """Return the first language in `asked` that there is, or the best of an Accept-Language."""
    for code in asked:
        if code in CODES:
            return code
    for item in accepted.lower().split(","):
        tag = item.partition(";")[0].strip() + "-"
        for known, code in _TAGS.items():
            if tag.startswith(f"{known}-"):
                return code
    return "en"
