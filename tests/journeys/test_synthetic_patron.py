"""The synthetic patron: made by a command, it uses its account, and names the step that fails."""

import pytest
from prometheus_client import REGISTRY

from ops.direct import unit_of_work_at
from services.gateway.jobs import StepFailed, synthetic_patron
from services.gateway.settings import Settings
from shared.clock import wall_clock
from shared.unit_of_work import Origin, Run
from tests.library import Library
from tests.ops.command import run

VARIABLE = "CARREL_SYNTHETIC_PATRON"


async def tried(library: Library, patron: str) -> int:
    """Let the job run once in this process with a patron and the settings of the gateway."""
    settings = library.system.settings(Settings).model_copy(update={"synthetic_patron": patron})
    async with unit_of_work_at(settings, "gateway") as unit_of_work:
        return await synthetic_patron(Run(unit_of_work, Origin(now=wall_clock()), within=30.0))


async def test_the_synthetic_patron_uses_its_account(library: Library) -> None:
    branch = await library.branch()
    await library.flow.settle(within=60)
    refused = run(["synthetic-patron", "NOWHERE"], library.system.environment)
    assert (refused.code, refused.out) == (1, "")
    made = run(["synthetic-patron", branch], library.system.environment)
    variable, _, patron = made.out.strip().partition("=")
    assert (made.code, variable) == (0, VARIABLE), made.err
    await library.flow.settle(within=60)

    assert await tried(library, "") == 0
    assert await tried(library, patron) == 4
    assert await tried(library, patron) == 4
    [found] = (await library.get(f"/v1/patrons?card={patron.partition(':')[0]}", by="staff"))[
        "items"
    ]
    assert found["category"] == "synthetic"
    for step in ("log-in", "account", "loans", "log-out"):
        assert REGISTRY.get_sample_value("carrel_synthetic_patron_ok", {"step": step}) == 1

    with pytest.raises(StepFailed) as failure:
        await tried(library, f"{patron}x")
    assert (failure.value.step, failure.value.code) == ("log-in", "401")
    assert REGISTRY.get_sample_value("carrel_synthetic_patron_ok", {"step": "log-in"}) == 0
