"""Conditions on the search terms of stored documents."""

import re
from collections.abc import Sequence
from typing import Any


def having(words: Sequence[str]) -> dict[str, Any]:
    """Return the condition that each word begins one of a document's terms.

    The index finds the documents of the rarest word; the other words filter them.
    """
    return {"$and": [{"terms": {"$regex": f"^{re.escape(word)}"}} for word in words]}
