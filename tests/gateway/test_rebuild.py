"""The rebuild asks the owners for everything that the views contain."""

from importlib import import_module

import pytest

from services.gateway.consumers import subscriptions
from services.gateway.views.rebuild import PARTS, is_of_a_patron
from services.registry import OWNERS

ASKED = {(service, kind) for service, kind, _ in PARTS}


# A rebuild keeps the ended sessions: accounts deletes them, so nobody could tell them again.
SHOWN = sorted({*subscriptions.by_topic} - {"session.ended"})


@pytest.mark.parametrize("topic", SHOWN)
def test_the_rebuild_asks_for_every_resource_that_the_gateway_shows(
    topic: str,
) -> None:
    contract = subscriptions.by_topic[topic].contract
    assert any(issubclass(contract, form) for _, _, form in PARTS)


@pytest.mark.parametrize("service", OWNERS)
def test_the_rebuild_asks_each_owner_for_exactly_its_snapshot_kinds(service: str) -> None:
    told = import_module(f"services.{service}.snapshots")
    of_patrons = set(getattr(told, "OF_PATRONS", {}))
    of_all = set(getattr(told, "OF_ALL", {}))
    assert {kind for owner, kind in ASKED if owner == service} == of_patrons | of_all
    assert {
        kind for owner, kind, form in PARTS if owner == service and is_of_a_patron(form)
    } == of_patrons
