"""Positions in queues: only holds that wait for the same copies count."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict

from services.gateway.views.open_items import waiting
from services.gateway.views.store import reads
from shared.contracts.circulation import HoldPlaced
from shared.mongo import Database
from tests import samples
from tests.targets import TARGETS, compete


async def test_only_holds_that_compete_for_a_copy_count(
    views: Database, whole: None, hear: Callable[..., Awaitable[None]]
) -> None:
    queue = list(enumerate([*TARGETS, *reversed(TARGETS)], 1))
    for place, target in queue:
        event = samples.hold(HoldPlaced, 1, f"hold-{place}", place=place, **asdict(target))
        await hear(event.model_copy(update={"patron_id": f"p{place}"}))
    for place, target in queue:
        view = await views.account_views.find_one({"_id": f"p{place}"})
        expected = sum(before <= place and compete(target, other) for before, other in queue)
        assert await reads.positions(views, waiting(view)) == {f"hold-{place}": expected}, target
