"""Jobs and subscriptions of several subjects, combined to those of their service."""

import pytest

from shared.bus.subscriptions import Subscriptions
from shared.contracts.accounts import PatronErased
from shared.jobs import Jobs
from shared.unit_of_work import Run


def test_a_service_has_the_jobs_of_its_subjects() -> None:
    first, second = Jobs(), Jobs()

    @first.every(minutes=1)
    async def releases(_: Run) -> int:
        return 0

    @second.steadily(seconds=1)
    async def purge_seasons(_: Run) -> int:
        return 0

    assert [*Jobs(first, second).by_name] == ["releases", "purge-seasons"]
    with pytest.raises(TypeError, match="two jobs have the name releases"):
        Jobs(first, first)


def test_a_service_has_the_subscriptions_of_its_subjects() -> None:
    part = Subscriptions()

    @part.to(PatronErased)
    async def purge(_: PatronErased, __: Run) -> None: ...

    assert [*Subscriptions(part, Subscriptions()).by_topic] == [PatronErased.topic]
    with pytest.raises(TypeError, match="has two handlers"):
        Subscriptions(part, part)
