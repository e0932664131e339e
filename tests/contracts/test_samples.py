"""Payloads published by any earlier version stay readable."""

from typing import Any

import orjson
import pytest

from ops.commands.contracts import FOLDER, examples_of, kept_in
from shared.contracts import Event, contract_name, published


def samples_of(topic: str) -> list[dict[str, Any]]:
    """Return the recorded payloads of a topic, oldest first."""
    return examples_of(kept_in(FOLDER).get(topic, {}))


def read(contract: type[Event], payload: dict[str, Any]) -> dict[str, Any]:
    """Parse a payload with the current contract, and serialize it again."""
    event = contract.model_validate_json(orjson.dumps(payload))
    written: dict[str, Any] = orjson.loads(event.body())
    return written


def keeps(old: Any, new: Any) -> bool:
    """Return whether all old fields are unchanged in the new payload; new fields may be added."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(keeps(old[name], new.get(name)) for name in old)
    if isinstance(old, list):
        return isinstance(new, list) and len(old) == len(new) and all(map(keeps, old, new))
    return bool(old == new)


@pytest.mark.parametrize("topic", sorted(published()))
def test_every_sample_ever_published_is_still_readable(topic: str) -> None:
    samples = samples_of(topic)
    assert samples, f"keep a real payload in the `examples` of {contract_name(topic)}.json"
    for sample in samples:
        assert keeps(sample, read(published()[topic], sample))


@pytest.mark.parametrize("topic", sorted(published()))
def test_the_newest_sample_has_every_field(topic: str) -> None:
    names = set(read(published()[topic], samples_of(topic)[-1]))
    missing = names - set(samples_of(topic)[-1])
    assert not missing, "a field was added: add a payload that has it, and keep the old ones"
