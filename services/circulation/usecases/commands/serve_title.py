"""Serve the queue of a title."""

from dataclasses import dataclass
from datetime import date

from services.circulation.usecases.steps.serve_queue import serve
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ServeTitle:
    """Command to serve the queue of a title on `on`."""

    title_id: str
    on: date


def serve_title(work: Work, command: ServeTitle) -> int:
    """Serve the queue of a title; return how many holds got a copy."""
    served = serve(work, {command.title_id}, command.on)
    return sum(each.hold is not None for each in served.values())
