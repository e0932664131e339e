"""The draw worked out again from its published data, without any code of Carrel."""

from hashlib import sha256
from typing import Any


def recomputed(ballot: dict[str, Any]) -> dict[str, tuple[list[str], list[str]]]:
    """Return cards and standby list of each room; raises ValueError if the data do not agree."""
    if sha256(ballot["seed"].encode()).hexdigest() != ballot["commitment"]:
        raise ValueError("another seed was drawn than was announced")
    lines = sorted(f"{e['id']} {e['category']} {e['branch']}\n" for e in ballot["entries"])
    if sha256("".join(lines).encode()).hexdigest() != ballot["list_hash"]:
        raise ValueError("the list was changed after it was closed")
    results = {}
    for room in ballot["rooms"]:
        mine = [e for e in ballot["entries"] if e["branch"] == room["branch"]]
        mine.sort(key=lambda e: sha256((ballot["seed"] + e["id"]).encode()).digest())
        cards: set[str] = set()
        for category, quota in room["quotas"].items():
            cards |= {e["id"] for e in [e for e in mine if e["category"] == category][:quota]}
        others = [e["id"] for e in mine if e["id"] not in cards]
        cards |= set(others[: room["places"] - len(cards)])
        order = [e["id"] for e in mine]
        granted = [key for key in order if key in cards]
        results[room["branch"]] = (granted, [key for key in order if key not in cards])
    return results
