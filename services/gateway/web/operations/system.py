"""Page of the running system, for operators; it shows itself anew while it is open."""

import asyncio
from typing import Any

from fastapi import Response

from services.gateway.web.api import segment
from services.gateway.web.page_request import OverseerRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from services.registry import NAMES
from shared.clock import parse_instant, wall_clock
from shared.processes import BACKUP_LATE_SECONDS
from shared.translations import marked

router = Pages(
    menus={"ops": [("/ops", marked("The system"))]},
    messages={"job-ran": marked("The job %(job)s has run. It processed %(done)s items.")},
)

STATES = {
    "ready": marked("ready"),
    "degraded": marked("restricted"),
    "unready": marked("not ready"),
    "gone": marked("gone"),
}
OUTCOMES = {"failed": marked("failed"), "waits": marked("waits for the right time")}


@router.get("/ops")
async def get_system(request: OverseerRequest) -> Response:
    """Show every service with its processes, its jobs, its dead letters and what waits."""
    *states, swept = await asyncio.gather(
        *(request.api.get(f"/v1/ops/status/{name}") for name in NAMES),
        request.api.get("/v1/ops/sweeps"),
    )
    services = {
        name: _shown(reply.json()) if reply.done else None
        for name, reply in zip(NAMES, states, strict=True)
    }
    backup = (services["gateway"] or {}).get("backup")
    sweeps = swept.json()["items"] if swept.done else []
    return request.page(
        "operations/system.html",
        services=services,
        states=STATES,
        outcomes=OUTCOMES,
        backup=backup,
        backup_late=backup and _seconds_since(backup["at"]) > BACKUP_LATE_SECONDS,
        sweeps=[one for one in sweeps if one["state"] != "done" and one["total"]],
        well=all(one and one["well"] for one in services.values()),
    )


@router.post("/ops/jobs")
async def post_job(request: OverseerRequest) -> Response:
    """Run a job of a service now."""
    service, job = request.text("service"), request.text("job")
    reply = await request.send("POST", f"/v1/ops/jobs/{segment(service)}/{segment(job)}")
    reply.succeed()
    ran = {"job": f"{service}/{job}", "done": reply.json()["done"]}
    return request.go("/ops", FlashMessage("job-ran", ran))


def _seconds_since(at: str) -> float:
    return (wall_clock() - parse_instant(at)).total_seconds()


def _shown(status: dict[str, Any]) -> dict[str, Any]:
    """Return the status of a service with the state of each process."""
    for one in status["processes"]:
        one["state"] = "gone" if one["gone"] else one["status"]
    failed = [job for job in status["jobs"] if job["last"] and job["last"]["outcome"] != "done"]
    fit = [one for one in status["processes"] if one["state"] == "ready"]
    well = fit == status["processes"] and fit and not failed and not status["dead_letters"]
    return {**status, "well": bool(well), "failed": failed}
