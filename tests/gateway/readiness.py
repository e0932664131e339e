"""The readiness report of a gateway."""

from typing import Any

from tests.support import Api, until


async def readiness(api: Api) -> tuple[int, dict[str, Any]]:
    """Return status and report of `/health/ready`; retried, as a slow machine may answer late."""

    async def said() -> tuple[int, dict[str, Any]] | None:
        answer = await api.operations("/health/ready")
        report: dict[str, Any] = answer.json()
        return (answer.status, report) if "checks" in report else None

    found: tuple[int, dict[str, Any]] = await until(said, within=60, every=0.1)
    return found
